"""Pixels in the array, from signals of a made-up run: passes of different lengths, a bubble, a pause."""

import numpy as np
from systolith.sw.wavefront import DELAY, wavefront

ROWS, COLS, CYCLES = 3, 2, 60


def signals(taken: list[int], switches: list[int]) -> dict[str, np.ndarray]:
    """Cycles in which the array takes a pixel, those of them in which a pass begins."""
    found = {"array: pixel": np.zeros(CYCLES, np.int64)}
    found["array: pixel"][taken] = 1
    for r in range(ROWS):
        for c in range(COLS):
            found[f"pe {r},{c} switch"] = np.zeros(CYCLES, np.int64)
            for begin in switches:
                found[f"pe {r},{c} switch"][begin + DELAY - 1 + r + c] = 1
    return found


def test_pixels_hop_one_pe_a_cycle() -> None:
    taken = [*range(4, 10), *range(10, 13), 14, 15, *range(30, 36)]  # cycle 13: a bubble in the second pass
    found = wavefront(signals(taken, [4, 10, 30]), 100, ROWS, COLS)
    assert found.first == 100
    for r in range(ROWS):
        for c in range(COLS):
            at = [t + DELAY + r + c for t in taken]
            assert np.flatnonzero(found.busy[r, c]).tolist() == at
            assert found.pixels[r, c, at].tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5]
            assert found.passes[r, c, at].tolist() == [0] * 6 + [1] * 5 + [2] * 6
            idle = np.setdiff1d(np.arange(CYCLES), at)
            assert np.all(found.passes[r, c, idle] == -1) and np.all(found.pixels[r, c, idle] == -1)


def test_what_began_before_the_window_has_no_number() -> None:
    found = wavefront(signals([*range(6), *range(8, 12)], [8]), 0, ROWS, COLS)
    assert found.busy[0, 0, DELAY : DELAY + 6].all() and np.all(found.passes[0, 0, : DELAY + 8] == -1)
    assert found.pixels[0, 0, DELAY + 8 : DELAY + 12].tolist() == [0, 1, 2, 3]
    assert np.all(wavefront(signals([0, 1], []), 0, ROWS, COLS).passes == -1)
