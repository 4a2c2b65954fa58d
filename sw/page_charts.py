"""Charts as inline SVG of few shapes: a histogram is two paths, whatever it counts.

Coordinates are pixels of the viewBox, rounded to a tenth; colours come from ``page_style``. The same numbers
give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .page import text

__all__ = ["Frame", "bars", "curve", "histogram", "number", "ticks"]

_WIDTH, _HEIGHT = 300, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 16, 30


def number(value: float) -> str:
    """At most three significant figures, without an exponent where that is readable: ``0.031``, ``12.5``, ``1e-07``."""
    return "0" if value == 0 else f"{value:.3g}"


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten apart) in low..high, about ``count`` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


class Frame:
    """Axes: data coordinates to pixels. ``x`` and ``y`` are (low, high); y grows upwards."""

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        width: float = _WIDTH,
        height: float = _HEIGHT,
        foot: float = _BOTTOM,
        head: float = _TOP,
    ) -> None:
        self.width, self.height = width, height
        self._x = x if x[1] > x[0] else (x[0] - 0.5, x[0] + 0.5)
        self._y = y if y[1] > y[0] else (y[0] - 0.5, y[0] + 0.5)
        self.left, self.right = _LEFT, width - _RIGHT
        self.top, self.bottom = head, height - foot

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return self.left + (value - self._x[0]) / (self._x[1] - self._x[0]) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        return self.bottom - (value - self._y[0]) / (self._y[1] - self._y[0]) * (self.bottom - self.top)

    def svg(self, label: str, shapes: Sequence[str]) -> str:
        """The drawing; ``label`` is read aloud."""
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{text(label)}">'
            + "".join(shapes)
            + "</svg>"
        )

    def axes(self, x_ticks: Mapping[float, str], y_ticks: Mapping[float, str], x_name: str) -> list[str]:
        """Grid lines, a base line, labels; ``x_name`` with its unit."""
        rows = "".join(f"M{self.left} {self.y(v):.1f}H{self.right}" for v in y_ticks)
        marks = "".join(f"M{self.x(v):.1f} {self.bottom}v4" for v in x_ticks)
        return [
            f'<path class="line" d="{rows}"/>',
            f'<path class="base" d="M{self.left} {self.bottom}H{self.right}{marks}"/>',
            *(label(self.left - 5, self.y(v) + 3.5, name, "end") for v, name in y_ticks.items()),
            *(label(self.x(v), self.bottom + 14, name) for v, name in x_ticks.items()),
            label((self.left + self.right) / 2, self.height - 3, x_name),
        ]


def label(x: float, y: float, words: str, anchor: str = "middle", kind: str = "") -> str:
    """A text at a point."""
    kinds = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kinds}>{text(words)}</text>'


def histogram(
    counts: Sequence[int], low: float, high: float, chosen: tuple[float, float], free: tuple[float, float]
) -> str:
    """How often each value occurs (logarithmic), and the range that codes reach.

    ``chosen`` and ``free``: smallest and largest value of the format taken and of the overflow-free one.
    """
    frame = Frame((min(low, chosen[0]), max(high, chosen[1])), (0.0, math.log10(1 + max(counts))))
    step = (high - low) / len(counts)
    inside: list[str] = []
    outside: list[str] = []
    for i, count in enumerate(counts):
        if count:
            middle = low + (i + 0.5) * step
            left, right = frame.x(low + i * step), frame.x(low + (i + 1) * step)
            if len(counts) == 1:
                left, right = frame.x(low) - 1.5, frame.x(low) + 1.5
            part = (
                f"M{left:.1f} {frame.bottom}V{frame.y(math.log10(1 + count)):.1f}H{right:.1f}V{frame.bottom}"
            )
            (inside if chosen[0] <= middle <= chosen[1] else outside).append(part)
    x0, x1 = frame.x(chosen[0]), frame.x(chosen[1])
    tall = frame.bottom - frame.top
    shapes = [f'<rect class="band" x="{x0:.1f}" y="{frame.top}" width="{x1 - x0:.1f}" height="{tall:g}"/>']
    powers = range(0, int(math.log10(max(counts))) + 1, max(1, math.ceil(math.log10(max(counts)) / 3)))
    shapes += frame.axes(
        {v: number(v) for v in ticks(min(low, chosen[0]), max(high, chosen[1]))},
        {math.log10(1 + 10**p): _thousands(10**p) for p in powers},
        "value",
    )
    for kind, parts in (("bar", inside), ("over", outside)):
        if parts:
            shapes.append(f'<path class="{kind}" d="{"".join(parts)}"/>')
    if free != chosen:
        shapes.append(
            _fences("free", frame, [v for v in free if v != 0.0 and frame.left <= frame.x(v) <= frame.right])
        )
    shapes.append(_fences("edge", frame, chosen))
    least, most = number(chosen[0]), number(chosen[1])
    shapes += [
        label(x0, frame.top - 5, least, "start" if x0 < frame.left + 20 else "middle", "strong"),
        label(x1, frame.top - 5, most, "end" if x1 > frame.right - 20 else "middle", "strong"),
    ]
    return frame.svg(
        f"Histogram of values from {number(low)} to {number(high)}; codes reach {least} to {most}", shapes
    )


def _fences(kind: str, frame: Frame, values: Sequence[float]) -> str:
    lines = "".join(f"M{frame.x(v):.1f} {frame.top}V{frame.bottom}" for v in values)
    return f'<path class="{kind}" d="{lines}"/>'


def _thousands(count: int) -> str:
    return f"{count // 10**6}M" if count >= 10**6 else f"{count // 1000}k" if count >= 1000 else str(count)


def curve(points: Sequence[tuple[int, float]], chosen: int, free: int, x_name: str, unit: str) -> str:
    """A value for each fl; the chosen one filled, the overflow-free one dashed. Infinite values stand at the edge."""
    finite = [value for _, value in points if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    room = 0.08 * (high - low) or 1.0
    frame = Frame((points[0][0] - 0.4, points[-1][0] + 0.4), (low - room, high + room))

    def place(value: float) -> float:
        return frame.bottom if value == -math.inf else frame.top if value == math.inf else frame.y(value)

    shapes = frame.axes(
        {fl: str(fl) for fl, _ in points}, {v: number(v) for v in ticks(low - room, high + room, 4)}, x_name
    )
    if points[0][0] <= free <= points[-1][0]:
        shapes.append(_fences("free", frame, [free]))
    line = "L".join(f"{frame.x(fl):.1f} {place(value):.1f}" for fl, value in points)
    shapes.append(f'<path class="trace" d="M{line}"/>')
    for fl, value in points:
        size, kind = (4.5, "dot chosen") if fl == chosen else (3.5, "dot")
        words = f"fl {fl}: {number(value)}{' ' + unit if unit else ''}"
        shapes.append(
            f'<circle class="{kind}" cx="{frame.x(fl):.1f}" cy="{place(value):.1f}" r="{size}">'
            f"<title>{text(words)}</title></circle>"
        )
    return frame.svg(f"{unit or 'Loss'} by fl, chosen {chosen}", shapes)


def bars(counts: Mapping[int, int], x_name: str, what: str) -> str:
    """A bar for each key, its count above it."""
    keys = list(range(min(counts), max(counts) + 1))
    top = max(counts.values())
    frame = Frame((keys[0] - 0.6, keys[-1] + 0.6), (0.0, float(top)))
    wide = min(0.4, 14.0 / max(1e-9, frame.x(1.0) - frame.x(0.0)))
    parts = "".join(
        f"M{frame.x(k - wide):.1f} {frame.bottom}V{frame.y(counts[k]):.1f}H{frame.x(k + wide):.1f}V{frame.bottom}"
        for k in keys
        if counts.get(k)
    )
    shapes = frame.axes({k: str(k) for k in keys}, {}, x_name)
    shapes.append(f'<path class="bar" d="{parts}"/>')
    shapes += [label(frame.x(k), frame.y(n) - 4, str(n), kind="strong") for k, n in sorted(counts.items())]
    listed = ", ".join(f"{n} at {k}" for k, n in sorted(counts.items()))
    return frame.svg(f"{what} by fl: {listed}", shapes)
