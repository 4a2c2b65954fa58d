"""Rows and words that an engine cannot fold are refused."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import FOLD_CHANNELS
from systolith.sim.folded_words import folded_words

CONFIG = EngineConfig(rows=4, cols=4, fold_width=8)
FIELDS = {"base": 0, "block_step": 0, "blocks": 1, "row_last": 4, "before": 0, "zeros": 1, "rows_above": 1,
          "rows_held": 0, "rows_before": 0, "rows_zero": 0}  # fmt: skip


def fold(**fields: int) -> np.ndarray:
    values = FIELDS | fields
    pixels = 1 + np.arange((values["row_last"] + 1) * 2, dtype=np.int64)[:, None]
    line = np.zeros((2, CONFIG.fold_width, FOLD_CHANNELS), np.int64)
    return folded_words(values, pixels, line, CONFIG)[1]


def test_rows_above_stand_behind_their_own() -> None:
    """One channel: lanes are pixel, the one above, then those of the column before."""
    lanes = fold()
    assert lanes.shape == (12, 1, 4)
    assert lanes[7, 0].tolist() == [7, 2, 6, 1] and lanes[11, 0].tolist() == [0, 0, 10, 5]


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"row_last": 7, "zeros": 1}, r"rows of 9 pixels are stacked, the line buffer takes 3\.\.8"),
        ({"row_last": 0, "zeros": 1}, r"rows of 2 pixels are stacked, the line buffer takes 3\.\.8"),
        ({"blocks": 99}, r"elements are folded into 99 words"),
    ],
)
def test_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fold(**fields)
