"""The same content has the same key, other content another."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from systolith.sim.random_network import random_network
from systolith.sw.sweep import keys
from systolith.sw.sweep.keys import content_digest, key_of, source_version


@dataclass(frozen=True)
class Thing:
    """Something with fields."""

    values: Any
    name: str = "a"


def test_a_network_is_its_content() -> None:
    assert content_digest(random_network(3)) == content_digest(random_network(3))
    assert content_digest(random_network(3)) != content_digest(random_network(4))


def test_one_weight_makes_another_network() -> None:
    network = random_network(3)
    n, layer = next((n, layer) for n, layer in enumerate(network.layers) if layer.wgt is not None)
    wgt = layer.wgt.copy()
    wgt.flat[-1] += 1
    layers = (*network.layers[:n], replace(layer, wgt=wgt), *network.layers[n + 1 :])
    assert content_digest(replace(network, layers=layers)) != content_digest(network)


def test_types_and_borders_count() -> None:
    things = [
        1, 1.0, True, None, "1", b"1", [1], [[1]], [1, None], {"1": 1}, np.int64(1), np.array([1]), np.array([1.0]),
        np.array([[1]]), Thing(1), Thing(1, "b"), Thing([1]), ["ab", "c"], ["a", "bc"],
    ]  # fmt: skip
    assert len({content_digest(thing) for thing in things}) == len(things)


def test_arrays_are_their_values() -> None:
    array = np.arange(12).reshape(3, 4)
    assert content_digest(array.T) == content_digest(np.ascontiguousarray(array.T))


def test_what_has_no_content_is_refused() -> None:
    with pytest.raises(TypeError, match="no digest of a object"):
        content_digest([object()])


def test_keys_depend_on_parts_and_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_of("point", {"a": 1, "b": 2})
    assert key == key_of("point", {"b": 2, "a": 1}) != key_of("point", {"a": 1, "b": 3})
    monkeypatch.setattr(keys, "source_version", lambda: "another")
    assert key_of("point", {"a": 1, "b": 2}) != key


def test_the_version_is_of_compiler_and_model() -> None:
    files = {path.name for folder, pattern in keys._SOURCES for path in folder.glob(pattern)}
    assert {"compiler.py", "compute.py", "isa.py", "config.py", "measure.py", "quantizer.py"} <= files
    assert len(source_version()) == 16
