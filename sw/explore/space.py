"""The choices of an exploration: values of the engine's parameters, and averages of its weights' bits.

Every parameter has one value (fixed) or several (chosen by the search); "precision" is one of the names of
``precision.Precision``. Those not given have ``CHOICES``, or what the network asks for, else EngineConfig's default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

from ...hw.isa import FOLD_CHANNELS
from ...quant.network import QuantizedNetwork
from ..sweep.axes import DEFAULTS, Axis, grid

__all__ = ["CHOICES", "FIXED", "Space", "space"]

CHOICES: Mapping[str, str] = {
    "rows": "2:16:2", "cols": "2:32:2", "scratchpad": "16K,32K,64K,128K", "acc_depth": "256,512,1024,2048",
    "port_width": "32,64,128",
}  # fmt: skip
"""Where nothing else is said."""

FIXED = ("wgt_width", "banks", "serial")
"""Not to be chosen: that of the precision; that of ``systolith synth``; an engine without a resource model."""

_ROUND = 32


@dataclass(frozen=True)
class Space:
    """``axes``: the values of every parameter; ``precisions``: names."""

    axes: Mapping[str, tuple[int, ...]]
    precisions: tuple[str, ...]

    @cached_property
    def chosen(self) -> dict[str, tuple[int | str, ...]]:
        """What the search chooses: parameters of several values, and ``precision``."""
        found: dict[str, tuple[int | str, ...]] = {n: v for n, v in self.axes.items() if len(v) > 1}
        return found | ({"precision": self.precisions} if len(self.precisions) > 1 else {})

    def __len__(self) -> int:
        return prod(map(len, self.chosen.values()))

    def point(self, choice: Mapping[str, int | str]) -> tuple[dict[str, int], str]:
        """Every parameter's value, and the precision, of a choice. Raises ValueError for what is none."""
        for name, value in choice.items():
            if value not in self.chosen.get(name, ()):
                raise ValueError(f"{name} must be one of {self.chosen.get(name, ())}, not {value!r}")
        missing = [name for name in self.chosen if name not in choice]
        if missing:
            raise ValueError(f"a choice must have {', '.join(self.chosen)}, it lacks {', '.join(missing)}")
        values = {name: int(choice.get(name, values[0])) for name, values in self.axes.items()}
        return values, str(choice.get("precision", self.precisions[0]))

    def every(self) -> Iterator[dict[str, int | str]]:
        """All choices: what an exhaustive search asks for; the last parameter changes first."""
        for values in product(*self.chosen.values()):
            yield dict(zip(self.chosen, values, strict=True))


def space(axes: Mapping[str, Axis], network: QuantizedNetwork, precisions: tuple[str, ...]) -> Space:
    """``axes`` as of ``sweep``. Raises ValueError for an axis that is none, and for those of ``FIXED``."""
    for name in FIXED:
        if name in axes:
            raise ValueError(f"an axis of an exploration must not be {name}: one of "
                             f"{', '.join(n for n in DEFAULTS if n not in FIXED)}")  # fmt: skip
    for name in ("act_width", "acc_width"):
        if name in axes and len(grid({name: axes[name]})[name]) > 1:
            raise ValueError(f"{name} of an exploration must have one value, the network is quantized at it")
    return Space(grid({**CHOICES, **_wanted(network), **axes}), precisions)


def _wanted(network: QuantizedNetwork) -> dict[str, Axis]:
    """Parts that only some networks use: with them and without, or without."""
    found: dict[str, Axis] = {"fold_width": 0, "fir_depth": 0, "tables": 0}
    width, channels = network.image_shape[1], network.image_shape[2]
    if channels <= FOLD_CHANNELS and width + 2 <= 2047:
        found["fold_width"] = (0, min(2047, -(-(width + 2) // _ROUND) * _ROUND))
    if any(layer.groups > 1 for layer in network.layers):
        found["fir_depth"] = (0, 256, 512, 1024)
    if any(layer.kind == "table" for layer in network.layers):
        found["tables"] = (4, 8)
    return found
