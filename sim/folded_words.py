"""The words of a LOAD with fold: neighbours of a pixel, rows above among them, as ``hw.isa`` says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import IntArray

__all__ = ["folded_words"]


def folded_words(
    v: Mapping[str, int], pixels: IntArray, line: IntArray, config: EngineConfig
) -> tuple[IntArray, IntArray]:
    """Addresses [n, blocks] and lanes [n, blocks, lanes] of pixels [n, channels].

    ``line`` [2, fold_width, FOLD_CHANNELS], the newest row last, takes the rows. Raises ``ValueError`` for rows and
    words that the engine does not have.
    """
    above, channels = v["rows_above"], pixels.shape[1]
    rows, columns = len(pixels) // (v["row_last"] + 1), v["row_last"] + 1 + v["zeros"]
    if above and not 3 <= columns <= config.fold_width:
        raise ValueError(
            f"rows of {columns} pixels are stacked, the line buffer takes 3..{config.fold_width}"
        )
    if v["blocks"] > -(-config.fold_elements // config.lanes):
        raise ValueError(f"{config.fold_elements} elements are folded into {v['blocks']} words")
    if v["turns"] and not (config.fold_turns and channels == 6 and above == 2 and v["blocks"] == 1):
        raise ValueError(
            f"words take turns for pixels of 6 elements, 2 rows above, one word and 14 lanes, not for {channels}, "
            f"{above}, {v['blocks']} and {config.lanes if config.fold_width else 'no line buffer'}"
        )
    image = np.zeros((above + rows + v["rows_zero"], columns, channels), np.int64)
    image[above : above + rows, : v["row_last"] + 1] = pixels.reshape(rows, -1, channels)
    if above:
        before = line[:, :columns, :channels]
        if held := min(v["rows_held"], above):
            image[above - held : above] = before[2 - held :]
        before[:] = np.concatenate([before, image[above:]])[-2:]
    tall = np.concatenate([image[above - i : len(image) - i] for i in range(above + 1)], axis=2)
    taps = -(-config.fold_elements // tall.shape[2])
    wide = np.pad(tall[v["rows_before"] :], ((0, 0), (taps - 1, 0), (0, 0)))
    made = range(taps - 1 + v["before"], taps - 1 + columns)
    window = np.concatenate([wide[:, made.start - j : made.stop - j] for j in range(taps)], axis=2)
    if v["turns"]:
        window = _turns(window, v, config)
    window = window.reshape(-1, window.shape[2])[:, : config.fold_elements]
    size = v["blocks"] * config.lanes
    lanes = np.zeros((len(window), max(size, window.shape[1])), np.int64)
    lanes[:, : window.shape[1]] = window
    words = v["base"] + np.arange(len(window))[:, None] + np.arange(v["blocks"]) * v["block_step"]
    return words % config.words, lanes[:, :size].reshape(len(window), v["blocks"], config.lanes)


def _turns(window: IntArray, v: Mapping[str, int], config: EngineConfig) -> IntArray:
    """Words [y, x, elements] of windows [y, x, elements], which hold [pixel x or x - 1][row above][elements]."""
    pixels = window[:, :, :36].reshape(*window.shape[:2], 2, 3, 6)
    rows = np.concatenate([pixels[:, :, 1], pixels[:, :, 0]], axis=3)[..., 3 * v["half"] :][..., :9]
    more = min(config.lanes - 9, 9)
    words = np.concatenate([rows[:, :, 0], rows[:, :, 1, :more]], axis=2)
    second = slice(1 - v["second"], None, 2)
    words[second, :, 9:] = rows[second, :, 2, 9 - more :]
    return words
