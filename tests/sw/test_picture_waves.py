"""Waveforms: the colours where a bit is high and low, a box for each value."""

from pathlib import Path

import numpy as np
from PIL import Image
from systolith.sw.picture_waves import Track, draw_waves


def test_high_is_filled_and_low_is_not(tmp_path: Path) -> None:
    values = np.array([0] * 10 + [1] * 10)
    draw_waves(
        tmp_path / "w.png", title="t", first=100, tracks=[Track("bit", values), Track("never", values * 0)]
    )
    pixels = np.asarray(Image.open(tmp_path / "w.png").convert("RGB")).astype(int)
    height, width, _ = pixels.shape
    blue = np.abs(pixels - (217, 228, 237)).max(axis=2) < 3  # the fill below a high level
    left, right = int(width * 0.125), int(width * 0.985)
    middle = (left + right) // 2
    assert blue[: height // 2, middle + 20 : right].mean() > 0.1
    assert blue[:, left : middle - 20].mean() < 0.01 and blue[height * 3 // 5 :, :].mean() < 0.01


def test_a_bus_changes_the_picture_and_formats_follow_the_suffix(tmp_path: Path) -> None:
    for name, value in (("a", 3), ("b", -4)):
        tracks = [Track("bus", np.array([0, 0, value, value]), True)]
        draw_waves(tmp_path / f"{name}.svg", title="t", first=0, tracks=tracks)
        draw_waves(tmp_path / f"{name}.png", title="t", first=0, tracks=tracks)
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    assert "<svg" in (tmp_path / "a.svg").read_text()
