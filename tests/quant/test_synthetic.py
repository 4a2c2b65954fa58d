"""Images from a seed: reproducible, of any shape, with the statistics they promise."""

import numpy as np
import pytest
from systolith.quant.synthetic import synthetic_images


def test_images_depend_on_seed_and_number_alone() -> None:
    images = synthetic_images(6, (12, 16, 3))
    assert images.dtype == np.uint8 and images.shape == (6, 12, 16, 3)
    assert np.array_equal(images[:3], synthetic_images(3, (12, 16, 3)))
    assert not np.array_equal(images[:3], images[3:])
    assert not np.array_equal(images, synthetic_images(6, (12, 16, 3), seed=1))


@pytest.mark.parametrize("shape", [(28, 28, 1), (1, 1, 4), (7, 1, 2)])
def test_any_shape(shape: tuple[int, int, int]) -> None:
    assert synthetic_images(2, shape).shape == (2, *shape)


def test_all_pixel_values_occur() -> None:
    counts = np.bincount(synthetic_images(64, (32, 32, 3)).ravel(), minlength=256)
    assert counts.min() > 0


def test_the_spectrum_of_noise_falls_like_one_over_f() -> None:
    noise = synthetic_images(64, (64, 64, 1))[::2, :, :, 0].astype(np.float64)
    power = np.mean(np.abs(np.fft.fft2(noise)) ** 2, axis=0)
    slope = np.log2(power[0, 16] / power[0, 2]) / np.log2(16 / 2)
    assert slope == pytest.approx(-2.0, abs=0.5)  # power, the square of the amplitude


def test_leaves_have_edges() -> None:
    """Steps between neighbours are heavier-tailed than a Gaussian's, as in photographs."""
    images = synthetic_images(64, (32, 32, 1)).astype(np.float64)
    steps = [np.diff(images[start::2], axis=2).ravel() for start in (0, 1)]
    tail = [float(np.mean(step**4) / np.mean(step**2) ** 2) for step in steps]
    assert tail[1] > 3.0 * tail[0]


def test_count() -> None:
    with pytest.raises(ValueError, match="count must be a positive integer, not 0"):
        synthetic_images(0, (4, 4, 3))
