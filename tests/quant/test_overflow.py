"""The overflow proof: bounds against brute force, refusals that name the layer."""

from dataclasses import replace

import numpy as np
import pytest
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.quant.overflow import AccumulatorOverflow, bits_needed, code_magnitudes, layer_bound, prove


def network(*layers: Layer, formats: dict[str, QFormat]) -> QuantizedNetwork:
    tensors = {name: Tensor(name=name, shape=(4, 4, 2), format=fmt) for name, fmt in formats.items()}
    return QuantizedNetwork(name="n", input="x", outputs=(layers[-1].output,), tensors=tensors, layers=layers)


CONV = Layer(
    name="c", kind="conv", inputs=("x", "r"), output="y", wgt=np.array([[[[3]], [[-4]]], [[[0]], [[5]]]]),
    wgt_fl=np.array([4, 4]), bias=np.array([-10, 20]), shift=np.array([3, 3]), res_shift=np.array([2, 0]),
    lo=-128, hi=127,
)  # fmt: skip


def test_conv_bound() -> None:
    assert layer_bound(CONV, {"x": 255, "r": 128}) == [7 * 255 + 10 + 512, 5 * 255 + 20 + 128]


def test_the_bound_is_reached() -> None:
    """Some codes reach the bound but for the sign of single terms: the bound is tight."""
    layer = replace(CONV, inputs=("x",), bias=None, res_shift=None, wgt=np.abs(CONV.wgt))  # type: ignore[arg-type]
    act = np.full(2, 255)
    sums = [int(np.sum(layer.wgt[k, :, 0, 0] * act)) for k in range(2)]  # type: ignore[index]
    assert layer_bound(layer, {"x": 255}) == sums


def test_other_kinds() -> None:
    pool = Layer(name="p", kind="maxpool", inputs=("x",), output="y", kernel=(2, 2))
    assert layer_bound(pool, {"x": 128}) == [128]
    mean = Layer(
        name="a", kind="avgpool", inputs=("x",), output="y", kernel=(7, 7), wgt=np.full((1, 1, 1, 1), 84)
    )
    assert layer_bound(mean, {"x": 255}) == [84 * 49 * 255]
    both = Layer(name="s", kind="add", inputs=("x", "r"), output="y", in_shift=3, res_shift=np.array([0]))
    assert layer_bound(both, {"x": 128, "r": 255}) == [128 * 8 + 255]
    joined = Layer(name="j", kind="concat", inputs=("x", "r"), output="y", lo=0, hi=255)
    assert layer_bound(joined, {"x": 96, "r": 255}) == [255]
    depthwise = replace(CONV, inputs=("x",), groups=2, wgt=np.array([[[[3]]], [[[-5]]]]))
    assert layer_bound(depthwise, {"x": 255}) == [3 * 255 + 10, 5 * 255 + 20]


def test_shifts_too_large_for_int64_are_bounded_too() -> None:
    layer = replace(CONV, res_shift=np.array([90, 0]))
    assert layer_bound(layer, {"x": 1, "r": 128})[0] == 7 + 10 + (128 << 90)


def test_magnitudes_follow_the_activation_function() -> None:
    formats = {"x": QFormat(8, 0), "y": QFormat(8, 0, False), "z": QFormat(8, 0, False)}
    first = Layer(name="c", kind="conv", inputs=("x",), output="y", wgt=CONV.wgt, lo=0, hi=96)
    second = Layer(name="p", kind="maxpool", inputs=("y",), output="z", lo=0, hi=255)
    third = Layer(name="j", kind="concat", inputs=("x", "z"), output="w", lo=-128, hi=127)
    joined = code_magnitudes(network(first, second, third, formats={**formats, "w": QFormat(8, 0)}))
    assert joined["w"] == 128
    assert code_magnitudes(network(first, second, formats=formats)) == {"x": 128, "y": 96, "z": 96}


def test_prove_names_the_layer() -> None:
    formats = {"x": QFormat(8, 0), "y": QFormat(8, 0)}
    layer = Layer(name="big", kind="conv", inputs=("x",), output="y", wgt=np.full((1, 2, 1, 1), 127))
    net = network(layer, formats=formats)
    assert bits_needed(net) == {"big": 16}
    assert prove(net, 16) == {"big": 16}
    with pytest.raises(AccumulatorOverflow, match="layer 'big' needs an accumulator of 16 bits, not 15"):
        prove(net, 15)


def test_needs_weights() -> None:
    with pytest.raises(ValueError, match="layer 'c' of kind conv needs weight codes"):
        layer_bound(replace(CONV, wgt=None), {"x": 1, "r": 1})
