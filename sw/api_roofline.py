"""``roofline``: what limits each layer on one engine or several, the array or the memory port."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..hw.config import EngineConfig
from .api_model import network_of
from .api_pictures import Picture, drawn
from .api_results import table
from .compiler import compile_network
from .cycle_model.report import require_run
from .images import Preprocessing
from .picture_roofline import COLORS, draw_roofs
from .quantized_io import QuantizedModel
from .roofline import Roof, RoofLayer, roof_of

__all__ = ["Roofline", "roofline"]

_HEAD = ("engine", "layer", "MACs", "bytes", "MACs a byte", "MACs a cycle", "roof", "bound")


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """A network under the roofs of its engines, in the order given. Notebooks show the picture."""

    network: str
    roofs: tuple[Roof, ...]

    def picture(self) -> Picture:
        """MACs a cycle over MACs a byte, a colour an engine."""
        return drawn(lambda path: draw_roofs(path, f"{self.network}: its layers under the roofs", self.roofs))

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {"network": self.network, "roofs": [roof.to_json() for roof in self.roofs]}

    def to_text(self) -> str:
        """A table, one line a layer and engine."""
        rows = [_row(roof, layer) for roof in self.roofs for layer in (*roof.layers, roof.total)]
        return "\n".join(table([_HEAD, *rows], right=range(2, 7)))

    def _repr_png_(self) -> bytes:
        return self.picture().png

    def __repr__(self) -> str:
        return self.to_text()


def _row(roof: Roof, layer: RoofLayer) -> tuple[str, ...]:
    return (
        f"{roof.config.rows}x{roof.config.cols}", layer.name, f"{layer.macs:,}", f"{layer.bytes:,}",
        f"{layer.intensity:.1f}", f"{layer.speed:.1f}", f"{roof.at(layer.intensity):.1f}", layer.bound or "-",
    )  # fmt: skip


def roofline(
    source: QuantizedModel | str | Path,
    *configs: EngineConfig,
    mem_latency: int = 30,
    preprocessing: Preprocessing | None = None,
) -> Roofline:
    """Each layer's MACs a byte and MACs a cycle, beside what array and port allow, by the cycle model.

    ``source``, ``mem_latency``, ``preprocessing``: as for ``model``. ``configs``: one engine or several, which the
    picture lays over each other. Raises ValueError naming what is wrong and the cure.
    """
    require_run(1, mem_latency)
    if not 1 <= len(configs) <= len(COLORS):
        raise ValueError(f"engines must be 1 to {len(COLORS)}, not {len(configs)}: a roofline shows no more")
    roofs, name = [], ""
    for config in configs:
        network, _ = network_of(source, config, preprocessing)
        name = network.name
        roofs.append(roof_of(compile_network(network, config), mem_latency))
    return Roofline(network=name, roofs=tuple(roofs))
