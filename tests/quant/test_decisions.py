"""Decisions in words: every number in them is the evidence's."""

import numpy as np
import pytest
from systolith.quant.decisions import bits, decibels, decision, share, wgt_decision
from systolith.quant.evidence import Evidence, weight_evidence
from systolith.quant.quantizer import Options, quantize
from systolith.sw.graph import Graph, RealLayer


def seen(**changes: object) -> Evidence:
    values: dict[str, object] = dict(
        name="t", low=-1.0, high=3.0, free_fl=4, why="loss", errors=((3, 0.4), (4, 0.1), (5, 0.04), (6, 0.4))
    )
    return Evidence(**{**values, **changes})  # type: ignore[arg-type]


def test_head_room_given_up() -> None:
    words = "fl 5, one bit of head-room given up: 0.02 % saturate, error down 4.0 dB"
    assert decision(5, 0.0203, seen()) == words
    assert decision(6, 12.34, seen()) == (
        "fl 6, two bits of head-room given up: 12.3 % saturate, error up 6.0 dB"
    )


def test_overflow_free_names_the_next() -> None:
    assert decision(4, 0.0, seen()) == (
        "fl 4, overflow-free: none saturate, fl 5 would lower the error by 4.0 dB"
    )
    flat = seen(errors=((4, 0.1), (5, 0.1)))
    assert decision(4, 0.0, flat) == "fl 4, overflow-free: none saturate, fl 5 would not change the error"
    assert decision(4, 0.0, seen(errors=((4, 0.1),))) == "fl 4, overflow-free: none saturate"


def test_coarser_and_why() -> None:
    words = "fl 3, one bit coarser than overflow-free"
    assert decision(3, 0.0, seen()) == f"{words}: none saturate, error up 6.0 dB"
    assert decision(3, 0.0, seen(capped=True)) == (
        f"{words}, as its residual addition demands: none saturate, error up 6.0 dB"
    )


def test_absolute_errors_count_twice_in_db() -> None:
    assert decision(5, 0.0, seen(power=1)).endswith("error down 8.0 dB")


def test_others() -> None:
    assert decision(2, 0.0, seen(why="shared")) == "fl 2, that of its input: the codes pass as they are"
    assert decision(7, 0.0, seen(low=0.0, high=0.0)) == "fl 7: every value is 0"
    assert decision(5, 0.0, seen(why="rule")).endswith("(chosen by the method's own rule)")
    assert decision(5, 0.0, seen(why="fixed")).endswith("(set from outside of the layer)")


@pytest.mark.parametrize(
    "percent, words",
    [(0.0001, "under 0.001 %"), (0.0051, "0.005 %"), (0.021, "0.02 %"), (0.5, "0.50 %"), (31.4, "31.4 %")],
)
def test_shares(percent: float, words: str) -> None:
    assert share(percent) == words


def test_bits_and_decibels() -> None:
    assert [bits(n) for n in (1, 2, 12)] == ["one bit", "two bits", "12 bits"]
    assert decibels(1.0, 10.0) == 10.0 and decibels(1.0, 10.0, 1) == 20.0 and decibels(0.0, 0.0) == 0.0
    assert decibels(1.0, 0.0) == -np.inf and decibels(0.0, 1.0) == np.inf


def test_weights_per_channel_against_the_best_single_fl() -> None:
    weight = np.array([[0.9, -0.4], [0.11, 0.02]])
    found = weight_evidence("w", weight, 4, np.array([2, 6]), "loss")
    best, error = min(found.errors, key=lambda item: item[1])
    assert found.error is not None
    assert wgt_decision(np.array([2, 6]), found) == (
        f"fl 2 to 6 over 2 channels: error {'down' if found.error < error else 'up'} "
        f"{abs(10 * np.log10(found.error / error)):.1f} dB against fl {best} for all of them"
    )
    assert wgt_decision(np.array([7]), weight_evidence("w", np.zeros((1, 2)), 8, np.array([7]), "loss")) == (
        "fl 7: every weight is 0"
    )


def test_an_outlier_is_cut_and_the_sentence_says_so() -> None:
    """Ten thousand values below 0.9 and one above 1: the quantizer gives up a bit for it."""
    real = np.random.default_rng(0).uniform(-0.9, 0.9, (100, 10, 10, 1)).astype(np.float32)
    real[7, 3, 4, 0] = 1.05
    layer = RealLayer(
        name="c", kind="conv", inputs=("x",), output="y", weight=np.ones((1, 1, 1, 1)), bias=None
    )
    graph = Graph(
        name="one", input="x", outputs=("y",), shapes={"x": (10, 10, 1), "y": (10, 10, 1)}, layers=(layer,)
    )
    report = quantize(graph, real, Options(act_width=4)).report
    errors = {}
    for fl in (2, 3):
        code = np.clip(np.rint(real.astype(np.float64) * 2.0**fl), -8, 7)
        errors[fl] = float(np.sum((code / 2.0**fl - real) ** 2))
    cut = 100.0 * float(np.mean(np.rint(real * 8.0) > 7))
    assert report.evidence[0].free_fl == 2 and report.input_format == "Q0.3"
    assert report.input_decision == (
        f"fl 3, one bit of head-room given up: {share(cut)} saturate, "
        f"error down {10 * np.log10(errors[2] / errors[3]):.1f} dB"
    )
    assert [item.name for item in report.evidence] == ["x", "y", "c"]
