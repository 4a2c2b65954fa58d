"""The workload of a model: its network, quantized or in nominal formats of each point's widths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...quant.network import QuantizedNetwork
from ..cycle_model.nominal import nominal_network
from ..graph import Graph
from ..images import Preprocessing
from .keys import content_digest
from .measure import Widths

__all__ = ["NominalModel", "QuantizedNetworkWorkload", "nominal_model"]


@dataclass(frozen=True)
class QuantizedNetworkWorkload:
    """A network whose formats are chosen already: the same on every engine, or refused by it."""

    network: QuantizedNetwork

    def networks(self, widths: Widths) -> Iterable[QuantizedNetwork]:
        """The one."""
        return (self.network,)

    def digest(self, widths: Widths) -> str:
        """Of the network."""
        return content_digest(self.network)


@dataclass(frozen=True)
class NominalModel:
    """A trained network in nominal formats, made once for each widths that a sweep asks for."""

    made: dict[Widths, QuantizedNetwork]
    refused: dict[Widths, str] = field(default_factory=dict)

    def networks(self, widths: Widths) -> Iterable[QuantizedNetwork]:
        """The one of these widths."""
        if widths in self.refused:
            raise ValueError(self.refused[widths])
        return (self.made[widths],)

    def digest(self, widths: Widths) -> str:
        """Of the network of these widths."""
        return self.refused[widths] if widths in self.refused else content_digest(self.made[widths])


def nominal_model(graph: Graph, preprocessing: Preprocessing, every: Sequence[Widths]) -> NominalModel:
    """``graph`` at each of the widths; those that its formats refuse are kept with their reason."""
    found = NominalModel({})
    for act, wgt, acc in every:
        try:
            network = nominal_network(graph, preprocessing, act_width=act, wgt_width=wgt, acc_width=acc)
            found.made[act, wgt, acc] = network
        except ValueError as error:
            found.refused[act, wgt, acc] = str(error)
    return found
