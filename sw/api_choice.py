"""What a sweep says, one picture a question: which array fits, what it costs, where the energy goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .api_pictures import Picture, drawn
from .api_sweep_result import Sweep
from .picture_choice import Cell, Choice, Ticks, draw_energy, draw_frames, draw_heat
from .sweep.energy import energy
from .sweep.point import Point
from .synthesis_devices import DEVICES, device_named

__all__ = ["ECP5", "HEAT", "energy_picture", "frames_picture", "heat_map"]

ECP5 = ("ecp5-25f", "ecp5-45f", "ecp5-85f")
"""Devices whose DSPs ``frames_picture`` shows."""


@dataclass(frozen=True, kw_only=True)
class _Metric:
    """``scale``: its lightest and darkest value; None: from the least to the most, by decade."""

    title: str
    value: Callable[[Point], float]
    text: Callable[[float], str]
    scale: tuple[float, float] | None = None


def _short(value: float) -> str:
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}" if value < 100 * limit else f"{value / limit:.0f}{unit}"
    return f"{value:.3g}"


HEAT: Mapping[str, _Metric] = {
    "utilization": _Metric(
        title="utilization of one image, %", value=lambda point: 100 * point.utilization,
        text=lambda value: f"{value:.0f}", scale=(0.0, 100.0),
    ),
    "cycles": _Metric(title="cycles of one image", value=lambda point: point.figures.cycles, text=_short),
    "images": _Metric(title="images a second for each MHz", value=lambda point: point.rate, text=_short),
    "energy": _Metric(title="energy proxy, uJ an image", value=lambda point: point.energy / 1e6, text=_short),
}  # fmt: skip
"""What ``heat_map`` shows, by name."""

_AXES = {
    "rows": Ticks("rows: input channels at a time"), "cols": Ticks("cols: output channels at a time"),
    "scratchpad": Ticks("scratchpad, KB", 1024), "port_width": Ticks("memory port, bits"),
    "wgt_width": Ticks("weights, bits"), "act_width": Ticks("activations, bits"),
    "acc_depth": Ticks("accumulators, words"),
}  # fmt: skip


def heat_map(found: Sweep, metric: str = "utilization", *, x: str = "cols", y: str = "rows") -> Picture:
    """One of ``HEAT`` over two axes of the sweep; - where there is no engine.

    Raises ValueError for a metric or axis that is none, and where a third axis has several values.
    """
    if metric not in HEAT:
        raise ValueError(f"metric must be one of {', '.join(HEAT)}, not {metric!r}")
    for name, axis in (("x", x), ("y", y)):
        if axis not in found.axes:
            raise ValueError(f"{name} must be an axis of the sweep, like rows or port_width, not {axis!r}")
    third = [name for name, values in found.axes.items() if len(values) > 1 and name not in (x, y)]
    if third or x == y:
        several = third[0] if third else x
        raise ValueError(
            f"a heat map has two axes, {x} and {y}: sweep {several} apart, or name it as an axis"
        )
    kind = HEAT[metric]
    cells = []
    for point in found.points:
        value = kind.value(point) if point.ok else None
        text = "-" if value is None else kind.text(value)
        cells.append(Cell(x=point.values[x], y=point.values[y], value=value, text=text))
    title = f"{found.model}: {kind.title}"
    across, up = (_AXES.get(axis, Ticks(axis)) for axis in (x, y))
    return drawn(lambda path: draw_heat(path, title=title, cells=cells, x=across, y=up, scale=kind.scale))


def frames_picture(found: Sweep, clock: float = 100.0, devices: Sequence[str] = ECP5) -> Picture:
    """Images a second at ``clock`` MHz against DSPs, the Pareto front of each widths, and how many DSPs devices have.

    Raises ValueError for a clock that is none, and for a device without a number of DSPs.
    """
    if isinstance(clock, bool) or not clock > 0:
        raise ValueError(f"clock must be MHz above 0, not {clock!r}")
    counted = [name for name, device in DEVICES.items() if device.multipliers is not None]
    limits = []
    for name in devices:
        dsps = device_named(name).multipliers
        if dsps is None:
            raise ValueError(f"devices must be some of {', '.join(counted)}, not {name!r}")
        limits.append((name, dsps))
    groups: dict[str, list[Choice]] = {}
    for point in found.points:
        if point.ok:
            words = f"{point.values['act_width']}-bit activations, {point.values['wgt_width']}-bit weights"
            groups.setdefault(words, []).append(
                Choice(
                    name=f"{point.values['rows']}x{point.values['cols']}", multipliers=point.multipliers,
                    frames=clock * point.rate, front=point.front,
                )
            )  # fmt: skip
    if not groups:
        raise ValueError("the sweep must have an engine that was not refused: there is nothing to show")
    title = f"{found.model}: images a second at {clock:g} MHz"
    return drawn(lambda path: draw_frames(path, title=title, choices=groups, limits=limits))


def energy_picture(found: Sweep) -> Picture:
    """The energy proxy of the engines on the front, by level of memory, small arrays first.

    Raises ValueError where no engine is on the front.
    """
    bars = {}
    for point in sorted(found.front, key=lambda point: point.multipliers):
        words = [f"{point.values['rows']}x{point.values['cols']}"]
        words += [f"{name} {point.values[name]}" for name in found.swept if name not in ("rows", "cols")]
        spent = energy(point.figures.accesses, point.config)
        bars[", ".join(words)] = {level: value / 1e6 for level, value in spent.items()}
    if not bars:
        raise ValueError("the sweep must have an engine that was not refused: there is nothing to show")
    return drawn(lambda path: draw_energy(path, title=f"{found.model}: where the energy goes", bars=bars))
