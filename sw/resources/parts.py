"""``PARTS``: what each ECP5 has, and ``share``: how much of it a design may take.

Totals are nextpnr-ecp5's (its TRELLIS_COMB, TRELLIS_FF, MULT18X18D, DP16KD); a 12F is a 25F with another name.
"""

from __future__ import annotations

from .cells import Cells

__all__ = ["PARTS", "SHARE", "part_named"]

_25 = Cells(lut=24_288, ff=24_288, dsp=28, bram=56)

PARTS = {
    "ecp5-12f": _25,
    "ecp5-25f": _25,
    "ecp5-45f": Cells(lut=43_848, ff=43_848, dsp=72, bram=108),
    "ecp5-85f": Cells(lut=83_640, ff=83_640, dsp=156, bram=208),
}
"""By the names of ``sw.synthesis_devices``."""

SHARE = {"lut": 0.85, "ff": 0.85, "dsp": 1.0, "bram": 0.9}
"""What place and route gets along with: boards at 74 % of the look-up tables were routed (docs/boards.md), one with all
block RAMs in use was not (``sw.synthesis_boards``)."""


def part_named(device: str) -> Cells:
    """Raises ValueError for what is no ECP5."""
    if device not in PARTS:
        raise ValueError(
            f"the resource model is of ECP5: device must be one of {', '.join(PARTS)}, not {device!r}; "
            f"`systolith synth` places and routes on the others"
        )
    return PARTS[device]
