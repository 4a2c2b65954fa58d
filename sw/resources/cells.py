"""``Cells``: what a design takes of an FPGA."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["KINDS", "Cells"]

KINDS = ("lut", "ff", "dsp", "bram")


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Look-up tables (those of carries and small memories among them), registers, multipliers, block RAMs."""

    lut: int
    ff: int
    dsp: int
    bram: int

    def __add__(self, other: Cells) -> Cells:
        return Cells(**{kind: getattr(self, kind) + getattr(other, kind) for kind in KINDS})

    def to_json(self) -> dict[str, int]:
        """By ``KINDS``."""
        return asdict(self)
