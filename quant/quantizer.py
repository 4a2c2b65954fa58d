"""The two-phase greedy quantizer of Qiu et al. (FPGA 2016), with the losses of its descendants.

Weight phase: each layer alone, ``fl_w = argmin sum |W - W(width, fl)|**p``; bias at fl_acc.
Data phase: layers in order, the fixed-point and the float network side by side on calibration images,
``fl = argmin sum |x_float - x(width, fl)|**p``; freeze, feed the quantized codes onward.

Deterministic: the same network, images and options give the same codes. Memory is bounded by the images of
two layers at a time (beyond a gigabyte they go to temporary files).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .arithmetic import FloatArray
from .blas_threads import one_blas_thread
from .decisions import decision
from .network import QuantizedNetwork
from .options import Options
from .overflow import prove
from .pipeline import Pipeline
from .protocol import Network
from .ranges import check_finite
from .report import LayerReport, QuantizationReport
from .ties import narrow

__all__ = ["Options", "Quantization", "quantize"]


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """A quantized network and what the quantizer has to say about it."""

    network: QuantizedNetwork
    report: QuantizationReport
    real: Network
    """the trained network whose layers were rounded: equalized where that was asked for."""


def quantize(network: Network, images: FloatArray, options: Options | None = None) -> Quantization:
    """Quantize a trained network on calibration images.

    ``images`` are real inputs [N, H, W, C], N >= 1, after the preprocessing. Raises ValueError, naming the
    tensor and the cure, for images of another shape, for NaN or infinite weights, images or activations,
    and where a layer cannot fit the accumulator (AccumulatorOverflow).
    """
    chosen = options or Options()
    shape = network.shapes[network.input]
    if images.ndim != 4 or images.shape[0] < 1 or images.shape[1:] != shape:
        raise ValueError(
            f"calibration images must be [N, {shape[0]}, {shape[1]}, {shape[2]}] with N >= 1, "
            f"not {list(images.shape)}"
        )
    layers = [layer.name for layer in network.layers if layer.kind == "conv"]
    for name in chosen.wgt_widths:
        if name not in layers:
            raise ValueError(f"wgt_widths must name layers with weights ({', '.join(layers)}), not {name!r}")
    pooled = {layer.output for layer in network.layers if layer.kind in ("maxpool", "upsample")}
    tensors = [name for name in network.shapes if name not in pooled]
    for name in chosen.act_widths:
        if name not in tensors:
            raise ValueError(
                f"act_widths must name tensors with a format of their own ({', '.join(tensors)}), not {name!r}"
            )
    narrowed = narrow(network)
    for name, width in narrowed.items():
        if chosen.act_widths.get(name, 0) > width:
            raise ValueError(
                f"act_widths[{name!r}] must be at most {width} bits, not {chosen.act_widths[name]}: "
                "a table or a product with another map reads it"
            )
    check_finite(network.input, images, "calibrate with images that hold numbers only")
    for layer in network.layers:
        for values, what in ((layer.weight, "weight"), (layer.bias, "bias")):
            if values is not None:
                cure = "the file is damaged or the training diverged; export the model again"
                check_finite(f"{layer.name} {what}", values, cure)
    with one_blas_thread():
        pipeline = Pipeline(network, images, chosen)
        result = pipeline.run()
    bits = pipeline.channel_bits
    needed = prove(result.network, chosen.acc_width)
    wide = chosen.act_width
    report = QuantizationReport(
        network=network.name,
        method=chosen.method,
        act_width=chosen.act_width,
        wgt_width=chosen.wgt_width,
        correct=chosen.correct,
        acc_width=chosen.acc_width,
        per_channel=chosen.per_channel,
        images=int(images.shape[0]),
        input_format=str(result.network.tensors[network.input].format),
        input_sqnr_db=result.input_sqnr_db,
        layers=tuple(
            replace(
                _with_width(
                    row.report(needed[row.name], chosen.acc_width), row.layer.output in narrowed, wide
                ),
                wgt_mean_bits=float(bits[row.name].mean()) if row.name in bits else None,
            )
            for row in result.rows
        ),
        input_saturated=result.input_saturated,
        input_decision=decision(
            result.network.tensors[network.input].format.fl, result.input_saturated, result.input_seen
        ),
        evidence=(result.input_seen, *(seen for row in result.rows for seen in row.evidence)),
    )
    return Quantization(network=result.network, report=report, real=pipeline.network)


def _with_width(row: LayerReport, narrowed: bool, asked: int) -> LayerReport:
    """The row; where a table or a product takes fewer bits than were asked for, its decision says so."""
    if not narrowed or row.out_width >= asked:
        return row
    why = f"{row.out_width} bits, not {asked}: a table or a product reads it"
    return replace(row, decision=f"{row.decision}; {why}")
