"""Patches: exactly the rows and columns that a strip reads, against a walk over every tap."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_network
from systolith.sw.operations import Operation, operations
from systolith.sw.patches import Patch, View, act_patch, output_patch, residual_patch, whole
from systolith.sw.strips import Strip


def pixels(op: Operation, strip: Strip) -> set[tuple[int, int]]:
    """Pixels of the convolution in a strip."""
    return {
        tuple(
            o * s + w * d for o, s, w, d in zip((y, x), op.window_stride, at, op.window_dilation, strict=True)
        )
        for y in range(strip.y0, strip.y1)
        for x in range(strip.x0, strip.x1)
        for at in np.ndindex(op.window)
    }  # type: ignore[misc]


def taps(op: Operation, strip: Strip) -> set[tuple[int, int]]:
    """Positions inside of the input map that a strip reads."""
    height, width, _ = op.act.shape
    found = {
        (
            y * op.stride[0] + ky * op.dilation[0] - op.origin[0],
            x * op.stride[1] + kx * op.dilation[1] - op.origin[1],
        )
        for y, x in pixels(op, strip)
        for ky, kx in np.ndindex(op.kernel)
    }
    return {(y, x) for y, x in found if 0 <= y < height and 0 <= x < width}


def rows(patch: Patch) -> list[int]:
    return [patch.y0 + i * patch.dy for i in range(patch.rows)]


@pytest.mark.parametrize("seed", range(60))
def test_patches_hold_what_is_read_and_no_row_more(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for op in operations(random_network(seed, 3, size=14), EngineConfig(rows=4, cols=4)):
        height, width, _ = op.output.shape
        y0, x0 = int(rng.integers(height)), int(rng.integers(width))
        for strip in (
            Strip(y0, int(rng.integers(y0, height)) + 1, 0, width),
            Strip(y0, y0 + 1, x0, int(rng.integers(x0, width)) + 1),
        ):
            read, patch = taps(op, strip), act_patch(op, strip)
            inside = {(y, x) for y in rows(patch) for x in range(patch.x0, patch.x1)}
            assert read <= inside
            if read and op.dilation == op.window_dilation == (1, 1):
                assert {y for y, _ in inside} <= set(
                    range(min(y for y, _ in read), max(y for y, _ in read) + 1)
                )
            if op.kernel[0] == op.window[0] == 1:
                assert {y for y, _ in inside} == {y for y, _ in read} or not read
            if strip.x1 - strip.x0 < width and read:
                assert (patch.x0, patch.x1) == (min(x for _, x in read), max(x for _, x in read) + 1) or (
                    op.kernel[1] * op.window[1] > 1
                )
            assert act_patch(op, strip, full_rows=True).width == op.act.shape[1]
            if op.residual is not None:
                patch = residual_patch(op, strip)
                assert pixels(op, strip) <= {(y, x) for y in rows(patch) for x in range(patch.x0, patch.x1)}
            assert output_patch(strip).pixels == strip.outputs


def test_views_address_pixels_row_after_row() -> None:
    view = View({2: 100, 3: 500}, Patch(4, 3, 2, 1, 6))
    assert [view.word(2, 4, 1), view.word(2, 4, 5), view.word(2, 6, 1), view.word(3, 8, 0)] == [
        100,
        104,
        105,
        509,
    ]
    assert view.word(2, 2, 1) == 95  # padding above: an address nobody reads
    assert (view.step(2), view.step(3), view.rows(4)) == (400, 0, 10)
    assert view.spans([1, 2, 3]) == [(100, 115), (500, 515)]
    assert view.spans([2], 6, 6) == [(105, 110)]
    assert View({0: 7}, whole(2, 3)).spans([0]) == [(7, 13)]
    assert View({0: 7}, Patch(0, 0, 1, 0, 3)).spans([0]) == []
