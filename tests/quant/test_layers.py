"""Integer layers: average weights, bounds of activation functions, the constraints on fl."""

import math

import numpy as np
import pytest
from systolith.quant.formats import QFormat
from systolith.quant.layers import Prepared, TooFine, average_weight, average_weights, code_bounds, prepare
from systolith.quant.overflow import AccumulatorOverflow
from systolith.sw.graph import RealLayer


def test_average_weight() -> None:
    assert [average_weight(n, 8) for n in (1, 4, 64)] == [(1, 0), (1, 2), (1, 6)]
    assert average_weight(9, 8) == (57, 9)
    assert average_weight(49, 8) == (21, 10)
    assert average_weight(4, 2) == (1, 2)
    for window in range(1, 200):
        code, fl = average_weight(window, 8)
        assert 1 <= code <= 127
        assert abs(code / 2**fl - 1 / window) * window <= 1 / 128
        better = [
            abs(round(2**f / window) / 2**f - 1 / window)
            for f in range(20)
            if 1 <= round(2**f / window) <= 127
        ]
        assert abs(code / 2**fl - 1 / window) == min(better)
    with pytest.raises(ValueError, match="window must be a positive integer"):
        average_weight(0, 8)


def test_code_bounds() -> None:
    assert code_bounds(-math.inf, math.inf, QFormat(8, 5)) == (-128, 127)
    assert code_bounds(0.0, 6.0, QFormat(8, 5, False)) == (0, 192)
    assert code_bounds(0.0, 6.0, QFormat(8, 6, False)) == (0, 255)
    assert code_bounds(0.0, math.inf, QFormat(8, 5)) == (0, 127)
    assert code_bounds(-0.7, 1.1, QFormat(4, 2)) == (-3, 4)
    assert code_bounds(100.0, 200.0, QFormat(8, 5)) == (127, 127)


def prepared(
    weight: float,
    bias: float,
    *,
    fl_act: int = 5,
    fl_res: int | None = None,
    wgt_fl: int = 7,
    acc_width: int = 32,
    per_channel: bool = False,
) -> Prepared:
    layer = RealLayer(
        name="c", kind="conv", inputs=("x",) if fl_res is None else ("x", "r"), output="y",
        weight=np.array([[[[weight]]], [[[0.5]]]]), bias=np.array([bias, 0.0]),
    )  # fmt: skip
    formats = {"x": QFormat(8, fl_act), "r": QFormat(8, fl_res or 0)}
    return prepare(
        layer, formats=formats, magnitude={"x": 128, "r": 128}, channels=2, wgt_fl=np.array([wgt_fl, wgt_fl]),
        wgt_width=8, acc_width=acc_width, per_channel=per_channel,
    )  # fmt: skip


def test_conv() -> None:
    ready = prepared(0.3, -1.25, fl_res=4)
    assert ready.layer.wgt is not None and ready.layer.bias is not None and ready.layer.res_shift is not None
    assert ready.layer.wgt[:, 0, 0, 0].tolist() == [38, 64]
    assert ready.fl_acc.tolist() == [12, 12]
    assert ready.layer.bias.tolist() == [-5120, 0]
    assert ready.layer.res_shift.tolist() == [8, 8]
    assert ready.bound == max(38 * 128 + 5120 + (128 << 8), 64 * 128 + (128 << 8))


def test_lowers_fl_until_the_sum_fits() -> None:
    ready = prepared(0.3, 100.0, acc_width=16)
    assert ready.layer.wgt_fl is not None and ready.layer.wgt_fl.tolist() == [3, 3]
    assert ready.bound < 2**15
    ready = prepared(0.3, 100.0, acc_width=16, per_channel=True)
    assert ready.layer.wgt_fl is not None and ready.layer.wgt_fl.tolist() == [3, 7]


def test_a_bias_beyond_int64_lowers_fl_too() -> None:
    ready = prepared(1e-12, 3.0, wgt_fl=45, fl_act=20)
    assert ready.layer.bias is not None and ready.layer.wgt_fl is not None
    assert ready.layer.bias[0] == round(3.0 * 2 ** int(ready.fl_acc[0]))
    assert ready.bound < 2**31


def test_nothing_fits() -> None:
    with pytest.raises(AccumulatorOverflow, match="layer 'c' cannot fit an accumulator of 32 bits"):
        prepared(1.0, 1e40)


def test_residual_finer_than_the_accumulator_is_refused() -> None:
    with pytest.raises(TooFine) as caught:
        prepared(0.3, 0.0, fl_res=13)
    assert (caught.value.layer, caught.value.tensor, caught.value.fl) == ("c", "r", 12)


def test_average_pool_takes_a_smaller_code_where_the_sum_would_not_fit() -> None:
    layer = RealLayer(name="a", kind="avgpool", inputs=("x",), output="y", kernel=(7, 7))
    common = {"formats": {"x": QFormat(16, 4)}, "magnitude": {"x": 1 << 15}, "channels": 2, "wgt_fl": None}
    wide = prepare(layer, wgt_width=16, acc_width=48, per_channel=False, **common)  # type: ignore[arg-type]
    narrow = prepare(layer, wgt_width=16, acc_width=32, per_channel=False, **common)  # type: ignore[arg-type]
    assert wide.bound > 2**31 > narrow.bound
    assert narrow.fl_acc[0] < wide.fl_acc[0]
    with pytest.raises(AccumulatorOverflow, match="layer 'a' cannot fit an accumulator of 20 bits"):
        prepare(layer, wgt_width=16, acc_width=20, per_channel=False, **common)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [2, 3, 5, 8, 16])
def test_each_window_keeps_the_code_of_its_own_count(width: int) -> None:
    """In units of one fl: a code of ``width`` bits times a power of two."""
    counts = np.multiply.outer([1, 2, 3, 5], [4, 6, 7])
    codes, fl = average_weights(counts, width)
    for count, code in zip(counts.flat, codes.flat, strict=True):
        own, own_fl = average_weight(int(count), width)
        assert code * 2.0**-fl == own * 2.0**-own_fl
    layer = RealLayer(name="a", kind="avgpool", inputs=("x",), output="y", kernel=(5, 7), counts=counts)
    ready = prepare(
        layer, formats={"x": QFormat(8, 4)}, magnitude={"x": 128}, channels=2, wgt_fl=None, wgt_width=width,
        acc_width=48, per_channel=False,
    )  # fmt: skip
    assert ready.layer.wgt is not None and np.array_equal(ready.layer.wgt, codes[None, None])
    assert ready.fl_acc.tolist() == [4 + fl] * 2 and ready.bound == int(codes.max()) * 35 * 128


def test_add_aligns_to_the_finer_operand() -> None:
    layer = RealLayer(name="s", kind="add", inputs=("a", "b"), output="y")
    common = {
        "magnitude": {"a": 128, "b": 255},
        "channels": 3,
        "wgt_fl": None,
        "wgt_width": 8,
        "per_channel": False,
    }
    ready = prepare(layer, formats={"a": QFormat(8, 2), "b": QFormat(8, 5)}, acc_width=32, **common)  # type: ignore[arg-type]
    assert ready.layer.in_shift == 3 and ready.fl_acc.tolist() == [5, 5, 5]
    assert ready.layer.res_shift is not None and ready.layer.res_shift.tolist() == [0, 0, 0]
    with pytest.raises(TooFine, match="layer 's' needs tensor 'b' at fl 29 at most"):
        prepare(layer, formats={"a": QFormat(8, 2), "b": QFormat(8, 30)}, acc_width=32, **common)  # type: ignore[arg-type]
    with pytest.raises(AccumulatorOverflow, match="layer 's' cannot fit"):
        prepare(layer, formats={"a": QFormat(8, 2), "b": QFormat(8, 2)}, acc_width=8, **common)  # type: ignore[arg-type]
