"""The two-phase greedy quantizer of Qiu et al. (FPGA 2016), with the losses of its descendants.

Weight phase: each layer alone, ``fl_w = argmin sum |W - W(width, fl)|**p``; bias at fl_acc.
Data phase: layers in order, the fixed-point and the float network side by side on calibration images,
``fl = argmin sum |x_float - x(width, fl)|**p``; freeze, feed the quantized codes onward.

Deterministic: the same network, images and options give the same codes. Memory is bounded by the images of
two layers at a time (beyond a gigabyte they go to temporary files).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .arithmetic import FloatArray
from .data_phase import run_data_phase
from .formats import QFormat
from .layers import TooFine
from .network import QuantizedNetwork
from .overflow import prove
from .protocol import Network
from .ranges import check_finite
from .report import QuantizationReport
from .search import DEFAULT_METHOD, method_named, search_weights

__all__ = ["Options", "Quantization", "quantize"]

_WIDTHS = (2, 3, 4, 5, 6, 7, 8, 16)
_RESTARTS = 64
_BATCH_VALUES = 1 << 23  # of one tensor in one batch


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to quantize. Widths in bits, 2..8 or 16; the maps override them for single tensors and layers."""

    act_width: int = 8
    wgt_width: int = 8
    acc_width: int = 32
    method: str = DEFAULT_METHOD
    per_channel: bool = False
    """one fl per output channel of the weights instead of one per layer."""
    input_range: tuple[float, float] | None = None
    """the real range any input can have, from its preprocessing; unsigned codes where it is known to
    start at 0 or above."""
    act_widths: Mapping[str, int] = field(default_factory=dict)
    """by tensor name."""
    wgt_widths: Mapping[str, int] = field(default_factory=dict)
    """by layer name."""
    batch: int = 0
    """calibration images run at a time, in each thread; 0: 16, fewer for large maps. No result depends on it."""
    threads: int = 0
    """batches run at a time; 0: one a core. No result depends on it."""

    def __post_init__(self) -> None:
        for name, width in (
            ("act_width", self.act_width), ("wgt_width", self.wgt_width),
            *((f"act_widths[{key!r}]", value) for key, value in self.act_widths.items()),
            *((f"wgt_widths[{key!r}]", value) for key, value in self.wgt_widths.items()),
        ):  # fmt: skip
            if width not in _WIDTHS:
                raise ValueError(f"{name} must be 2 to 8 or 16 bits, not {width!r}")
        if not isinstance(self.acc_width, int) or not 8 <= self.acc_width <= 53:
            raise ValueError(f"acc_width must be 8 to 53 bits, not {self.acc_width!r}")
        for name, value in (("batch", self.batch), ("threads", self.threads)):
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"{name} must be 0 or a positive integer, not {value!r}")
        method_named(self.method)


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """A quantized network and what the quantizer has to say about it."""

    network: QuantizedNetwork
    report: QuantizationReport


def quantize(network: Network, images: FloatArray, options: Options | None = None) -> Quantization:
    """Quantize a trained network on calibration images.

    ``images`` are real inputs [N, H, W, C], N >= 1, after the preprocessing. Raises ValueError, naming the
    tensor and the cure, for images of another shape, for NaN or infinite weights, images or activations,
    and where a layer cannot fit the accumulator (AccumulatorOverflow).
    """
    chosen = options or Options()
    method = method_named(chosen.method)
    shape = network.shapes[network.input]
    if images.ndim != 4 or images.shape[0] < 1 or images.shape[1:] != shape:
        raise ValueError(
            f"calibration images must be [N, {shape[0]}, {shape[1]}, {shape[2]}] with N >= 1, "
            f"not {list(images.shape)}"
        )
    check_finite(network.input, images, "calibrate with images that hold numbers only")
    wgt_fl = {}
    for layer in network.layers:
        for values, what in ((layer.weight, "weight"), (layer.bias, "bias")):
            if values is not None:
                cure = "the file is damaged or the training diverged; export the model again"
                check_finite(f"{layer.name} {what}", values, cure)
        if layer.weight is not None and layer.kind == "conv":
            width = chosen.wgt_widths.get(layer.name, chosen.wgt_width)
            wgt_fl[layer.name] = search_weights(layer.weight, width, method, chosen.per_channel)
    largest = max(h * w * c for h, w, c in network.shapes.values())
    signed = chosen.input_range is None or chosen.input_range[0] < 0.0
    input_width = chosen.act_widths.get(network.input, chosen.act_width)
    caps: dict[str, int] = {}
    for _ in range(_RESTARTS):
        try:
            result = run_data_phase(
                network,
                images,
                method=method,
                wgt_fl=wgt_fl,
                caps=caps,
                input_format=QFormat(input_width, 0, signed),
                act_width=lambda name: chosen.act_widths.get(name, chosen.act_width),
                wgt_width=lambda name: chosen.wgt_widths.get(name, chosen.wgt_width),
                acc_width=chosen.acc_width,
                per_channel=chosen.per_channel,
                batch=chosen.batch or max(1, min(16, _BATCH_VALUES // largest)),
                threads=chosen.threads,
            )
            break
        except TooFine as error:
            caps[error.tensor] = error.fl
    else:
        raise ValueError(
            f"tensors {', '.join(map(repr, caps))} find no fl that their residual additions can take: "
            "quantize with more weight bits, or with one fl per layer"
        )
    needed = prove(result.network, chosen.acc_width)
    report = QuantizationReport(
        network=network.name,
        method=method.name,
        act_width=chosen.act_width,
        wgt_width=chosen.wgt_width,
        acc_width=chosen.acc_width,
        per_channel=chosen.per_channel,
        images=int(images.shape[0]),
        input_format=str(result.network.tensors[network.input].format),
        input_sqnr_db=result.input_sqnr_db,
        layers=tuple(row.report(needed[row.name], chosen.acc_width) for row in result.rows),
    )
    return Quantization(network=result.network, report=report)
