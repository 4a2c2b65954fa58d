"""The two-phase quantizer on small networks: its definition, its guarantees, its edge cases."""

import math
from dataclasses import replace

import numpy as np
import pytest
from systolith.quant.arithmetic import requantize, shift_round_half_even
from systolith.quant.formats import QFormat
from systolith.quant.network import QuantizedNetwork
from systolith.quant.overflow import prove
from systolith.quant.quantizer import Options, quantize
from systolith.quant.ranges import overflow_free_fl
from systolith.quant.search import METHODS
from systolith.quant.store import ActivationStore
from systolith.sw.graph import Graph, RealLayer


def one_layer(**changes: object) -> Graph:
    """A 1x1 convolution over a 4x4 map of 2 channels."""
    rng = np.random.default_rng(0)
    values: dict[str, object] = {
        "name": "c", "kind": "conv", "inputs": ("x",), "output": "y", "weight": rng.normal(size=(3, 2, 1, 1)),
        "bias": np.array([0.5, -0.25, 0.0]),
    }  # fmt: skip
    layer = RealLayer(**{**values, **changes})  # type: ignore[arg-type]
    return Graph(
        name="one", input="x", outputs=("y",), shapes={"x": (4, 4, 2), "y": (4, 4, 3)}, layers=(layer,)
    )


def images(count: int = 40, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 4, 4, channels)).astype(np.float32)


@pytest.mark.parametrize(
    "name", sorted(m for m in METHODS if not METHODS[m].rule and not METHODS[m].by_output)
)
def test_data_phase_follows_the_definition(name: str) -> None:
    graph, real = one_layer(), images()
    method = METHODS[name]
    net = quantize(graph, real, Options(method=name, act_width=6)).network
    layer = net.layers[0]
    assert layer.wgt is not None and layer.bias is not None and layer.wgt_fl is not None
    fmt = net.tensors["x"].format
    codes = np.clip(np.rint(real.astype(np.float64) * 2.0**fmt.fl), fmt.min, fmt.max).astype(np.int64)
    acc = np.einsum("nyxc,kc->nyxk", codes, layer.wgt[:, :, 0, 0]) + layer.bias
    fl_acc = fmt.fl + int(layer.wgt_fl[0])
    expected = graph.forward(graph.layers[0], [real]).astype(np.float64)
    start = overflow_free_fl(float(expected.min()), float(expected.max()), 6)
    losses = []
    for offset in method.offsets:
        out = requantize(acc, fl_acc - start - offset, -32, 31) * 2.0 ** -(start + offset)
        losses.append(np.sum(np.abs(out - expected) ** method.power, axis=(1, 2, 3)))
    best = int(np.argmin(np.sum(losses, axis=1)))
    if method.votes:
        batches = [np.sum([loss[i : i + 8] for loss in losses], axis=1) for i in range(0, len(real), 8)]
        votes = [int(np.argmin(batch)) for batch in batches]
        most = max(votes.count(i) for i in range(len(losses)))
        best = min((float(np.sum(losses[i])), i) for i in set(votes) if votes.count(i) == most)[1]
    assert net.tensors["y"].format == QFormat(6, start + method.offsets[best])
    assert layer.shift.tolist() == [fl_acc - net.tensors["y"].format.fl] * 3


@pytest.mark.parametrize("method", ["qiu-l2", "qiu-vote", "output-kl"])
def test_result_does_not_depend_on_batches_or_threads(method: str) -> None:
    graph, real = one_layer(), images()
    results = [
        quantize(graph, real, Options(batch=b, threads=t, method=method)).network
        for b, t in ((1, 1), (7, 2), (64, 3))
    ]
    for other in results[1:]:
        assert other.tensors == results[0].tensors
        assert np.array_equal(other.layers[0].shift, results[0].layers[0].shift)


def test_bounded_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, real = residual(1.0), images()
    expected = quantize(graph, real)
    monkeypatch.setattr("systolith.quant.data_phase.ActivationStore", lambda: ActivationStore(0))
    assert quantize(graph, real, Options(batch=7)).report == expected.report


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_extreme_scales(scale: float) -> None:
    """Far from 1 in both directions the search works as it does near 1."""
    near, far = (
        quantize(one_layer(bias=None), images()),
        quantize(one_layer(bias=None), images() * np.float32(scale)),
    )
    assert far.report.layers[0].sqnr_db > near.report.layers[0].sqnr_db - 6


def test_relu_wins_a_bit_and_clip_is_a_bound() -> None:
    net = quantize(one_layer(lo=0.0, hi=0.75), images()).network
    fmt, layer = net.tensors["y"].format, net.layers[0]
    assert not fmt.signed and layer.lo == 0 and layer.hi == min(round(0.75 * 2**fmt.fl), 255)
    assert quantize(one_layer(lo=-1.0), images()).network.tensors["y"].format.signed


def test_input_without_sign_where_its_range_is_known() -> None:
    real = np.abs(images())
    assert quantize(one_layer(), real).network.tensors["x"].format.signed
    known = Options(input_range=(0.0, 5.0))
    assert not quantize(one_layer(), real, known).network.tensors["x"].format.signed


def test_sums_without_negative_terms_need_no_sign() -> None:
    graph = one_layer(weight=np.eye(3, 2)[:, :, None, None], bias=None)
    net = quantize(graph, np.abs(images()), Options(input_range=(0.0, 5.0))).network
    assert not net.tensors["y"].format.signed


def test_all_zero_weights_and_images() -> None:
    zero = one_layer(weight=np.zeros((3, 2, 1, 1)), bias=None)
    for graph, real in ((zero, images()), (one_layer(bias=None), images() * 0), (zero, images() * 0)):
        for per_channel in (False, True):
            result = quantize(graph, real, Options(per_channel=per_channel))
            prove(result.network)
            assert result.report.layers[0].saturated == 0.0


def test_one_calibration_image() -> None:
    assert quantize(one_layer(), images(1)).report.images == 1


@pytest.mark.parametrize("method", sorted(METHODS))
def test_edge_cases_of_every_method(method: str) -> None:
    """One image, zeros, a constant, one outlier, fl negative and beyond the width: codes follow the float network."""
    graph, real = one_layer(), images(2)
    outlier = images(8)
    outlier[0, 0, 0, 0] = 1000.0
    options = Options(method=method, per_channel=METHODS[method].channel_bits)
    for inputs in (real[:1], real * 0, np.ones_like(real), outlier, real * 2.0**20, real * 2.0**-20):
        found = quantize(graph, inputs.astype(np.float32), options)
        prove(found.network)
        assert all(row.sqnr_db > 10.0 for row in found.report.layers if inputs is not outlier)
    zeros = quantize(one_layer(weight=np.zeros((3, 2, 1, 1)), bias=None), real, options).network
    assert zeros.layers[0].wgt is not None and not zeros.layers[0].wgt.any()
    constant = quantize(one_layer(weight=np.full((3, 2, 1, 1), 0.5), bias=None), real, options)
    assert constant.report.layers[0].sqnr_db > 25.0


@pytest.mark.parametrize(
    "correct", [(), ("equalize", "round"), ("shift", "bias"), ("absorb", "bias-analytic")]
)
@pytest.mark.parametrize("method", ["qiu-l2", "output-kl"])
def test_a_layer_that_nobody_reads(method: str, correct: tuple[str, ...]) -> None:
    graph = one_layer()
    spare = RealLayer(name="d", kind="conv", inputs=("y",), output="z", weight=np.ones((2, 3, 1, 1)))
    both = Graph(
        name="n",
        input="x",
        outputs=("y",),
        shapes={**graph.shapes, "z": (4, 4, 2)},
        layers=(*graph.layers, spare),
    )
    options = Options(method=method, correct=correct)
    alone, found = (quantize(net, images(), options).network for net in (graph, both))
    assert [layer.name for layer in found.layers] == ["c", "d"]
    assert found.tensors["y"].format == alone.tensors["y"].format


def test_fl_negative_and_larger_than_the_width() -> None:
    large = quantize(one_layer(weight=np.full((3, 2, 1, 1), 900.0)), images() * 1e4).network
    assert large.tensors["x"].format.fl < 0 and large.tensors["y"].format.fl < 0
    assert large.layers[0].wgt_fl is not None and large.layers[0].wgt_fl[0] < 0
    small = quantize(one_layer(weight=np.full((3, 2, 1, 1), 1e-4), bias=None), images() * 1e-3).network
    assert small.tensors["x"].format.fl > 8 and small.tensors["y"].format.fl > 8


def test_one_outlier_is_saturated() -> None:
    real = images(64) * 0.1
    real[0, 0, 0, 0] = 1.3
    free = quantize(one_layer(), real, Options(method="non-overflow", act_width=4)).network
    greedy = quantize(one_layer(), real, Options(method="qiu-l1", act_width=4)).network
    assert greedy.tensors["x"].format.fl > free.tensors["x"].format.fl


def residual(res_scale: float) -> Graph:
    """y = conv(x) + r where r is a tiny copy of x: its natural fl may exceed fl_acc."""
    rng = np.random.default_rng(2)
    copy = RealLayer(
        name="r", kind="conv", inputs=("x",), output="r", weight=np.eye(2)[:, :, None, None] * res_scale
    )
    pool = RealLayer(name="p", kind="maxpool", inputs=("r",), output="p")
    conv = RealLayer(
        name="c", kind="conv", inputs=("x", "p"), output="y", weight=rng.normal(size=(2, 2, 1, 1)) * 50
    )
    shapes = dict.fromkeys(("x", "r", "p", "y"), (4, 4, 2))
    return Graph(name="res", input="x", outputs=("y",), shapes=shapes, layers=(copy, pool, conv))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("scale", [1.0, 2.0**-12, 2.0**-30])
def test_residual_is_never_finer_than_the_accumulator(scale: float, per_channel: bool) -> None:
    net = quantize(residual(scale), images(), Options(wgt_width=2, per_channel=per_channel)).network
    layer = net.layers[-1]
    assert layer.res_shift is not None and layer.wgt_fl is not None
    fl_acc = layer.wgt_fl + net.tensors["x"].format.fl
    assert (fl_acc >= net.tensors["p"].format.fl).all()
    assert np.array_equal(layer.res_shift, fl_acc - net.tensors["p"].format.fl)
    assert net.tensors["p"].format == net.tensors["r"].format


def test_add_of_very_different_scales() -> None:
    graph = residual(2.0**-40)
    layers = (*graph.layers[:2], RealLayer(name="s", kind="add", inputs=("x", "p"), output="y"))
    net = quantize(
        Graph(name="a", input="x", outputs=("y",), shapes=graph.shapes, layers=layers), images()
    ).network
    prove(net)
    assert net.layers[-1].in_shift > 0


def test_narrow_accumulator() -> None:
    result = quantize(one_layer(), images(), Options(acc_width=14))
    assert result.report.layers[0].acc_bits <= 14
    assert isinstance(result.network, QuantizedNetwork)


def test_widths_by_name() -> None:
    options = Options(act_widths={"x": 16, "y": 4}, wgt_widths={"c": 3})
    result = quantize(one_layer(), images(), options)
    assert [result.network.tensors[n].format.width for n in "xy"] == [16, 4]
    assert result.report.layers[0].wgt_width == 3
    assert np.abs(result.network.layers[0].wgt).max() <= 4  # type: ignore[arg-type]


def test_report() -> None:
    result = quantize(one_layer(lo=0.0), images())
    row = result.report.layers[0]
    layer, fmt = result.network.layers[0], result.network.tensors["y"].format
    assert (row.name, row.kind, row.out_fl, row.out_signed) == ("c", "conv", fmt.fl, False)
    assert row.shift == (int(layer.shift.min()), int(layer.shift.max()))
    assert 20 < row.sqnr_db < 70 and 0 <= row.saturated < 5 and row.acc_bits <= row.acc_width == 32
    again = type(result.report).from_json(result.report.to_json())
    assert again == result.report
    text = result.report.to_text()
    assert "qiu-l2" in text and "SQNR dB" in text and "8u fl" in text


def test_report_names_every_width_of_weights() -> None:
    report = quantize(one_layer(), images(), Options(wgt_widths={"c": 3})).report
    assert "weights 3 bits per layer" in report.to_text()
    other = replace(report.layers[0], name="d", wgt_width=5)
    assert "weights 3..5 bits" in replace(report, layers=(*report.layers, other)).to_text()


def test_report_of_an_exact_layer() -> None:
    graph = one_layer(weight=np.eye(3, 2)[:, :, None, None], bias=None)
    real = np.round(images() * 8) / 8
    result = quantize(graph, np.clip(real, -7.5, 7.5), Options(method="non-overflow"))
    assert math.isinf(result.report.layers[0].sqnr_db)
    assert result.report.to_json()["layers"][0]["sqnr_db"] is None
    assert type(result.report).from_json(result.report.to_json()) == result.report
    assert "exact" in result.report.to_text()


def test_errors() -> None:
    graph = one_layer()
    for bad, message in (
        (images(4, 3), r"must be \[N, 4, 4, 2\] with N >= 1, not \[4, 4, 4, 3\]"),
        (images()[:0], "N >= 1"),
        (images()[0], "must be"),
    ):
        with pytest.raises(ValueError, match=message):
            quantize(graph, bad)
    real = images()
    real[3, 0, 1, 0] = np.nan
    with pytest.raises(ValueError, match=r"tensor 'x' is NaN at index \[3, 0, 1, 0\]"):
        quantize(graph, real)
    weight = np.ones((3, 2, 1, 1))
    weight[1, 1] = np.inf
    with pytest.raises(ValueError, match=r"tensor 'c weight' is infinite at index \[1, 1, 0, 0\]"):
        quantize(one_layer(weight=weight), images())
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="tensor 'y' is infinite .* check scale"):
        quantize(one_layer(weight=np.full((3, 2, 1, 1), 1e38)), np.abs(images()) * 1e3)
    for options, message in (
        ({"act_width": 9}, "act_width must be 2 to 8 or 16 bits, not 9"),
        ({"wgt_width": 1}, "wgt_width must be"),
        ({"wgt_widths": {"c": 12}}, r"wgt_widths\['c'\] must be"),
        ({"acc_width": 64}, "acc_width must be 8 to 53 bits"),
        ({"batch": -1}, "batch must be 0 or a positive integer"),
        ({"method": "kmeans"}, "method must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            Options(**options)  # type: ignore[arg-type]


def test_rounding_is_the_shared_one() -> None:
    """The frozen shift applied to exact accumulators gives what the data phase passed on."""
    assert shift_round_half_even(np.array([2, 6]), 2).tolist() == [0, 2]
