"""What a notebook shows: pictures of one layer's ranges, and quantized models side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import onnx_reader, quantized_io
from .api_files import write_whole
from .api_results import Quantized, table
from .calibrated import Accuracy, Calibrated, Judge
from .images import Images, Preprocessing, load_images
from .picture_quant import Ranges, Score, draw_layer, draw_scores
from .quantized_io import QuantizedModel

__all__ = [
    "Comparison",
    "DemoFiles",
    "Picture",
    "compare",
    "demo_files",
    "drawn",
    "layer_picture",
    "picture",
]


@dataclass(frozen=True)
class Picture:
    """A PNG; notebooks show it."""

    png: bytes

    def save(self, path: str | Path) -> Path:
        """Write it to a file."""
        return write_whole(path, self.png)

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"a picture of {len(self.png):,} bytes"


@dataclass(frozen=True, kw_only=True)
class DemoFiles:
    """The network of the package and its images."""

    model: Path
    calibration: Path
    images: Path
    """labelled test images: to measure, never to choose."""
    preprocessing: Preprocessing


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Quantized models of one float model, measured on the same images."""

    images: int
    rows: Mapping[str, Accuracy]
    bits: Mapping[str, float]
    """average bits of a weight."""

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        rows = {name: {**row.to_json(), "wgt_bits": self.bits[name]} for name, row in self.rows.items()}
        return {"images": self.images, "models": rows}

    def to_text(self) -> str:
        """A table, a line a model."""
        lines = [["model", "weight bits", "SQNR dB", "agreement %", "top-1 %", "float %"]]
        for name, row in self.rows.items():
            tops = ["-" if value is None else f"{value:.2f}" for value in (row.top1, row.top1_float)]
            lines.append(
                [name, f"{self.bits[name]:.2f}", f"{row.sqnr_db:.2f}", f"{row.agreement:.2f}", *tops]
            )
        return "\n".join(table(lines, right=range(1, 6)))

    def picture(self, title: str) -> Picture:
        """A bar a model: SQNR of the logits, and how often the class differs from float's."""
        scores = [Score(name, row.sqnr_db, 100.0 - row.agreement) for name, row in self.rows.items()]
        return drawn(lambda path: draw_scores(path, title, scores, f"{self.images} images"))

    def __repr__(self) -> str:
        return self.to_text()


def demo_files() -> DemoFiles:
    """Where the network of the package and its images are, and the preprocessing they want."""
    from .demo.run import HERE, PREPROCESSING

    return DemoFiles(
        model=HERE / "fashion.onnx", calibration=HERE / "fashion_calib.npz", images=HERE / "fashion_test.npz",
        preprocessing=PREPROCESSING,
    )  # fmt: skip


def picture(path: str | Path) -> Picture:
    """A PNG file that another command wrote; raises ValueError for anything else."""
    content = Path(path).read_bytes()
    if not content.startswith(b"\x89PNG"):
        raise ValueError(f"{str(path)!r} is no PNG file: name a picture that `bits` or `static` wrote")
    return Picture(content)


def layer_picture(source: Quantized | QuantizedModel | str | Path, layer: str) -> Picture:
    """One layer: float values with the range that codes reach, and the error that each fl would leave.

    Output above, weights below, if it has some. Raises ValueError for a layer that the model does not have.
    """
    model = _loaded(source)
    found = {item.name: item for item in model.network.layers}
    if layer not in found:
        raise ValueError(f"layer must be one of {', '.join(found)}, not {layer!r}")
    item = found[layer]
    fmt = model.network.tensors[item.output].format
    rows = []
    for seen in model.report.evidence:
        if not seen.weights and seen.name == item.output:
            rows.append(
                Ranges(title="output values", words=f"output: fl {fmt.fl} of {fmt.width} bits", seen=seen,
                       width=fmt.width, signed=fmt.signed, fl=(fmt.fl,))
            )  # fmt: skip
        if seen.weights and seen.name == item.name and item.wgt_fl is not None:
            fl = tuple(item.wgt_fl.tolist())
            each = f"fl {fl[0]}" if len(set(fl)) == 1 else f"fl {min(fl)} to {max(fl)}"
            rows.append(
                Ranges(title="weights", words=f"weights: {each} of {item.wgt_width} bits", seen=seen,
                       width=item.wgt_width, signed=True, fl=fl)
            )  # fmt: skip
    return drawn(lambda path: draw_layer(path, f"{layer}: range and precision", rows))


def compare(
    models: Mapping[str, Quantized | QuantizedModel | str | Path],
    images: Images | str | Path,
    *,
    count: int | None = None,
) -> Comparison:
    """Measure quantized models, by name, on the same images against their float networks.

    ``count``: how many images; None: all. Top-1 too, where they have labels.
    """
    judges: dict[bytes, Judge] = {}
    rows, bits = {}, {}
    for name, source in models.items():
        model = _loaded(source)
        key = model.model.SerializeToString(deterministic=True)
        if key not in judges:
            shown = images if isinstance(images, Images) else load_images(images, model.network.image_shape)
            shown = shown if count is None else shown.first(count)
            ready = Calibrated(
                model=model.model, trained=onnx_reader.read(model.model), exact=None, images=shown,
                preprocessing=model.preprocessing,
            )  # fmt: skip
            judges[key] = Judge(ready, shown)
        rows[name] = judges[key](model.network)
        weights = [(layer.wgt.size, layer.wgt_width) for layer in model.network.layers
                   if layer.kind == "conv" and layer.wgt is not None]  # fmt: skip
        bits[name] = sum(size * width for size, width in weights) / max(sum(size for size, _ in weights), 1)
    if not rows:
        raise ValueError("models must name at least one quantized model")
    return Comparison(images=next(iter(rows.values())).images, rows=rows, bits=bits)


def _loaded(source: Quantized | QuantizedModel | str | Path) -> QuantizedModel:
    if isinstance(source, QuantizedModel):
        return source
    return quantized_io.load(source.directory if isinstance(source, Quantized) else source)


def drawn(draw: Any) -> Picture:
    """The PNG that ``draw`` writes to the path it is called with."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        draw(path)
        return Picture(path.read_bytes())
