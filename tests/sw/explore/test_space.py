"""The choices: what a network asks for, what is fixed, every choice once."""

from typing import Any

import pytest
from systolith.sim.random_network import random_network
from systolith.sw.explore.space import CHOICES, FIXED, space
from systolith.sw.sweep.axes import DEFAULTS

NETWORK = random_network(1, layers=3)
SMALL: dict[str, Any] = {"rows": (2, 4), "cols": 3, "scratchpad": "16K,32K", "acc_depth": 256, "port_width": 64,
                         "fold_width": 0}  # fmt: skip


def test_every_choice_once() -> None:
    found = space({**SMALL, "fir_depth": 0, "tables": 0}, NETWORK, ("8 bits", "4 bits"))
    assert dict(found.chosen) == {
        "rows": (2, 4),
        "scratchpad": (16384, 32768),
        "precision": ("8 bits", "4 bits"),
    }
    every = list(found.every())
    assert len(found) == len(every) == 8 == len({tuple(one.items()) for one in every})
    values, precision = found.point({"rows": 4, "scratchpad": 32768, "precision": "4 bits"})
    assert values == {**DEFAULTS, "rows": 4, "cols": 3, "scratchpad": 32768, "acc_depth": 256, "port_width": 64,
                      "fold_width": 0, "fir_depth": 0, "tables": 0}  # fmt: skip
    assert precision == "4 bits"


def test_where_nothing_is_said() -> None:
    found = space({}, NETWORK, ("8 bits",))
    assert set(CHOICES) <= set(found.chosen) and "precision" not in found.chosen
    depthwise = any(layer.groups > 1 for layer in NETWORK.layers)
    assert ("fir_depth" in found.chosen) == depthwise


@pytest.mark.parametrize("name", FIXED)
def test_what_is_not_to_be_chosen(name: str) -> None:
    with pytest.raises(ValueError, match=f"an axis of an exploration must not be {name}"):
        space({name: 4}, NETWORK, ("8 bits",))


def test_wrong_choices() -> None:
    with pytest.raises(ValueError, match="act_width of an exploration must have one value"):
        space({"act_width": (4, 8)}, NETWORK, ("8 bits",))
    found = space(SMALL, NETWORK, ("8 bits",))
    with pytest.raises(ValueError, match="rows must be one of .2, 4., not 3"):
        found.point({"rows": 3, "scratchpad": 16384})
    with pytest.raises(ValueError, match="it lacks scratchpad"):
        found.point({"rows": 2})
