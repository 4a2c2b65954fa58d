"""Window sums and maxima against loops over their definition."""

import numpy as np
import pytest
from systolith.sw.windows import conv_sum, output_size, window_max, window_sum

CASES = [
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
    ((3, 2), (2, 1), (1, 1), (0, 1, 1, 0)),
    ((2, 3), (1, 2), (2, 1), (1, 0, 2, 1)),
    ((3, 3), (2, 2), (1, 2), (1, 2, 1, 2)),
    ((6, 5), (1, 1), (1, 1), (0, 0, 0, 0)),
]


def windows(values, kernel, stride, dilation, pads, fill):  # type: ignore[no-untyped-def]
    """[N, OH, OW, C, R, S] by loops."""
    n, h, w, c = values.shape
    oh = output_size(h, kernel[0], stride[0], dilation[0], pads[0], pads[2])
    ow = output_size(w, kernel[1], stride[1], dilation[1], pads[1], pads[3])
    out = np.full((n, oh, ow, c, *kernel), fill, np.float64)
    for y in range(oh):
        for x in range(ow):
            for r in range(kernel[0]):
                for s in range(kernel[1]):
                    row, col = (
                        y * stride[0] + r * dilation[0] - pads[0],
                        x * stride[1] + s * dilation[1] - pads[1],
                    )
                    if 0 <= row < h and 0 <= col < w:
                        out[:, y, x, :, r, s] = values[:, row, col]
    return out


@pytest.mark.parametrize("kernel, stride, dilation, pads", CASES)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_against_loops(kernel, stride, dilation, pads, kind) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    values = rng.integers(-100, 100, (3, 6, 5, 4)).astype(kind)
    weight = rng.integers(-9, 9, (7, 4, *kernel)).astype(kind)
    under = windows(values, kernel, stride, dilation, pads, 0)
    out = conv_sum(values, weight, stride, dilation, pads)
    assert out.dtype == kind
    assert np.array_equal(out, np.einsum("nyxcrs,kcrs->nyxk", under, weight))
    assert np.array_equal(window_sum(values, kernel, stride, dilation, pads), under.sum(axis=(4, 5)))
    best = windows(values, kernel, stride, dilation, pads, -np.inf).max(axis=(4, 5))
    assert np.array_equal(window_max(values, kernel, stride, dilation, pads), best)


def test_many_chunks_give_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(-9, 9, (10, 6, 6, 3)).astype(np.float32)
    weight = rng.integers(-9, 9, (4, 3, 3, 3)).astype(np.float32)
    whole = conv_sum(values, weight, (1, 1), (1, 1), (1, 1, 1, 1))
    monkeypatch.setattr("systolith.sw.windows._CHUNK_BYTES", 1)
    assert np.array_equal(conv_sum(values, weight, (1, 1), (1, 1), (1, 1, 1, 1)), whole)


@pytest.mark.parametrize("kernel, stride, dilation, pads", CASES)
@pytest.mark.parametrize("groups, inside, each", [(4, 1, 1), (4, 1, 3), (2, 2, 1), (2, 3, 2), (1, 1, 3)])
def test_groups_against_loops(kernel, stride, dilation, pads, groups, inside, each) -> None:  # type: ignore[no-untyped-def]
    """Depthwise, with a multiplier, and groups of several channels: group g sees its own channels only."""
    rng = np.random.default_rng(2)
    values = rng.integers(-100, 100, (3, 6, 5, groups * inside)).astype(np.float32)
    weight = rng.integers(-9, 9, (groups * each, inside, *kernel)).astype(np.float32)
    under = windows(values, kernel, stride, dilation, pads, 0)
    expected = np.zeros((*under.shape[:3], groups * each))
    for k in range(groups * each):
        for c in range(inside):
            taps = under[:, :, :, k // each * inside + c]
            expected[..., k] += (taps * weight[k, c]).sum(axis=(3, 4))
    assert np.array_equal(conv_sum(values, weight, stride, dilation, pads, groups), expected)


def test_many_chunks_of_a_depthwise_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(-9, 9, (10, 7, 6, 3)).astype(np.float32)
    weight = rng.integers(-9, 9, (3, 1, 3, 3)).astype(np.float32)
    whole = conv_sum(values, weight, (2, 2), (1, 1), (0, 0, 1, 1), 3)
    monkeypatch.setattr("systolith.sw.windows._CACHE_BYTES", 1)
    assert np.array_equal(conv_sum(values, weight, (2, 2), (1, 1), (0, 0, 1, 1), 3), whole)
