"""``spread_reset``: a reset that thousands of registers listen to."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module

__all__ = ["spread_reset"]


def spread_reset(m: Module, reset: Any, everywhere: Any, platform: Any) -> None:
    """everywhere = reset, in a clock network where the platform has one: ``lower_reset`` (see ``ecp5``).

    In the fabric an engine's reset is one wire in ten, and the router of a large engine does not end.
    """
    lower = getattr(platform, "lower_reset", None)
    if lower is None:
        m.d.comb += everywhere.eq(reset)
    else:
        m.submodules.reset = lower(reset, everywhere)
