"""The part of a timeline that is asked for: cycles, or those in which some layers are at work."""

from __future__ import annotations

from collections.abc import Sequence

from .picture_lanes import short
from .timeline import Timeline

__all__ = ["layer_window", "window_of", "zooms"]

_MARGIN = 0.03
"""Of the layers' cycles, on both sides."""

_ZOOM = 600
"""Cycles of a zoom at least."""


def window_of(
    found: Timeline, first: int | None = None, last: int | None = None, layers: Sequence[str] = ()
) -> tuple[int, int] | None:
    """First and last cycle; None where nothing is asked for. Raises ValueError."""
    if layers:
        if first is not None or last is not None:
            raise ValueError("layers choose the window already: give no first and last cycle with them")
        return layer_window(found, layers)
    if first is None and last is None:
        return None
    begin, end = first or 0, found.cycles - 1 if last is None else last
    if not 0 <= begin < found.cycles:
        raise ValueError(f"first must be a cycle of the run, 0..{found.cycles - 1}, not {first!r}")
    if not begin <= end < found.cycles:
        raise ValueError(f"last must be a cycle from first on, {begin}..{found.cycles - 1}, not {last!r}")
    return begin, end


def layer_window(found: Timeline, layers: Sequence[str]) -> tuple[int, int]:
    """From their first cycle to their last output, in the first image, and a little around."""
    names = {alias: info.name for info in found.program.computes for alias in (short(info.name), info.name)}
    for layer in layers:
        if layer not in names:
            known = ", ".join(dict.fromkeys(info.name for info in found.program.computes))
            raise ValueError(f"layers must be names of the engine's layers ({known}), not {layer!r}")
    chosen = {names[layer] for layer in layers}
    rows = [layer for layer in found.layers if layer.image == 0 and layer.name in chosen]
    begin, end = min(layer.start for layer in rows), max(layer.done for layer in rows)
    around = max(20, int(_MARGIN * (end - begin)))
    return max(0, begin - around), min(found.cycles - 1, end + around)


def zooms(found: Timeline) -> list[tuple[str, int, int]]:
    """Title, first and last cycle of each: start, second image, end; none of a run that is hardly longer."""
    computes = found.of("compute")
    begins = computes[0].started
    behind = found.cycles - 1 - computes[-1].ended
    size = max(_ZOOM, int(2.2 * begins), int(1.8 * behind))
    if found.cycles < 3 * size:
        return []
    parts = [(f"Start: the first pixel in cycle {begins:,}", 0, size - 1)]
    seam = next((span for span in computes if span.image == 1), None)
    if seam is not None:
        lost = seam.started - 1 - (seam.ended - seam.cycles)
        at = seam.started - size // 2
        parts.append((f"The second image: {lost:,} cycles between", at, at + size - 1))
    parts.append((f"End: {behind:,} cycles behind the last pixel", found.cycles - size, found.cycles - 1))
    return parts
