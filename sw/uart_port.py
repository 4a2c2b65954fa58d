"""``UartPort``: a board behind a serial line as the driver's ``ControlPort``; ``SerialLine``: such a line on Linux.

Every command is answered with the sum of all bytes of the exchange (``hw.link``): a byte that was lost or changed is
an error, not a wrong result.
"""

from __future__ import annotations

import os
import select
import termios
import time
from pathlib import Path
from typing import Protocol

from ..hw import link
from ..hw.registers import MAP
from .driver import ControlPort, EngineError

__all__ = ["Line", "SerialLine", "UartPort"]

_ADDRESS = {register.name: register.address for register in MAP}

_BLOCK = 4096
"""Bytes of memory an exchange moves at most: an error shows soon."""

_SECONDS = 5.0


class Line(Protocol):
    """Bytes to and from a board."""

    def send(self, data: bytes) -> None:
        """Send all of them."""

    def receive(self, count: int) -> bytes:
        """The next bytes; fewer if they do not come in time."""


class SerialLine:
    """A serial port of Linux, raw, 8N1.

    Raises ValueError for a speed that the system does not know, OSError if the port cannot be opened.
    """

    def __init__(self, path: str | Path, baud: int = link.BAUD) -> None:
        speed = getattr(termios, f"B{baud}", None)
        if speed is None:
            raise ValueError(
                f"baud must be a speed that this system knows, not {baud!r}: try 115200 or 1000000"
            )
        self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            settings = termios.tcgetattr(self._file)
        except termios.error:
            os.close(self._file)
            raise ValueError(f"{str(path)!r} is not a serial port") from None
        settings[:6] = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0, speed, speed]
        termios.tcsetattr(self._file, termios.TCSAFLUSH, settings)

    def close(self) -> None:
        """Give the port back."""
        os.close(self._file)

    def send(self, data: bytes) -> None:
        """Send all of them."""
        left = memoryview(data)
        while left:
            select.select([], [self._file], [], _SECONDS)
            left = left[os.write(self._file, left) :]

    def receive(self, count: int) -> bytes:
        """The next bytes; fewer if they do not come within 5 seconds each."""
        got = bytearray()
        while len(got) < count and select.select([self._file], [], [], _SECONDS)[0]:
            got += os.read(self._file, count - len(got))
        return bytes(got)


class UartPort(ControlPort):
    """Registers and memory over ``hw.link``.

    Parameters
    ----------
    line : the bytes' way.
    port_bytes : bytes of a port word of the engine on the board.
    size : bytes of the board's memory, 0: not known, so not checked.

    Raises EngineError if the board does not answer, or not as it should; ValueError for addresses beyond its memory.
    """

    def __init__(self, line: Line, *, port_bytes: int, size: int = 0) -> None:
        self.line, self.port_bytes, self.size = line, port_bytes, size

    def _exchange(
        self, opcode: int, address: int, argument: int, data: bytes = b"", answer: int = 0
    ) -> bytes:
        sent = bytes([opcode]) + address.to_bytes(4, "little") + argument.to_bytes(4, "little") + data
        self.line.send(sent)
        got = self.line.receive(answer + 1)
        if len(got) != answer + 1:
            raise EngineError(
                f"the board answered {len(got)} of {answer + 1} bytes: is it configured, and at this port and speed?"
            )
        expected = sum(sent) + sum(got[:-1]) & 0xFF
        if got[-1] == expected:
            return got[:-1]
        if got[-1] == expected ^ 0xFF:
            raise EngineError(f"the board does not know command {opcode:#04x}: it holds another version")
        raise EngineError(
            "bytes were lost or changed between board and host: lower the baud rate, or check the cable"
        )

    def read_register(self, address: int) -> int:
        return int.from_bytes(self._exchange(link.READ_REGISTER, address, 0, answer=4), "little")

    def write_register(self, address: int, value: int) -> None:
        self._exchange(link.WRITE_REGISTER, address, value)

    def reset(self) -> None:
        """Start the engine over, at any time; its memory stays."""
        self._exchange(link.RESET, 0, 0)

    def _check(self, address: int, size: int) -> None:
        if address % self.port_bytes:
            raise ValueError(f"address must be a multiple of {self.port_bytes}, not {address}")
        if self.size and address + size > self.size:
            raise ValueError(
                f"the board has {self.size} bytes of memory, {address + size} are needed: run fewer images at a time, "
                "or build it with more"
            )

    def write_memory(self, address: int, data: bytes) -> None:
        """The last word is filled up with zeros."""
        self._check(address, len(data))
        padded = data + bytes(-len(data) % self.port_bytes)
        for start in range(0, len(padded), _BLOCK):
            block = padded[start : start + _BLOCK]
            self._exchange(link.WRITE_MEMORY, address + start, len(block) // self.port_bytes, block)

    def read_memory(self, address: int, size: int) -> bytes:
        self._check(address, size)
        whole, got = size + -size % self.port_bytes, bytearray()
        for start in range(0, whole, _BLOCK):
            count = min(_BLOCK, whole - start)
            got += self._exchange(link.READ_MEMORY, address + start, count // self.port_bytes, answer=count)
        return bytes(got[:size])

    def wait(self, timeout: int) -> bool:
        """Asks again and again: the line has no interrupt."""
        while True:
            status = self.read_register(_ADDRESS["status"])
            if status & 0xFF02:  # done, or an error
                return True
            if timeout and (not status & 1 or self.read_register(_ADDRESS["cycles"]) >= timeout):
                return False
            time.sleep(0)
