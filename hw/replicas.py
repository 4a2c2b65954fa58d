"""Copies of a register that synthesis may not merge: a net of hundreds of inputs is a long way on an FPGA."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Signal

__all__ = ["replicas"]


def replicas(
    m: Module, value: Any, count: int, platform: Any, *, enable: Any = None, init: int = 0, name: str
) -> list[Signal]:
    """copy[i](t+1) = value(t) if enable(t) else copy[i](t), for i in 0..count-1; ``init`` after reset.

    A platform with ``lower_register`` makes each bit a flip-flop of its own (see ``ecp5``); elsewhere they are
    registers like all others.
    """
    enable = Const(1) if enable is None else enable
    lower = getattr(platform, "lower_register", None)
    copies = [Signal(len(value), init=init, name=f"{name}_{i}") for i in range(count)]
    for i, copy in enumerate(copies):
        if lower is None:
            with m.If(enable):
                m.d.sync += copy.eq(value)
            continue
        for bit in range(len(copy)):
            m.submodules[f"{name}_{i}_{bit}"] = lower(value[bit], copy[bit], enable, init >> bit & 1)
    return copies
