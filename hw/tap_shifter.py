"""``TapShifter``: the pixels before a pixel, side by side."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import record_layout
from .isa import FOLD_CHANNELS, LOAD
from .replicas import replicas

__all__ = ["TapShifter"]

_GROUP = 8
"""Elements that share a copy of what selects them."""


class TapShifter(Component):
    """window = (0 if first else window << count) | pixel, count = (rows_above + 1) * tail elements; for each pixel

    A shift by one of a dozen distances takes more than a cycle, and the next pixel comes a cycle later. So each step
    goes back by two pixels, whose elements have been shifted by 2 * count meanwhile:

        both[t] = pixel[t], pixel[t-1] << count unless first[t]
        window[t] = both[t], window[t-2] << 2 * count unless first[t] or first[t-1]

    Latency: 3 cycles, rigid. ``rows_above`` and ``tail`` are read 1 cycle before a pixel that is not first, or
    earlier, and stay until 2 cycles after it.

    Parameters
    ----------
    config : the engine.
    elements : of a pixel at most.

    Members
    -------
    rows_above, tail : of an instruction with fold.
    valid, first, pixel : a pixel, 0 from its last element on.
    taps : the window, the newest pixel in the lowest lanes; zeros above the last element that is folded.
    """

    latency = 3

    def __init__(self, *, config: EngineConfig, elements: int) -> None:
        self.config, self.elements = config, elements
        self._size = max(config.fold_elements, elements)
        record = record_layout(LOAD, config)
        super().__init__(
            {
                "rows_above": In(record["rows_above"].shape),
                "tail": In(record["tail"].shape),
                "valid": In(1),
                "first": In(1),
                "pixel": In(elements * config.act_width),
                "taps": Out(self._size * config.act_width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width, folded = self.config.act_width, self.config.fold_elements
        groups = -(-self._size // _GROUP)
        counts = self._counts()
        select = {count: Cat((self.rows_above == a) & (self.tail == c) for a, c in same).any()
                  for count, same in counts.items()}  # fmt: skip
        of_both = {c: replicas(m, is_it, groups, platform, name=f"both_{c}") for c, is_it in select.items()}
        of_window = {
            c: replicas(m, is_it, groups, platform, name=f"window_{c}") for c, is_it in select.items()
        }
        # Cycle 0: the pixel.
        pixel = Signal(len(self.pixel), reset_less=True)
        m.d.sync += pixel.eq(self.pixel)
        first = replicas(m, self.first, groups, platform, name="first")
        valid = replicas(m, self.valid, groups, platform, name="valid")
        # Cycle 1: the one before beside it. Elements from the last one that is folded on have no other.
        before, was_first = Signal.like(pixel), Signal()
        own = [pixel.word_select(e, width) if e < self.elements else Const(0) for e in range(self._size)]
        old = [before.word_select(e, width) for e in range(self.elements)]
        both = [Signal(width, name=f"both_of_{e}", reset_less=True) for e in range(self._size)]
        with m.If(valid[0]):
            m.d.sync += was_first.eq(first[0])
        for e in range(self.elements):
            with m.If(valid[e // _GROUP]):
                m.d.sync += old[e].eq(pixel.word_select(e, width))
        for e in range(self._size):
            terms = {c: old[e - c] for c in counts if c <= e < min(2 * c, folded) and e - c < self.elements}
            shifted = _any(_of(of_both, terms, e))
            m.d.sync += both[e].eq(own[e] | (shifted & (~first[e // _GROUP]).replicate(width)))
        go_on = replicas(m, ~(first[0] | was_first), groups, platform, name="go_on")
        steps = [replicas(m, valid[g], 2, platform, name=f"step_{g}") for g in range(groups)]
        # Cycle 2: the window, and the one of the pixel before where the next pixel but one wants it; in two halves.
        elements = [self.taps.word_select(e, width) for e in range(self._size)]
        for e in range(self._size):
            group, step = e // _GROUP, steps[e // _GROUP][e % _GROUP * 2 // _GROUP]
            older = _of(of_window, {c: elements[e - 2 * c] for c in counts if 2 * c <= e < folded}, e)
            halves = [Signal(width, name=f"half_{e}_{i}", reset_less=True) for i in range(2)]
            with m.If(step):
                m.d.sync += [half.eq(_any(older[i::2])) for i, half in enumerate(halves)]
                kept = (halves[0] | halves[1]) & go_on[group].replicate(width)
                m.d.sync += elements[e].eq(both[e] | kept)
        return m

    def _counts(self) -> dict[int, list[tuple[int, int]]]:
        """What a pixel's elements may be, and the rows above and channels that make it."""
        found: dict[int, list[tuple[int, int]]] = {}
        for above in range(3 if self.config.fold_width else 1):
            for channels in range(1, min(FOLD_CHANNELS, self.config.lanes) + 1):
                found.setdefault((above + 1) * channels, []).append((above, channels))
        return found


def _of(select: dict[int, list[Signal]], terms: dict[int, Any], element: int) -> list[Any]:
    """The elements at some distances, each where that is the one."""
    return [
        code & select[count][element // _GROUP].replicate(len(code)) for count, code in sorted(terms.items())
    ]


def _any(terms: list[Any]) -> Any:
    return reduce(or_, terms, Const(0))
