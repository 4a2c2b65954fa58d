"""A roofline: speed over intensity, both on logarithmic axes, layers as dots. Readable at half a page's width."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .picture_sheet import COLORS, GRID, INK, MUTED, save, sheet
from .roofline import Roof, RoofLayer

__all__ = ["COLORS", "draw_roofs"]

_NAMED = 2
"""Layers of an engine whose names are written."""


def draw_roofs(path: str | Path, title: str, roofs: Sequence[Roof]) -> None:
    """Write a PNG: a colour an engine, a dot a layer (its area: the share of cycles), a diamond the whole network."""
    figure, axes = sheet(title)
    dots = [layer for roof in roofs for layer in (*roof.layers, roof.total) if layer.bytes]
    low = min(min(layer.intensity for layer in dots), *(roof.ridge for roof in roofs)) / 2
    high = max(max(layer.intensity for layer in dots), *(roof.ridge for roof in roofs)) * 2
    for roof, color in zip(roofs, COLORS, strict=False):
        _roof(axes, roof, color, low, high)
        for layer in (*roof.layers, roof.total):
            _dot(axes, roof, layer, color)
    _named(axes, roofs)
    axes.set(xscale="log", yscale="log", xlim=(low, high), xlabel="MACs for each byte over the memory port",
             ylabel="MACs a cycle")  # fmt: skip
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(lambda value, _: "")
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=11, loc="lower right", title="dot: layer, area: its cycles; diamond: all",
                title_fontsize=10, alignment="left")  # fmt: skip
    save(figure, path)


def _roof(axes: Any, roof: Roof, color: str, low: float, high: float) -> None:
    places = [low, roof.ridge, high]
    label = f"{roof.config.rows}x{roof.config.cols}, {roof.config.port_width}-bit port"
    axes.plot(places, [roof.at(place) for place in places], color=color, linewidth=2, label=label)
    axes.annotate(f"{roof.flat} MACs a cycle", (high, roof.flat), xytext=(-4, 4), textcoords="offset points",
                  ha="right", fontsize=10.5, color=color)  # fmt: skip


def _dot(axes: Any, roof: Roof, layer: RoofLayer, color: str) -> None:
    if not layer.bytes:
        return
    if layer is roof.total:
        axes.scatter([layer.intensity], [layer.speed], s=95, marker="D", color=color, edgecolors=INK,
                     linewidths=1.2, zorder=4)  # fmt: skip
        return
    area = 25 + 700 * layer.cycles / roof.total.cycles
    axes.scatter([layer.intensity], [layer.speed], s=area, color=color, alpha=0.45, linewidths=0, zorder=3)


def _named(axes: Any, roofs: Sequence[Roof]) -> None:
    """The names of the layers that are slowest, each once."""
    seen = set()
    for roof in roofs:
        slowest = sorted((layer for layer in roof.layers if layer.bytes), key=lambda layer: layer.speed)
        for layer in slowest[:_NAMED]:
            name = layer.name.strip("/").split("/")[0]
            if name not in seen:
                seen.add(name)
                axes.annotate(name, (layer.intensity, layer.speed), xytext=(9, -11), textcoords="offset points",
                              fontsize=10.5, color=MUTED)  # fmt: skip
