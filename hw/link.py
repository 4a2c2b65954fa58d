"""The serial link's commands, as data: ``HostLink``, the host's ``sw.uart_port`` and docs derive from it.

    host  -> opcode (1 byte) | address (4) | argument (4) | data of WRITE_MEMORY
    board -> data of READ_REGISTER, READ_MEMORY | sum of all bytes of the exchange before this one, modulo 256

Numbers are little-endian; bytes go as 8N1. An unknown opcode is answered with the sum inverted and has no effect.
"""

from __future__ import annotations

__all__ = ["BAUD", "HEADER", "READ_MEMORY", "READ_REGISTER", "RESET", "WRITE_MEMORY", "WRITE_REGISTER"]

HEADER = 9
"""Bytes of opcode, address and argument."""

WRITE_REGISTER = 0x01
"""address: of ``hw.registers``; argument: the value."""

READ_REGISTER = 0x02
"""address: of ``hw.registers``; argument: 0. Answers 4 bytes."""

WRITE_MEMORY = 0x03
"""address: of a port word; argument: port words that follow."""

READ_MEMORY = 0x04
"""address: of a port word; argument: port words that the board answers."""

RESET = 0x05
"""Resets the engine, not its memory; address and argument: 0."""

BAUD = 1_000_000
"""Bits a second on boards: a whole number of cycles of every board's clock."""
