"""Whether a train of reads meets the pixels and residuals of COMPUTEs in a bank.

read i in cycle t[i] of bank b[i] meets    pixel at the loops in t[i] - 1, residual of the one in t[i] - rows - 2
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from .compute import Compute, Run
from .pixels import Masks

__all__ = ["Meeting"]


class Meeting:
    """What STORE asks of COMPUTE, many cycles at a time."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    @property
    def bound(self) -> int:
        """No pixel beyond the known ones is at the loops before this cycle, no vector is read."""
        return min(self._compute.bound, self._compute.vectors.bound)

    def reads(self, cycle: int) -> int | None:
        """As ``Compute.reads``."""
        return self._compute.reads(cycle)

    def quiet(self, cycle: int, bank: int) -> int:
        """As ``Compute.quiet``."""
        return self._compute.quiet(cycle, bank)

    def meets(self, cycles: Masks, banks: Masks) -> bool:
        """True: may be. ``banks``: a mask for each of the ``cycles``, which ascend, the last not beyond ``bound``."""
        mask = int(np.bitwise_or.reduce(banks))
        if self._compute.vectors.between(int(cycles[0]) - 1, int(cycles[-1]) - 1):
            return True
        return self._pixels(cycles - 1, banks, mask) or (
            self._compute.residuals and self._residuals(cycles - self._compute.config.rows - 2, banks)
        )

    def _runs(self, at: Masks) -> list[Run]:
        """Those at the loops in these cycles."""
        firsts = self._compute.firsts
        begin, end = bisect_right(firsts, int(at[0])) - 1, bisect_right(firsts, int(at[-1]))
        return [run for run in self._compute.runs[max(0, begin) : end] if run.last >= at[0]]

    def _pixels(self, at: Masks, banks: Masks, mask: int) -> bool:
        for run in self._runs(at):
            if run.accesses.near(run.index) & mask and _hits(run, run.accesses.reads(run.index), at, banks):
                return True
        return False

    def _residuals(self, at: Masks, banks: Masks) -> bool:
        for run in self._runs(at):
            if not run.index and run.accesses.res and _hits(run, run.accesses.residuals, at, banks):
                return True
        return False


def _hits(run: Run, masks: Masks, at: Masks, banks: Masks) -> bool:
    if run.at is not None:
        return True
    low, high = np.searchsorted(at, (run.first, run.last + 1))
    return bool(np.any(masks[at[low:high] - run.first] & banks[low:high]))
