"""Images made from a seed alone: what calibrates a network where no images may be used.

``noise``   amplitude ~ 1 / frequency, random phases; colours mostly alike   (spectrum of natural images)
``leaves``  shapes of radius r ~ r**-3 that cover each other, each of one colour with a slope, plus noise

Every second image is of either kind: noise has the spectrum of photographs, leaves have their edges and flat
parts (dead leaves model: Lee, Mumford and Huang, IJCV 2001). Means and contrasts vary from image to image.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arithmetic import FloatArray

__all__ = ["synthetic_images"]

Shape = tuple[int, int, int]

_COLOUR = 25.0
"""Deviation of one channel from the others, in pixel values 0..255."""
_LEAVES = (5, 30)
_SMALLEST = 0.04
"""Radius of the smallest leaves, in sides of the image."""


def synthetic_images(count: int, shape: Shape, seed: int = 0) -> npt.NDArray[np.uint8]:
    """``count`` images uint8 [N, H, W, C] of ``shape`` (height, width, channels).

    Image i depends on ``seed``, i and the shape alone. Raises ValueError for a count below 1.
    """
    if count < 1:
        raise ValueError(f"count must be a positive integer, not {count!r}")
    images = [_image(np.random.default_rng((seed, i)), shape, leaves=bool(i % 2)) for i in range(count)]
    return np.stack(images)


def _image(rng: np.random.Generator, shape: Shape, leaves: bool) -> npt.NDArray[np.uint8]:
    texture = _noise(rng, shape)
    if leaves:
        values = _leaves(rng, shape) + texture * rng.uniform(2.0, 25.0)
    else:
        values = _colour(rng, 60.0, 190.0, shape[2]) + texture * rng.uniform(20.0, 75.0)
    return np.clip(np.rint(values), 0.0, 255.0).astype(np.uint8)


def _colour(rng: np.random.Generator, low: float, high: float, channels: int) -> FloatArray:
    return np.clip(rng.uniform(low, high) + rng.normal(size=channels) * _COLOUR, 0.0, 255.0)


def _noise(rng: np.random.Generator, shape: Shape) -> FloatArray:
    """1/f noise [H, W, C] of mean 0 and deviation 1; channels share a random part of it."""
    height, width, channels = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    own = rng.uniform(0.0, 0.6)
    layers = []
    for _ in range(channels + 1):
        wave = rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)
        layer = np.fft.irfft2(wave / frequency, s=(height, width))
        layers.append(layer / max(float(layer.std()), 1e-9))
    common = layers[0] * np.sqrt(1.0 - own**2)
    return np.stack([common + own * layer for layer in layers[1:]], axis=-1)


def _leaves(rng: np.random.Generator, shape: Shape) -> FloatArray:
    height, width, channels = shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    side = float(max(height, width))
    values = np.broadcast_to(_colour(rng, 0.0, 255.0, channels), shape).copy()
    for _ in range(int(rng.integers(*_LEAVES))):
        radius = side * _SMALLEST / np.sqrt(rng.uniform(0.004, 1.0))
        dy, dx = y - rng.uniform(0.0, height), x - rng.uniform(0.0, width)
        angle, flat = rng.uniform(0.0, np.pi), rng.uniform(0.3, 1.0)
        along = (dx * np.cos(angle) + dy * np.sin(angle)) / radius
        across = (dy * np.cos(angle) - dx * np.sin(angle)) / (radius * flat)
        if rng.uniform() < 0.5:
            inside = along**2 + across**2 < 1.0
        else:
            inside = np.maximum(np.abs(along), np.abs(across)) < 1.0
        slope = rng.uniform(-20.0, 20.0) * along[..., None]
        values[inside] = (_colour(rng, 0.0, 255.0, channels) + slope)[inside]
    return values
