"""Rows and words that an engine cannot fold are refused."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import FOLD_CHANNELS
from systolith.sim.folded_words import folded_words

CONFIG = EngineConfig(rows=4, cols=4, fold_width=8)
FIELDS = {"base": 0, "block_step": 0, "blocks": 1, "row_last": 4, "before": 0, "zeros": 1, "rows_above": 1,
          "rows_held": 0, "rows_before": 0, "rows_zero": 0, "turns": 0, "second": 0, "half": 0}  # fmt: skip


def fold(channels: int = 1, config: EngineConfig = CONFIG, **fields: int) -> np.ndarray:
    values = FIELDS | fields
    pixels = 1 + np.arange((values["row_last"] + 1) * 2 * channels, dtype=np.int64).reshape(-1, channels)
    line = np.zeros((2, config.fold_width, FOLD_CHANNELS), np.int64)
    return folded_words(values, pixels, line, config)[1]


def test_rows_above_stand_behind_their_own() -> None:
    """One channel: lanes are pixel, the one above, then those of the column before."""
    lanes = fold()
    assert lanes.shape == (12, 1, 4)
    assert lanes[7, 0].tolist() == [7, 2, 6, 1] and lanes[11, 0].tolist() == [0, 0, 10, 5]


@pytest.mark.parametrize("half", [0, 1])
def test_words_take_turns(half: int) -> None:
    """Rows of 30 elements, 6 a pixel: 9 of a row, 7 of the row above; in the next words 7 of the one above that."""
    config = EngineConfig(rows=16, cols=16, fold_width=8)
    lanes = fold(6, config, rows_above=2, turns=1, half=half, zeros=0, rows_before=1, rows_zero=1)
    first = 1 + 3 * half
    assert lanes.shape == (10, 1, 16)
    assert lanes[1, 0].tolist() == [*range(30 + first, 39 + first), *range(first, first + 7)]
    assert lanes[6, 0].tolist() == [0] * 9 + [*range(first + 2, first + 9)]
    second = fold(6, config, rows_above=2, turns=1, half=half, second=1, zeros=0, rows_before=1, rows_zero=1)
    assert second[1, 0].tolist() == [*range(30 + first, 39 + first)] + [0] * 7
    assert second[6, 0].tolist() == [0] * 9 + [*range(30 + first, 37 + first)]


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"row_last": 7, "zeros": 1}, r"rows of 9 pixels are stacked, the line buffer takes 3\.\.8"),
        ({"row_last": 0, "zeros": 1}, r"rows of 2 pixels are stacked, the line buffer takes 3\.\.8"),
        ({"blocks": 99}, r"elements are folded into 99 words"),
        (
            {"turns": 1, "rows_above": 2},
            r"words take turns for pixels of 6 elements, 2 rows above, .* not for 1, 2, 1 and 4",
        ),
    ],
)
def test_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fold(**fields)
