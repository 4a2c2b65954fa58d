"""Images and their preprocessing: ``real = (images / scale - mean) / std``, N H W C float32.

Images are uint8 [N, H, W, C] from an ``.npz`` file (``images``, optionally ``labels``) or a folder of PNG and
JPEG files in the order of their names. Every error is one sentence.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["RAW_PIXELS", "ImageError", "Images", "Preprocessing", "load_images"]

FloatArray = npt.NDArray[np.float32]
_SUFFIXES = (".png", ".jpg", ".jpeg")


class ImageError(ValueError):
    """The images cannot be used; one sentence that names the thing and the cure."""


@dataclass(frozen=True)
class Images:
    """``images`` uint8 [N, H, W, C]; ``labels`` [N] int64, or None where the source has none."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return int(self.images.shape[0])

    def first(self, count: int) -> Images:
        """The first ``count`` images; raises ImageError where there are fewer or none asked for."""
        if not 1 <= count <= len(self):
            raise ImageError(f"count must be 1 to {len(self)} (the images there are), not {count}")
        return Images(self.images[:count], None if self.labels is None else self.labels[:count])


@dataclass(frozen=True)
class Preprocessing:
    """``real = (images / scale - mean) / std``; mean and std have one entry or one a channel."""

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale) or self.scale <= 0:
            raise ValueError(f"scale must be a positive number, not {self.scale!r}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if not values or not all(math.isfinite(value) for value in values):
                raise ValueError(f"{name} must be one number or one a channel, not {values!r}")
        if min(self.std) <= 0:
            raise ValueError(f"std must be positive, not {self.std!r}")
        if max(self.mean) > 255 / self.scale:
            raise ValueError(
                f"mean {max(self.mean):g} is more than an image can be, {255 / self.scale:g} with scale "
                f"{self.scale:g}: "
                "means of pixels 0..255 go with scale 1"
            )

    def check_channels(self, channels: int) -> None:
        """Raise ImageError where mean or std do not fit the model's channels."""
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise ImageError(
                    f"{name} has {len(values)} values for {channels} channel{'s' if channels != 1 else ''}: "
                    f"give one, or one a channel"
                )

    def apply(self, images: npt.NDArray[np.uint8]) -> FloatArray:
        """Normalized images [N, H, W, C] float32; computed in float32."""
        self.check_channels(images.shape[-1])
        real = images.astype(np.float32)
        real /= np.float32(self.scale)
        real -= np.asarray(self.mean, np.float32)
        real /= np.asarray(self.std, np.float32)
        return real

    def real_range(self) -> tuple[float, float]:
        """The range any 8-bit image can have: what decides whether the input's codes need a sign."""
        ends = self.apply(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1).repeat(self._channels(), axis=3))
        return float(ends.min()), float(ends.max())

    def _channels(self) -> int:
        return max(len(self.mean), len(self.std))

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {"scale": self.scale, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessing:
        """The inverse of ``to_json``."""
        return cls(float(data["scale"]), tuple(map(float, data["mean"])), tuple(map(float, data["std"])))


RAW_PIXELS = Preprocessing(scale=255.0)
"""Pixels as numbers from 0 to 1: what is taken where nothing is said."""


def load_images(path: str | Path, shape: Sequence[int] | None = None) -> Images:
    """Images from an .npz file or a folder, checked against the model's input map (height, width, channels).

    Raises ImageError for a source that is absent, empty, corrupt, without ``images``, of another type than
    uint8 (naming the index of the first NaN or infinity), of another size or channel count than ``shape``,
    or whose labels do not match.
    """
    source = Path(path)
    if source.is_dir():
        return _load_folder(source, shape)
    if not source.is_file():
        raise ImageError(
            f"images {str(path)!r} do not exist: give an .npz file or a folder of PNG or JPEG files"
        )
    images, labels = _read_npz(source)
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        index = [int(i) for i in np.argwhere(~np.isfinite(images))[0]]
        word = "NaN" if np.isnan(images[tuple(index)]) else "infinite"
        raise ImageError(f"`images` in {str(path)!r} is {word} at index {index}: store the raw pixels, uint8")
    if images.dtype != np.uint8:
        raise ImageError(f"`images` in {str(path)!r} must be uint8, not {images.dtype}: store the raw pixels")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[0] == 0:
        raise ImageError(
            f"`images` in {str(path)!r} must be [N, H, W, C] with N >= 1, not {list(images.shape)}"
        )
    _check_shape(str(path), images.shape[1:], shape)
    if labels is not None:
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise ImageError(
                f"`labels` in {str(path)!r} must be {images.shape[0]} integers, "
                f"not {labels.dtype} {list(labels.shape)}"
            )
        labels = labels.astype(np.int64)
    return Images(images, labels)


def _read_npz(source: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    try:
        with source.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ImageError(f"images {str(source)!r} are no .npz archive: save them with numpy.savez")
            if "images" not in archive.files:
                held = ", ".join(archive.files) or "nothing"
                raise ImageError(
                    f"{str(source)!r} holds no `images` (it holds {held}): store them under that name"
                )
            return archive["images"], archive["labels"] if "labels" in archive.files else None
    except ImageError:
        raise
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ImageError(
            f"images {str(source)!r} are corrupt or no .npz file ({error}): copy them again"
        ) from None


def _check_shape(where: str, have: Sequence[int], want: Sequence[int] | None) -> None:
    if want is None:
        return
    if have[2] != want[2]:
        raise ImageError(
            f"images in {where!r} have {have[2]} channels, the model takes {want[2]}: convert them"
        )
    if tuple(have[:2]) != tuple(want[:2]):
        raise ImageError(
            f"images in {where!r} are {have[0]}x{have[1]}, the model takes {want[0]}x{want[1]}: resize or crop them"
        )


def _load_folder(folder: Path, shape: Sequence[int] | None) -> Images:
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)
    if not files:
        raise ImageError(f"folder {str(folder)!r} holds no PNG or JPEG files: give a folder that does")
    loaded: list[npt.NDArray[np.uint8]] = []
    for file in files:
        try:
            with Image.open(file) as picture:
                gray = picture.mode in ("1", "L", "LA", "I", "I;16") if shape is None else shape[2] == 1
                pixels = np.asarray(picture.convert("L" if gray else "RGB"), np.uint8)
        except OSError as error:
            raise ImageError(f"image {str(file)!r} cannot be read ({error}): replace it") from None
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        _check_shape(str(file), pixels.shape, shape)
        if loaded and pixels.shape != loaded[0].shape:
            raise ImageError(
                f"image {str(file)!r} is {pixels.shape}, the others {loaded[0].shape}: use one size"
            )
        loaded.append(pixels)
    return Images(np.stack(loaded))
