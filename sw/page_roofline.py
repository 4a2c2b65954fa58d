"""The roofline: what each layer reaches, and what the array and the memory port would allow.

roof(i) = min(rows * cols, i * bytes the port takes in a cycle)     i = MACs / bytes of the busier direction
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .page import text
from .page_charts import Frame, label, number

__all__ = ["Dot", "roofline"]


@dataclass(frozen=True)
class Dot:
    """A layer: its link, its name, MACs a byte, MACs a cycle, its share of all cycles 0..1."""

    anchor: str
    name: str
    intensity: float
    speed: float
    share: float


def roofline(dots: Sequence[Dot], peak: float, bandwidth: float) -> str:
    """Both axes logarithmic; ``peak`` MACs a cycle, ``bandwidth`` bytes a cycle; areas are shares of the cycles."""
    knee = peak / bandwidth
    xs, ys = [dot.intensity for dot in dots], [dot.speed for dot in dots]
    low, high = min([*xs, knee]) / 2.5, max([*xs, knee]) * 2.5
    least = min([*ys, peak / 4]) / 1.6
    frame = Frame(
        (math.log10(low), math.log10(high)), (math.log10(least), math.log10(2.4 * peak)), 640, 320, 34, 16
    )
    shapes = frame.axes(_powers(low, high), _powers(least, 2.4 * peak), "MACs for each byte over the port")
    start = max(low, least / bandwidth)

    def at(x: float, y: float) -> str:
        return f"{frame.x(math.log10(x)):.1f} {frame.y(math.log10(y)):.1f}"

    shapes.append(
        f'<path class="edge" d="M{at(start, start * bandwidth)}L{at(knee, peak)}L{at(high, peak)}"/>'
    )
    top = frame.y(math.log10(peak))
    shapes.append(label(frame.right, top - 18, f"array: {number(peak)} MACs a cycle", "end", "strong"))
    shapes.append(label(frame.left - 28, frame.top - 5, "MACs a cycle", "start", "strong"))
    middle = math.sqrt(start * knee)
    x, y = at(middle, middle * bandwidth).split()
    shapes.append(
        label(float(x) + 8, float(y) + 12, f"port: {number(bandwidth)} bytes a cycle", "start", "strong")
    )
    for dot in sorted(dots, key=lambda dot: -dot.share):
        x, y = at(dot.intensity, dot.speed).split()
        words = (
            f"{dot.name}: {dot.speed:.1f} MACs a cycle, {number(dot.intensity)} MACs a byte, "
            f"{100 * dot.share:.1f} % of the cycles"
        )
        shapes.append(
            f'<a href="#{text(dot.anchor)}"><circle class="dot see" cx="{x}" cy="{y}" '
            f'r="{3.5 + 14 * math.sqrt(dot.share):.1f}"><title>{text(words)}</title></circle></a>'
        )
    return frame.svg("Roofline: MACs a cycle by MACs a byte", shapes)


def _powers(low: float, high: float) -> dict[float, str]:
    """Logarithms of 1, 2, 5 times powers of ten, at most eight of them."""
    digits = (1, 2, 5) if high / low < 300 else (1,)
    span = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [digit * 10.0**power for power in span for digit in digits]
    return {math.log10(v): f"{v:g}" for v in values if low <= v <= high}
