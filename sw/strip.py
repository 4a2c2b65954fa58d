"""A strip: the part of an output map that one COMPUTE covers."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Strip"]


class Strip(NamedTuple):
    """Output rows y0..y1-1, columns x0..x1-1."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def outputs(self) -> int:
        """How many."""
        return (self.y1 - self.y0) * (self.x1 - self.x0)
