"""Is there room for a network on an engine? The compiler's own answer, without looking for the fastest way.

all resident, else all spilled with the smallest strips; only where neither fits, all that ``residency`` tries
"""

from __future__ import annotations

from collections.abc import Sequence

from ..hw.config import EngineConfig
from ..quant.network import QuantizedNetwork
from .folding import fold_input, folds
from .joining import Joined
from .operations import Operation
from .residency import SMALLEST, Planner

__all__ = ["check_room"]


def check_room(
    network: QuantizedNetwork, ops: Sequence[Operation], joined: Joined, config: EngineConfig
) -> None:
    """Raises ``ValueError`` where the compiler does, naming the layer that has no room, the bytes and the cure."""
    planner = Planner(network, ops, joined, config)
    spilled = {name for name in planner.made if planner.spillable(name)}
    if planner.fits((), 0) or planner.fits(spilled, SMALLEST):
        return
    refusal: ValueError | None = None
    for fold, _ in reversed(list(folds(network, ops, config))):
        try:
            Planner(network, fold_input(network, ops, fold), joined, config).settle(set())
            return
        except ValueError as error:
            refusal = refusal or error
    assert refusal is not None, "the last way is not to fold"
    raise refusal
