"""Clocks that a PLL makes from a board's oscillator, by arithmetic alone; ``hw.board_clock`` builds the cell.

    detector = source / reference        vco = detector * feedback [* output]        clock = vco / output

With ``outer`` the feedback comes after the output divider, so that clock = detector * feedback.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

__all__ = ["PLLS", "Pll", "PllKind", "fastest_clock", "nearest_clock"]

TOLERANCE = 0.02
"""How far the clock that a PLL makes may be from the one asked for, as a part of it."""

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class PllKind:
    """A PLL's ranges in MHz, ends included, and the values of its dividers."""

    cell: str
    source: Range
    detector: Range
    vco: Range
    clock: Range
    references: range
    feedbacks: range
    outputs: Sequence[int]
    outer: bool = False


@dataclass(frozen=True, kw_only=True)
class Pll:
    """One setting: MHz of the oscillator, and three dividers."""

    kind: PllKind
    source: float
    reference: int
    feedback: int
    output: int

    @property
    def detector(self) -> float:
        """MHz at the phase detector."""
        return self.source / self.reference

    @property
    def vco(self) -> float:
        """MHz of the oscillator inside."""
        return self.detector * self.feedback * (self.output if self.kind.outer else 1)

    @property
    def mhz(self) -> float:
        """The clock that comes out."""
        return self.vco / self.output

    def describe(self) -> str:
        """One line: the cell, its clocks and dividers."""
        return (
            f"{self.kind.cell}: {self.source:g} MHz / {self.reference} = {self.detector:g} MHz, oscillating at "
            f"{self.vco:g} MHz, / {self.output} = {self.mhz:g} MHz"
        )


def _kind(
    cell: str, source: Range, detector: Range, vco: Range, clock: Range, *dividers: Sequence[int]
) -> PllKind:
    references, feedbacks, outputs = dividers
    assert isinstance(references, range) and isinstance(feedbacks, range)
    return PllKind(cell=cell, source=source, detector=detector, vco=vco, clock=clock, references=references,
                   feedbacks=feedbacks, outputs=outputs, outer=cell == "rPLL")  # fmt: skip


_GOWIN = (range(1, 65), range(1, 65), (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128))

PLLS = {
    "ecp5": _kind("EHXPLLL", (8, 400), (10, 400), (400, 800), (3.125, 400), range(1, 129), range(1, 129),
                  range(1, 129)),
    "ice40": _kind("SB_PLL40_PAD", (10, 133), (10, 133), (533, 1066), (16, 275), range(1, 17), range(1, 129),
                   (2, 4, 8, 16, 32, 64)),
    "gw2a": _kind("rPLL", (3, 500), (3, 500), (500, 1250), (3.90625, 625), *_GOWIN),
    "gw1n": _kind("rPLL", (3, 400), (3, 400), (400, 1200), (3.125, 600), *_GOWIN),
}  # fmt: skip
"""By family, of the slowest speed grade that a board has: Lattice FPGA-DS-02012 (ECP5) and FPGA-DS-02008 (iCE40
UltraPlus), Gowin DS226 (GW2A, C8/I7) and DS117 (GW1NR-9, C6/I5)."""


def _settings(kind: PllKind, source: float, low: float, high: float) -> Iterator[Pll]:
    """All that keep every range, with clocks in low..high MHz."""
    if not kind.source[0] <= source <= kind.source[1]:
        return
    low, high = max(low, kind.clock[0]), min(high, kind.clock[1])
    for reference in kind.references:
        detector = source / reference
        if not kind.detector[0] <= detector <= kind.detector[1]:
            continue
        for output in kind.outputs:
            turn = detector * output if kind.outer else detector
            first, last = max(kind.vco[0], low * output), min(kind.vco[1], high * output)
            for feedback in range(ceil(first / turn - 1e-9), floor(last / turn + 1e-9) + 1):
                if feedback in kind.feedbacks:
                    yield Pll(kind=kind, source=source, reference=reference, feedback=feedback, output=output)


def _order(setting: Pll) -> tuple[float, float]:
    """Of settings that make the same clock the first: a fast detector, then a VCO in the middle of its range."""
    return setting.reference, abs(setting.vco - sum(setting.kind.vco) / 2)


def nearest_clock(kind: PllKind, source: float, mhz: float) -> Pll:
    """The setting whose clock is nearest to ``mhz``.

    Raises ValueError where none comes within 2 %, with the PLL's range.
    """
    found = min(
        _settings(kind, source, mhz * (1 - TOLERANCE), mhz * (1 + TOLERANCE)),
        key=lambda setting: (round(abs(setting.mhz - mhz), 6), *_order(setting)),
        default=None,
    )
    if found is None:
        clocks = [setting.mhz for setting in _settings(kind, source, 0.0, 1e4)]
        makes = f"makes {min(clocks):g} to {max(clocks):g} MHz" if clocks else "makes no clock"
        raise ValueError(
            f"clock must be one that the PLL can make, within 2 %, not {mhz:g} MHz: an {kind.cell} {makes} from "
            f"{source:g} MHz"
        )
    return found


def fastest_clock(kind: PllKind, source: float, mhz: float) -> Pll:
    """The setting whose clock is the fastest up to ``mhz``. Raises ValueError where there is none."""
    found = min(
        _settings(kind, source, 0.0, mhz),
        key=lambda setting: (-round(setting.mhz, 6), *_order(setting)),
        default=None,
    )
    if found is None:
        raise ValueError(f"an {kind.cell} makes no clock of up to {mhz:g} MHz from {source:g} MHz")
    return found
