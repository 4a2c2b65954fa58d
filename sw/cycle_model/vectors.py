"""When the vectors of products are read: in the first cycle that pixels and residuals leave free.

read[i] = first cycle u >= max(record valid, parameters pushed) + 2 in which no residual is due and the pixel at the
          loops is in another bank;  the tile can be pushed from u + operand_latency + 3 on
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

from .pixels import Accesses

__all__ = ["Vectors"]

_WANTED = 2


class Pass(Protocol):
    """The accesses of a pass, and which pass of its COMPUTE it is."""

    @property
    def accesses(self) -> Accesses: ...
    @property
    def index(self) -> int: ...


class Vectors:
    """When each is read, and of which banks. ``products``: are there any?

    ``pixels``: pass and number of the pixel that leaves the loops in a cycle; ``delay`` cycles from it to its residual.
    """

    def __init__(self, pixels: Callable[[int], tuple[Pass, int] | None], delay: int, products: bool) -> None:
        self._pixels, self._delay, self.products = pixels, delay, products
        self.at: list[int] = []
        self._banks: list[int] = []
        self.bound = 0 if products else 1 << 62
        """no vector beyond the known ones is read before this cycle."""

    def read(self, accesses: Accesses, known: int) -> int:
        """The cycle in which a vector is read, whose record and parameters are there in ``known``."""
        at, banks = known + _WANTED, int(accesses.due[0])
        while self._busy(at, banks):
            at += 1
        self.at.append(at)
        self._banks.append(int(accesses.residuals[0]))
        self.later(at + 1)
        return at

    def _busy(self, cycle: int, banks: int) -> bool:
        """Is a residual due, or a pixel of these banks at the loops?"""
        added = self._pixels(cycle - self._delay)
        if added is not None and added[0].index == 0 and added[0].accesses.res:
            return True
        found = self._pixels(cycle)
        return found is not None and bool(found[0].accesses.compared(found[0].index)[found[1]] & banks)

    def later(self, cycle: int) -> None:
        """All that are not known come in this cycle or later."""
        self.bound = max(self.bound, cycle)

    def reads(self, cycle: int) -> int:
        """The banks of the vector that is read in a cycle before ``bound``."""
        i = bisect_left(self.at, cycle)
        return self._banks[i] if i < len(self.at) and self.at[i] == cycle else 0

    def between(self, first: int, last: int) -> bool:
        """Is one read in these cycles?"""
        return bisect_left(self.at, first) < bisect_left(self.at, last + 1)
