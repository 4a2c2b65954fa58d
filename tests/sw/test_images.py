"""Image sources and preprocessing; every error is one sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from systolith.sw.images import ImageError, Images, Preprocessing, load_images


def store(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), np.uint8)


def refused(path: Path, message: str, shape: tuple[int, int, int] | None = (6, 7, 3)) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        load_images(path, shape)
    assert "\n" not in str(caught.value)


def test_npz(tmp_path: Path) -> None:
    loaded = load_images(
        store(tmp_path / "a.npz", images=PIXELS, labels=np.arange(5, dtype=np.uint8)), (6, 7, 3)
    )
    assert np.array_equal(loaded.images, PIXELS) and loaded.labels is not None
    assert loaded.labels.tolist() == [0, 1, 2, 3, 4] and len(loaded) == 5
    first = loaded.first(2)
    assert len(first) == 2 and first.labels is not None and first.labels.tolist() == [0, 1]
    assert load_images(store(tmp_path / "b.npz", images=PIXELS)).labels is None
    gray = load_images(store(tmp_path / "c.npz", images=PIXELS[..., 0]), (6, 7, 1))
    assert gray.images.shape == (5, 6, 7, 1)
    for count in (0, 6):
        with pytest.raises(ImageError, match=f"count must be 1 to 5 .* not {count}"):
            loaded.first(count)


def test_npz_errors(tmp_path: Path) -> None:
    refused(tmp_path / "absent.npz", "do not exist: give an .npz file or a folder")
    good = store(tmp_path / "good.npz", images=PIXELS).read_bytes()
    for name, data in (
        ("cut", good[: len(good) // 2]),
        ("empty", b""),
        ("text", b"hello world"),
        ("byte", good[:200] + b"x" + good[201:]),
    ):
        (tmp_path / f"{name}.npz").write_bytes(data)
        refused(tmp_path / f"{name}.npz", "are corrupt or no .npz file")
    np.save(tmp_path / "array.npy", PIXELS)
    refused(tmp_path / "array.npy", "are no .npz archive")
    refused(store(tmp_path / "x.npz", pictures=PIXELS), "holds no `images` .it holds pictures.")
    refused(store(tmp_path / "o.npz", images=np.array([{}], dtype=object)), "are corrupt or no .npz file")
    refused(store(tmp_path / "f.npz", images=PIXELS.astype(np.float32)), "must be uint8, not float32")
    refused(store(tmp_path / "n.npz", images=PIXELS[:0]), r"must be \[N, H, W, C\] with N >= 1")
    refused(
        store(tmp_path / "l.npz", images=PIXELS, labels=np.arange(4)), "`labels` in .* must be 5 integers"
    )
    refused(
        store(tmp_path / "s.npz", images=PIXELS), "have 3 channels, the model takes 1: convert", (6, 7, 1)
    )
    refused(tmp_path / "s.npz", "are 6x7, the model takes 8x8: resize or crop", (8, 8, 3))


def test_folder(tmp_path: Path) -> None:
    for i in (1, 0):
        Image.fromarray(PIXELS[i]).save(tmp_path / f"{i}.png")
    (tmp_path / "notes.txt").write_text("no image")
    loaded = load_images(tmp_path, (6, 7, 3))
    assert np.array_equal(loaded.images, PIXELS[:2]) and loaded.labels is None
    assert load_images(tmp_path, (6, 7, 1)).images.shape == (2, 6, 7, 1)
    assert load_images(tmp_path).images.shape == (2, 6, 7, 3)
    refused(tmp_path, "is? ?.*6x7, the model takes 5x5", (5, 5, 3))
    (tmp_path / "2.jpg").write_bytes(b"broken")
    refused(tmp_path, "image .*2.jpg' cannot be read")
    (tmp_path / "2.jpg").unlink()
    Image.fromarray(PIXELS[0, :4]).save(tmp_path / "3.png")
    refused(tmp_path, "use one size", None)
    (tmp_path / "none").mkdir()
    refused(tmp_path / "none", "holds no PNG or JPEG files")


def test_preprocessing() -> None:
    pre = Preprocessing(255.0, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    real = pre.apply(PIXELS)
    assert real.dtype == np.float32
    expected = (PIXELS.astype(np.float64) / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.4]
    assert np.allclose(real, expected, atol=1e-6)
    assert Preprocessing.from_json(json.loads(json.dumps(pre.to_json()))) == pre
    assert pre.real_range() == pytest.approx((-2.5, 2.5))
    assert Preprocessing().real_range() == (0.0, 255.0)
    assert Preprocessing(255.0).real_range() == (0.0, 1.0)


def test_preprocessing_errors() -> None:
    with pytest.raises(ValueError, match="scale must be a positive number, not 0"):
        Preprocessing(0.0)
    with pytest.raises(ValueError, match="std must be positive"):
        Preprocessing(1.0, (0.0,), (0.0,))
    with pytest.raises(
        ValueError, match="mean 128 is more than an image can be, 1 with scale 255: means of pixels"
    ):
        Preprocessing(255.0, (0.0, 128.0))
    with pytest.raises(ValueError, match="mean must be one number or one a channel"):
        Preprocessing(1.0, ())
    with pytest.raises(ImageError, match="mean has 2 values for 3 channels"):
        Preprocessing(1.0, (0.0, 0.0)).apply(PIXELS)


def test_images_without_labels() -> None:
    assert Images(PIXELS).first(5).labels is None


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")])
def test_no_numbers_are_named_by_file_and_index(tmp_path: Path, value: float, word: str) -> None:
    images = np.zeros((3, 4, 4, 2), np.float32)
    images[1, 2, 3, 0] = value
    images[2, 0, 0, 0] = np.nan
    np.savez(tmp_path / "broken.npz", images=images)
    with pytest.raises(
        ImageError, match=rf"`images` in .*broken.npz' is {word} at index \[1, 2, 3, 0\]: store"
    ):
        load_images(tmp_path / "broken.npz")
