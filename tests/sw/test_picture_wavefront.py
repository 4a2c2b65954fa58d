"""The picture of a wavefront: idle PEs are pale, each pass has its colour."""

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image
from systolith.sw.picture_wavefront import _PASSES, draw_wavefront
from systolith.sw.wavefront import Wavefront


def area(path: Path, color: str) -> float:
    pixels = np.asarray(Image.open(path).convert("RGB")) / 255
    return float((np.abs(pixels - to_rgb(color)).max(axis=2) < 0.02).mean())


def test_colours_are_passes(tmp_path: Path) -> None:
    passes = np.full((2, 3, 30), -1)
    passes[..., 10:20], passes[..., 20:] = 0, 1
    pixels, busy = np.where(passes >= 0, 5, -1), (passes >= 0).astype(np.int64)
    path = tmp_path / "p.png"
    draw_wavefront(path, Wavefront(50, passes, pixels, busy), title="t", snapshot=58)
    first, second = (area(path, color) for color in _PASSES[:2])
    assert first > second > 0.05 and area(path, _PASSES[2]) == 0.0
    draw_wavefront(path, Wavefront(50, passes * 0 - 1, pixels * 0 - 1, busy * 0), title="t", snapshot=58)
    assert area(path, _PASSES[0]) == 0.0
