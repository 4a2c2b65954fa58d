"""``distributed_ram``: a small memory in look-up tables, its address pins all driven."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.memory import Memory

__all__ = ["distributed_ram"]


def distributed_ram(m: Module, *, shape: Any, depth: int, platform: Any) -> tuple[Any, Any, Signal, Signal]:
    """word[tail] = write.data where write.en; read.data = word[head], in the same cycle.

    Makes it ``m.submodules.storage``. A platform with ``distributed_words`` has RAMs of that many words: where the
    memory is shallower, the address pins that are left repeat the highest bit, for a constant would be a wire.

    Returns write port, read port, tail, head; the addresses are the caller's to drive.
    """
    words = max(depth, getattr(platform, "distributed_words", depth))
    m.submodules.storage = ram = Memory(shape=shape, depth=words, init=[])
    write, read = ram.write_port(), ram.read_port(domain="comb")
    tail, head = Signal(range(depth)), Signal(range(depth))
    for port, address in ((write, tail), (read, head)):
        m.d.comb += port.addr.eq(Cat(address, address[-1].replicate(len(port.addr) - len(address))))
    return write, read, tail, head
