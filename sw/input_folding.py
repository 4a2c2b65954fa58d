"""An exact input: its codes are the image's pixels, the normalization moves into the layers that read it.

    real = (pixel / scale - mean[c]) / std[c],  code = pixel - o = real * gain[c] + offset[c]
    gain = scale * std, offset = scale * mean - o
    wgt'[k,c,r,s] = wgt[k,c,r,s] / gain[c],  bias'[k] = bias[k] - sum_{c,r,s} wgt'[k,c,r,s] * offset[c]

o is 0 (unsigned codes) or 128 (signed ones), whichever is nearer to the pixel that stands for real 0. The
trained network pads with real 0, which is the pixel scale * mean[c]: where that is code 0 in every channel
the layers go on padding; elsewhere the *image* is padded with the code nearest to it, as far as windows reach,
and the layers' own pads become 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..quant.arithmetic import FloatArray
from ..quant.formats import QFormat
from ..quant.network import Stem
from .graph import Graph, RealLayer
from .images import Preprocessing

__all__ = ["ExactInput", "exact_input", "given_input"]

Pads = tuple[int, int, int, int]
_PIXELS = np.arange(256, dtype=np.uint8)
_NOTHING = 1e-6


@dataclass(frozen=True, kw_only=True)
class ExactInput:
    """A network whose input's codes, of ``format``, are pixels; ``graph`` takes what ``stem`` makes."""

    graph: Graph
    format: QFormat
    stem: Stem | None
    """None: ``graph`` is the trained network, whose real input is the pixels times a power of two."""

    def real(self, images: FloatArray) -> FloatArray:
        """The input of ``graph``, from that of the trained network."""
        return images if self.stem is None else self.stem.apply(images)


def exact_input(graph: Graph, preprocessing: Preprocessing, width: int = 8) -> ExactInput | None:
    """The network with the normalization of its input folded, or None where that cannot be.

    ``width``: bits of the input's codes. It needs 8; readers that are convolutions; where the image must be
    padded, windows that all reach equally far and a border that a pixel can show; a normalization that
    float32 can undo.
    """
    if width < 8 or graph.input in graph.outputs:
        return None
    readers = [layer for layer in graph.layers if graph.input in layer.inputs]
    if not readers or any(layer.kind != "conv" or graph.input in layer.inputs[1:] for layer in readers):
        return None
    channels = graph.shapes[graph.input][2]
    mean, std = (np.broadcast_to(np.asarray(v, np.float64), channels)
                 for v in (preprocessing.mean, preprocessing.std))  # fmt: skip
    gain, zero = preprocessing.scale * std, preprocessing.scale * mean
    o = 128 if float(np.mean(np.abs(zero - 128))) < float(np.mean(np.abs(zero))) else 0
    offset = np.where(np.abs(zero - o) < _NOTHING, 0.0, zero - o)
    stem = Stem(gain=gain, offset=offset)
    pixels = np.broadcast_to(_PIXELS[None, :, None, None], (1, 256, 1, channels))
    error = stem.apply(preprocessing.apply(pixels)) - (pixels.astype(np.int64) - o)
    if not np.all(np.abs(error) < 1e-3):
        return None
    exponent = np.frexp(gain[0])[1] - 1
    if not np.any(offset) and np.all(gain == np.ldexp(1.0, exponent)):
        return ExactInput(graph=graph, format=QFormat(width, int(exponent), signed=o > 0), stem=None)
    pads: Pads = (0, 0, 0, 0)
    if np.any(offset):
        reaches = {_reach(graph, layer) for layer in readers}
        if len(reaches) > 1:
            return None
        pads = reaches.pop()
    fmt = QFormat(width, 0, signed=o > 0)
    if any(pads) and not np.all((offset >= fmt.min) & (offset <= fmt.max)):
        return None
    folded = tuple(_folded(layer, gain, offset) if layer in readers else layer for layer in graph.layers)
    height, wide, _ = graph.shapes[graph.input]
    top, left, bottom, right = pads
    shapes = {**graph.shapes, graph.input: (height + top + bottom, wide + left + right, channels)}
    return ExactInput(
        graph=replace(graph, layers=folded, shapes=shapes),
        format=fmt,
        stem=replace(stem, pads=pads),
    )


def given_input(graph: Graph) -> ExactInput | None:
    """The network behind the QuantizeLinear that a quantized file has at its input, and a normalization before it.

    None where the file has no format there (``Graph.formats``).
    """
    readers = [layer for layer in graph.layers if graph.input in layer.inputs]
    if len(readers) != 1 or graph.input in graph.outputs or readers[0].output in graph.outputs:
        return None
    head = readers[0]
    fmt = graph.formats.get(head.output)
    if fmt is None or len(head.inputs) > 1 or head.kernel != (1, 1) or head.stride != (1, 1):
        return None
    stem = None
    if head.kind == "conv" and head.weight is not None:
        gain = np.diag(head.weight[:, :, 0, 0])
        if (
            head.groups != 1
            or not np.array_equal(head.weight[:, :, 0, 0], np.diag(gain))
            or np.any(gain <= 0)
        ):
            return None
        stem = Stem(gain=gain, offset=np.zeros(len(gain)) if head.bias is None else head.bias, pads=head.pads)
    elif head.kind != "avgpool":
        return None

    def name(tensor: str) -> str:
        return graph.input if tensor == head.output else tensor

    layers = tuple(
        replace(layer, inputs=tuple(map(name, layer.inputs))) for layer in graph.layers if layer is not head
    )
    shapes = {name(tensor): shape for tensor, shape in graph.shapes.items() if tensor != graph.input}
    formats = {name(tensor): known for tensor, known in graph.formats.items()}
    inside = replace(graph, layers=layers, shapes=shapes, formats=formats)
    return ExactInput(graph=inside, format=fmt, stem=stem)


def _reach(graph: Graph, layer: RealLayer) -> Pads:
    """How far the layer's windows reach outside of the input's map."""
    (height, width, _), (out_height, out_width, _) = graph.shapes[graph.input], graph.shapes[layer.output]
    ends = [
        max(0, (count - 1) * stride + (taps - 1) * dilation + 1 - pad - size)
        for count, stride, taps, dilation, pad, size in zip(
            (out_height, out_width), layer.stride, layer.kernel, layer.dilation, layer.pads[:2], (height, width),
            strict=True,
        )
    ]  # fmt: skip
    return (layer.pads[0], layer.pads[1], ends[0], ends[1])


def _folded(layer: RealLayer, gain: FloatArray, offset: FloatArray) -> RealLayer:
    if layer.weight is None:
        raise ValueError(f"layer {layer.name!r} needs weights, not None")
    weight = np.asarray(layer.weight, np.float64)
    count, inside = weight.shape[:2]
    group = np.arange(count) // (count // layer.groups)
    channel = group[:, None] * inside + np.arange(inside)  # [K, C / groups]
    weight = weight / gain[channel][:, :, None, None]
    if not np.any(offset):
        return replace(layer, weight=weight)
    bias = np.zeros(count) if layer.bias is None else np.asarray(layer.bias, np.float64)
    bias = bias - np.einsum("kcrs,kc->k", weight, offset[channel])
    return replace(layer, weight=weight, bias=bias, pads=(0, 0, 0, 0))
