"""Fashion-MNIST: the idx files, the fixed split, and the small image files that travel with the package.

The network's input is ``real = (pixel / 255 - 0.2860) / 0.3530`` with ``pixel`` 0..255, mean and deviation
those of the 60,000 training images. The normalisation happens here, outside the ONNX graph.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SCALE = 255.0
MEAN = 0.2860
STD = 0.3530

DEFAULT_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DEBIAN_PACKAGE = "dataset-fashion-mnist"
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

VALIDATION_IMAGES = 5000
CALIBRATION_IMAGES = 256
TEST_IMAGES = 500
SPLIT_SEED = 2016

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Images:
    """``pixels`` [N, 28, 28, 1] and ``labels`` [N] 0..9, both uint8."""

    pixels: Pixels
    labels: Pixels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.int64] | slice) -> "Images":
        """The images at ``index``, in its order."""
        return Images(self.pixels[index], self.labels[index])

    def save(self, path: Path) -> None:
        """Write ``images`` and ``labels`` as a compressed npz; equal images give equal bytes."""
        np.savez_compressed(path, images=self.pixels, labels=self.labels)


def load(path: Path) -> Images:
    """Read a file that :meth:`Images.save` wrote."""
    with np.load(path) as archive:
        return Images(archive["images"], archive["labels"])


def normalize(pixels: Pixels) -> NDArray[np.float32]:
    """The network's input, [N, 1, 28, 28] float32, from pixels [N, 28, 28, 1]."""
    real = (pixels.astype(np.float32) / np.float32(SCALE) - np.float32(MEAN)) / np.float32(STD)
    return np.ascontiguousarray(real.transpose(0, 3, 1, 2))


def _read_idx(path: Path) -> Pixels:
    """Read a gzipped idx file: 0, 0, 8 (uint8), the number of axes, their big-endian sizes, the bytes."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\x00\x00\x08":
        raise ValueError(
            f"{path} must be an idx file of unsigned bytes, not one that starts with {raw[:4].hex()}"
        )
    axes = raw[3]
    shape = tuple(int(size) for size in np.frombuffer(raw, ">u4", axes, 4))
    return np.frombuffer(raw, np.uint8, -1, 4 + 4 * axes).reshape(shape)


def read(folder: Path, part: str) -> Images:
    """Read ``part``, "train" (60,000 images) or "t10k" (the 10,000 test images), from ``folder``.

    Raises
    ------
    FileNotFoundError
        if a file is absent; the message says where to get it.
    """
    arrays = []
    for kind in ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz"):
        path = folder / f"{part}-{kind}"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is absent: install the Debian package {DEBIAN_PACKAGE} "
                f"(apt install {DEBIAN_PACKAGE}), or give the folder "
                "of the four Fashion-MNIST .gz files with --data"
            )
        arrays.append(_read_idx(path))
    return Images(arrays[0][..., np.newaxis], arrays[1])


def split(train: Images) -> tuple[Images, Images, Images]:
    """Split the training images into (training, validation, calibration).

    Validation and training images are disjoint; the calibration images are 256 of the training ones. The
    choice depends on ``SPLIT_SEED`` alone, so that every run of every seed holds out the same images.
    """
    order = np.random.default_rng(SPLIT_SEED).permutation(len(train))
    validation, training = order[:VALIDATION_IMAGES], order[VALIDATION_IMAGES:]
    return train.take(training), train.take(validation), train.take(training[:CALIBRATION_IMAGES])
