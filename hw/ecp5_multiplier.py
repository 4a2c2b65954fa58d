"""``logic_multiplier``: a multiplier of an ECP5 that has no DSP left, two bits of an operand a carry chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value, signed

__all__ = ["logic_multiplier"]

_SUM, _FIRST, _NO_CARRY = 0x7888, 0x8888, 0x0000
_DIFFERENCE, _FIRST_NEGATED, _CARRY = 0x8777, 0x0FFF, 0x000F
"""Tables of a half CCU2C: a bit of x + y or x - y, its first bit, and the half before it, which makes the carry."""

_Half = tuple[int, tuple[Value, Value, Value, Value]]


def logic_multiplier(a: Value, b: Value) -> tuple[Module, Signal]:
    """(m, p): p(t+3) = sum over i of a(t) b_2i(t) 4^i +- 2 a(t) b_2i+1(t) 4^i, - for b's sign; signed.

    A chain computes a b_0 + 2 a b_1: a half CCU2C has four inputs a bit, a_i, b_0, a_i-1 and b_1, and generates a
    carry from the first two, which is a_i b_0, the right one wherever it does not propagate. Registers, as those of
    a DSP: behind these chains, behind the sum of each half of them, behind the whole.
    """
    m = Module()
    a, b = (a, b) if len(a) >= len(b) else (b, a)
    bits = [b[i] for i in range(len(b))]
    bits += bits[-1:] * (len(bits) % 2)
    pairs = []
    for i in range(0, len(bits), 2):
        pair = _register(m, len(a) + 2, f"pair_{i // 2}")
        m.d.sync += pair.eq(_pair(m, i // 2, a, bits[i], bits[i + 1], last=i + 2 == len(bits)))
        pairs.append(pair)
    half = (len(pairs) + 1) // 2
    parts = []
    for name, some in (("low", pairs[:half]), ("high", pairs[half:])):
        if not some:
            continue
        total = _added(some, 2)
        part = _register(m, len(total), name)
        m.d.sync += part.eq(total)
        parts.append(part)
    p = _register(m, len(a) + len(b), "p")
    m.d.sync += p.eq(_added(parts, 2 * half))
    return m, p


def _register(m: Module, width: int, name: str) -> Signal:
    return Signal(signed(width), name=name, reset_less=True)


def _added(terms: Sequence[Value], step: int) -> Value:
    """Sum of terms[i] << step i; bits that only one of them has are not in an adder."""
    total = terms[0]
    for i, term in enumerate(terms[1:], 1):
        below = step * i
        total = Cat(total[:below], total[below:].as_signed() + term).as_signed()
    return total


def _pair(m: Module, number: int, a: Value, low: Value, high: Value, *, last: bool) -> Value:
    """a low + 2 a high, minus if high is the sign: a chain of len(a) + 2 bits behind the half that makes its carry."""
    one = Const(1)
    operand = [a[i] for i in range(len(a))] + [a[-1]] * 2
    halves: list[_Half] = [(_CARRY if last else _NO_CARRY, (one,) * 4)]
    for i, bit in enumerate(operand):
        x, y = (bit, low), (operand[i - 1], high)
        if last:
            halves.append((_DIFFERENCE, (*y, *x)) if i else (_FIRST_NEGATED, (one, one, *x)))
        else:
            halves.append((_SUM, (*x, *y)) if i else (_FIRST, (*x, one, one)))
    halves += [(0, (one,) * 4)] * (len(halves) % 2)
    sums = Signal(len(halves), name=f"sums_{number}")
    carry = low  # whatever it is: the first half makes the chain's carry, and a constant would be a wire
    for i in range(0, len(halves), 2):
        following = Signal(name=f"carry_{number}_{i // 2}")
        m.submodules[f"chain_{number}_{i // 2}"] = _ccu2c(
            halves[i : i + 2], carry, sums[i : i + 2], following
        )
        carry = following
    return sums[1 : 1 + len(operand)].as_signed()


def _ccu2c(halves: Sequence[_Half], carry: Value, sums: Value, following: Signal) -> Instance:
    """Two bits of a chain."""
    ports: dict[str, Any] = {"i_CIN": carry, "o_COUT": following}
    for i, (table, inputs) in enumerate(halves):
        ports |= {f"p_INIT{i}": Const(table, 16), f"p_INJECT1_{i}": "NO", f"o_S{i}": sums[i]}
        ports |= {f"i_{pin}{i}": value for pin, value in zip("ABCD", inputs, strict=True)}
    return Instance("CCU2C", **ports)
