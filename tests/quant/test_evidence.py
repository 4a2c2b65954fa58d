"""What the quantizer keeps of its choices: histograms and the errors of every candidate."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from systolith.quant.evidence import BINS, Evidence, histogram, nearby, relative, spaced, weight_evidence


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=200))
def test_histogram_counts_every_value_once(values: list[float]) -> None:
    array = np.array(values, np.float32)
    counts = histogram(array, float(array.min()), float(array.max()))
    assert counts.sum() == len(values)
    if array.min() < array.max():
        assert len(counts) == BINS and counts[0] >= 1 and counts[-1] >= 1
    else:
        assert counts.tolist() == [len(values)]


def test_histogram_puts_values_where_they_belong() -> None:
    edges = np.linspace(-3.0, 5.0, BINS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    counts = histogram(np.repeat(middles, np.arange(BINS)), -3.0, 5.0)
    assert counts.tolist() == list(range(BINS))


def test_histogram_of_tiny_and_huge_values() -> None:
    for scale in (1e-44, 1e37):
        values = np.array([0.0, 1.0, 2.0, 3.0], np.float32) * np.float32(scale)
        assert histogram(values, 0.0, float(values[-1])).sum() == 4


def test_batches_add_up() -> None:
    values = np.random.default_rng(0).normal(size=(8, 4, 4, 3)).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    whole = histogram(values, low, high)
    assert np.array_equal(whole, sum(histogram(part, low, high) for part in np.split(values, 4)))


def test_nearby() -> None:
    assert nearby(5) == [4, 5, 6, 7, 8]
    assert nearby(5, 12) == [4, 5, 6, 7, 8, 12]
    assert nearby(5, 5, top=5) == [4, 5]


def test_relative_errors() -> None:
    assert relative([6, 5], [4.0, 1.0, 2.0]) == ((5, 0.5), (6, 0.25))
    assert relative([6, 5], [0.0, 1.0, 2.0]) == ()


def test_sample_takes_every_image_and_whole_pixels() -> None:
    values = np.arange(3 * 40 * 40 * 8).reshape(3, 40, 40, 8)
    sample = spaced(values)
    assert sample.shape[0] == 3 and sample.shape[2] == 8 and 1024 <= sample[0].size <= 2048
    assert sample[2, 0].tolist() == values[2, 0, 0].tolist()
    assert spaced(values[:, :1, :1]).tolist() == values[:, :1, 0].tolist()


def test_weight_errors_are_those_of_rounding() -> None:
    weight = np.array([[0.9, -0.3], [0.11, 0.02]])
    seen = weight_evidence("w", weight, 4, np.array([3, 6]), "loss")
    assert seen.free_fl == 3 and seen.low == -0.3 and seen.high == 0.9 and sum(seen.counts) == 4
    for fl, error in seen.errors:
        code = np.clip(np.rint(weight * 2.0**fl), -8, 7)
        assert error == pytest.approx(np.sum((code / 2.0**fl - weight) ** 2) / np.sum(weight**2))
    scale = np.array([[8.0], [64.0]])
    code = np.clip(np.rint(weight * scale), -8, 7)
    assert seen.error == pytest.approx(np.sum((code / scale - weight) ** 2) / np.sum(weight**2))


def test_weights_that_are_all_zero() -> None:
    seen = weight_evidence("w", np.zeros((2, 1, 1, 1)), 8, np.array([7, 7]), "loss")
    assert seen.errors == () and seen.error is None and seen.counts == (2,)


def test_json_round_trip() -> None:
    seen = weight_evidence("w", np.array([[0.9, -0.3]]), 4, np.array([3]), "rule")
    seen = replace(seen, criterion=((2, 0.5), (3, 0.25)))
    assert Evidence.from_json(json.loads(json.dumps(seen.to_json()))) == seen
