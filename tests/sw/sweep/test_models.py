"""One network for each widths; widths that cannot be have their reason."""

from typing import Any

import pytest
from systolith.sw import onnx_reader
from systolith.sw.cycle_model.nominal import nominal_network
from systolith.sw.images import Preprocessing
from systolith.sw.sweep import models
from systolith.sw.sweep.keys import content_digest
from systolith.sw.sweep.models import QuantizedNetworkWorkload, nominal_model


def test_nominal(tiny: Any) -> None:
    graph, given = onnx_reader.read(tiny.model), Preprocessing(255.0)
    every = [(8, 8, 32), (8, 4, 32), (8, 8, 24)]
    found = nominal_model(graph, given, every)
    expected = nominal_network(graph, given, wgt_width=4)
    (network,) = found.networks((8, 4, 32))
    assert content_digest(network) == content_digest(expected) == found.digest((8, 4, 32))
    assert len({found.digest(widths) for widths in every}) >= 2 and not found.refused


def test_widths_that_cannot_be(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*given: Any, acc_width: int, **widths: int) -> Any:
        if acc_width == 17:
            raise ValueError("no weights fit 17 bits")
        return nominal_network(*given, acc_width=acc_width, **widths)

    monkeypatch.setattr(models, "nominal_network", refusing)
    found = nominal_model(onnx_reader.read(tiny.model), Preprocessing(255.0), [(8, 8, 17), (8, 8, 32)])
    assert list(found.made) == [(8, 8, 32)]
    with pytest.raises(ValueError, match="no weights fit 17 bits"):
        found.networks((8, 8, 17))
    assert found.digest((8, 8, 17)) == "no weights fit 17 bits"


def test_quantized(tiny: Any) -> None:
    network = nominal_network(onnx_reader.read(tiny.model), Preprocessing(255.0))
    found = QuantizedNetworkWorkload(network)
    assert list(found.networks((8, 8, 32))) == list(found.networks((4, 2, 16))) == [network]
    assert found.digest((8, 8, 32)) == found.digest((4, 2, 16)) == content_digest(network)
