"""``QFormat``: the number format of a tensor."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["QFormat"]


@dataclass(frozen=True)
class QFormat:
    """``real = code * 2**-fl`` with ``min <= code <= max``.

    ``width`` bits, 2..8 or 16 (up to 64 for accumulators); ``fl`` may be negative or larger than the
    width. Signed codes are two's complement; unsigned ones win one bit where a tensor is never negative.
    Prints as ``Q<integer bits>.<fl>``, the sign not counted, ``UQ`` where unsigned: ``QFormat(8, 5)`` is ``Q2.5``.
    """

    width: int
    fl: int
    signed: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.width, int) or not 1 <= self.width <= 64:
            raise ValueError(f"width must be an integer in 1..64, not {self.width!r}")
        if not isinstance(self.fl, int):
            raise ValueError(f"fl must be an integer, not {self.fl!r}")

    @property
    def min(self) -> int:
        """The smallest code."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """The largest code."""
        return (1 << (self.width - 1)) - 1 if self.signed else (1 << self.width) - 1

    @property
    def step(self) -> float:
        """The real value of one code."""
        return 2.0**-self.fl

    def __str__(self) -> str:
        sign = "" if self.signed else "U"
        return f"{sign}Q{self.width - self.fl - int(self.signed)}.{self.fl}"
