"""Where a case's network and images come from: a generator, the package's demo, or a folder of trained models.

Trained networks are data of others that the project does not carry: ``models/NAME.onnx`` and their images,
``cifar10_calib2000.npz``, ``cifar10_test500.npz``, ``vww_calib64.npz``, ``vww_test200.npz``, in a folder,
``../shared/data`` beside the checkout unless told otherwise. Generated networks take random images: uniform bytes
from a seed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .. import onnx_reader
from ..demo.data import MEAN, SCALE, STD
from ..images import Preprocessing, load_images
from .networks import NETWORKS, network_hash

__all__ = ["DATA", "Source", "find"]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Where trained networks are looked for."""

_DEMO = Path(__file__).resolve().parents[1] / "demo"
_CIFAR = Preprocessing(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CIFAR_IMAGES, _VWW_IMAGES = ("cifar10_calib2000", "cifar10_test500"), ("vww_calib64", "vww_test200")
_TRAINED = {
    "cifar10_resnet20_folded_b1": (_CIFAR_IMAGES, _CIFAR),
    "cifar10_resnet56_bn_dyn": (_CIFAR_IMAGES, _CIFAR),
    "mlperf_ic_resnet8_bn_dyn": (_CIFAR_IMAGES, Preprocessing()),
    "mlperf_vww_mobilenetv1_025_bn_dyn": (_VWW_IMAGES, Preprocessing()),
}

_CALIBRATION = 16
"""Calibration images: formats decide no cycle, so few will do. Generated networks take one."""

_IMAGES = 8
"""Images there are to run."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A network as a file's content, images uint8 [N, H, W, C] to quantize it on and to run, its preprocessing."""

    onnx: bytes
    hash: str
    calibration: npt.NDArray[np.uint8]
    images: npt.NDArray[np.uint8]
    preprocessing: Preprocessing


def find(name: str, data: Path = DATA) -> Source | None:
    """A case's network by name, None where its files are not there; raises ValueError for an unknown name."""
    if name in NETWORKS:
        return _generated(name)
    if name == "demo":
        files = (_DEMO / "fashion.onnx", _DEMO / "fashion_calib.npz", _DEMO / "fashion_test.npz")
        return _from_files(*files, Preprocessing(SCALE, (MEAN,), (STD,)))
    if name not in _TRAINED:
        raise ValueError(
            f"network {name!r} does not exist: one of {', '.join((*NETWORKS, 'demo', *_TRAINED))}"
        )
    sets, preprocessing = _TRAINED[name]
    model, calibration, test = data / "models" / f"{name}.onnx", *(data / f"{images}.npz" for images in sets)
    if not all(path.is_file() for path in (model, calibration, test)):
        return None
    return _from_files(model, calibration, test, preprocessing)


def _generated(name: str) -> Source:
    model = NETWORKS[name]()
    graph = onnx_reader.read(model)
    words = np.random.PCG64(sum(name.encode())).random_raw(_IMAGES * int(np.prod(graph.shapes[graph.input])))
    images = (words >> np.uint64(56)).astype(np.uint8).reshape(_IMAGES, *graph.shapes[graph.input])
    content = model.SerializeToString(deterministic=True)
    return Source(
        onnx=content, hash=network_hash(model), calibration=images[-1:], images=images[:-1],
        preprocessing=Preprocessing(255.0),
    )  # fmt: skip


def _from_files(model: Path, calibration: Path, test: Path, preprocessing: Preprocessing) -> Source:
    content = model.read_bytes()
    return Source(
        onnx=content,
        hash=hashlib.sha256(content).hexdigest()[:12],
        calibration=load_images(calibration).first(_CALIBRATION).images,
        images=load_images(test).first(_IMAGES).images,
        preprocessing=preprocessing,
    )
