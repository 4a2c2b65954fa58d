"""Networks in nominal formats: as large as quantized ones."""

import numpy as np
import pytest
from systolith.quant.quantizer import Options, quantize
from systolith.sw.cycle_model.nominal import nominal_network
from systolith.sw.images import RAW_PIXELS
from systolith.sw.onnx_reader import read
from systolith.sw.random_model import random_model


@pytest.mark.parametrize("width", [8, 16])
def test_layers_and_widths_are_those_of_the_quantizer(width: int) -> None:
    for seed in range(6):
        graph = read(random_model(seed, branches=bool(seed % 2), functions=True))
        real = np.random.default_rng(seed).normal(size=(4, *graph.shapes[graph.input])).astype(np.float32)
        nominal = nominal_network(graph, RAW_PIXELS, act_width=width, acc_width=48)
        made = quantize(graph, real, Options(act_width=width, acc_width=48)).network
        for ours, theirs in zip(nominal.layers, made.layers, strict=True):
            assert (ours.name, ours.kind) == (theirs.name, theirs.kind)
            assert (ours.table is None) == (theirs.table is None)
            assert ours.table is None or theirs.table is None or ours.table.shape == theirs.table.shape
        for name, tensor in made.tensors.items():
            assert nominal.tensors[name].format.width == tensor.format.width, (seed, name)


def test_widths_of_single_layers() -> None:
    graph = read(random_model(3))
    real = np.random.default_rng(3).normal(size=(4, *graph.shapes[graph.input])).astype(np.float32)
    names = [layer.name for layer in graph.layers if layer.weight is not None]
    widths = {name: 3 + number % 4 for number, name in enumerate(names)}
    nominal = nominal_network(graph, RAW_PIXELS, wgt_widths=widths)
    made = quantize(graph, real, Options(wgt_widths=widths)).network
    for ours, theirs in zip(nominal.layers, made.layers, strict=True):
        assert ours.wgt_width == theirs.wgt_width == widths.get(ours.name, 8)
        assert (
            ours.wgt is None
            or -(1 << ours.wgt_width - 1) <= ours.wgt.min() <= ours.wgt.max() < 1 << ours.wgt_width - 1
        )
