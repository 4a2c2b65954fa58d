"""Sensitivity: what the width of one layer's weights costs the network's output, the layer alone.

``error[l, w] = sum |logits_float - logits(layer l at w bits, the others as they are)|**2 / sum |logits_float|**2``

The others are those of a network that is quantized already, and the activations keep its formats. Layer l
gets the codes the quantizer would give it there: the fl of the method, rounded to nearest, or with the learned
rounding and the bias of ``refine`` where the options ask for them (of corrections that look at no image, and
of bits that differ from channel to channel, nothing enters the table). Sums are exact integers, and a candidate
runs from its layer on: what comes before is kept.

A residual operand finer than the accumulator of a narrow layer is rounded to it, which is what the cap on
that tensor's fl does in a whole quantization. Where it is the layer's own input no cap helps: the layer cannot
have that width, and its error is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .arithmetic import FloatArray, quantize_real, requantize_exact
from .assembly import finished
from .blas_threads import batch_size, one_blas_thread, workers
from .formats import QFormat
from .layers import Prepared, TooFine, prepare
from .network import Layer, QuantizedNetwork
from .options import Options
from .overflow import code_magnitudes, layer_bound
from .protocol import Network, RealLayer
from .refine import Maps, Refinement
from .rounding import Moments
from .scores import Score, score, spread
from .search import method_named, search_weights

__all__ = ["WIDTHS", "Probe", "Sensitivity", "sensitivity", "weight_counts"]

WIDTHS = (2, 3, 4, 5, 6, 7, 8, 16)
_IMAGES = 64
_BYTES = 1 << 29  # of float values and codes kept, of all images


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """The table: a score for each layer with weights and each width; ``base``: the network as it is."""

    counts: Mapping[str, int]
    """weights of each layer, in the network's order."""
    widths: tuple[int, ...]
    default: Mapping[str, int]
    """the widths that the layers have in the network."""
    base: Score
    scores: Mapping[str, Mapping[int, Score]]
    images: int

    def errors(self) -> dict[str, dict[int, float]]:
        """The increase of the error over the base by layer and width: what an allocation adds up."""
        return {
            name: {width: row[width].error - self.base.error for width in self.widths}
            for name, row in self.scores.items()
        }


def weight_counts(network: Network) -> dict[str, int]:
    """The number of weights of each layer that has them, in the network's order."""
    return {
        layer.name: int(layer.weight.size)
        for layer in network.layers
        if layer.kind == "conv" and layer.weight is not None
    }


Codes = list[FloatArray]
"""One tensor, batch by batch."""


@dataclass(frozen=True)
class _Made:
    """A layer ready to run; ``drop``: bits of the residual's codes below the accumulator's last."""

    layer: Layer
    bound: int
    drop: int = 0


class Probe:
    """A quantized network on fixed images, in which any layer's weights can take another width.

    ``network`` holds the layers as trained (or equalized), ``quantized`` what was made of them with
    ``options``, ``images`` are real inputs [N, H, W, C] of ``network``. ``base`` is the score as it is.
    """

    def __init__(
        self,
        network: Network,
        quantized: QuantizedNetwork,
        images: FloatArray,
        options: Options,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._network, self._quantized, self._options, self._pool = network, quantized, options, pool
        self._formats = {name: tensor.format for name, tensor in quantized.tensors.items()}
        self._magnitude = code_magnitudes(quantized)
        self._method = method_named(options.method)
        rounding = "round" in options.correct
        self._refine: Refinement | None = None
        if rounding or "bias" in options.correct:
            self._refine = Refinement(rounding=rounding, per_channel=options.per_channel)
        self._count = len(images)
        self._batch = batch_size(network.shapes.values())
        parts = [
            np.asarray(images[i : i + self._batch], np.float32) for i in range(0, len(images), self._batch)
        ]
        self._real = self._run_float(parts)
        self._target = np.concatenate(self._real[network.outputs[0]])
        self._base = [_Made(layer, max(layer_bound(layer, self._magnitude))) for layer in quantized.layers]
        source = network.input
        self._codes = {
            source: [self._narrow(source, quantize_real(part, self._formats[source])) for part in parts]
        }
        for layer, made in zip(network.layers, self._base, strict=True):
            self._codes[layer.output] = self._run(made, layer, self._codes, pool.map)
        self._moments: tuple[str, list[Moments]] = ("", [])
        self.base = self._score(self._codes)

    def alone(self, name: str, width: int) -> Score:
        """The score with one layer at ``width`` bits, the others as they are."""
        first = next(i for i, layer in enumerate(self._network.layers) if layer.name == name)
        real = self._network.layers[first]
        live: dict[str, Codes] = dict(self._codes)
        made = self._made(real, width, live, keep=True)
        if made is None:
            return Score(error=math.inf, kl=math.inf, agreement=0.0)
        live[real.output] = self._run(made, real, live, map)
        touched = {real.output}
        for layer, base in zip(self._network.layers[first + 1 :], self._base[first + 1 :], strict=True):
            if touched & set(layer.inputs):
                live[layer.output] = self._run(base, layer, live, map)
                touched.add(layer.output)
        return self._score(live)

    def together(self, widths: Mapping[str, int]) -> Score:
        """The score with every layer at its width, each made on what the layers before it leave."""
        live: dict[str, Codes] = {self._network.input: self._codes[self._network.input]}
        for layer, base in zip(self._network.layers, self._base, strict=True):
            made = self._made(layer, widths[layer.name], live) if layer.name in widths else base
            if made is None:
                raise ValueError(f"layer {layer.name!r} cannot have weights of {widths[layer.name]} bits")
            live[layer.output] = self._run(made, layer, live, self._pool.map)
        return self._score(live)

    def _made(
        self, real: RealLayer, width: int, live: Mapping[str, Codes], keep: bool = False
    ) -> _Made | None:
        """The layer with weights of ``width`` bits for inputs ``live``; ``keep``: they are the base's.

        None where it cannot have that width.
        """
        if real.weight is None:
            raise ValueError(f"layer {real.name!r} has no weights to give {width} bits")
        fl, made = search_weights(real.weight, width, self._method, self._options.per_channel), real
        if self._refine is not None:

            def visit(of: Callable[[Maps], Moments]) -> list[Moments]:
                if keep and self._moments[0] == real.name:
                    return self._moments[1]

                def one(b: int) -> Moments:
                    floats, codes = ([by[name][b] for name in real.inputs] for by in (self._real, live))
                    return of((b * self._batch, floats, codes))

                found = list(self._pool.map(one, range(-(-self._count // self._batch))))
                if keep:
                    self._moments = real.name, found
                return found

            made, fl = self._refine.apply(
                real, wgt_fl=fl, wgt_width=width, formats=self._formats,
                size=self._network.shapes[real.output][:2], images=self._count, visit=visit,
            )  # fmt: skip

        def attempt(formats: Mapping[str, QFormat]) -> Prepared:
            return prepare(
                made, formats=formats, magnitude=self._magnitude,
                channels=self._network.shapes[real.output][2], wgt_fl=fl, wgt_width=width,
                acc_width=self._options.acc_width, per_channel=self._options.per_channel,
            )  # fmt: skip

        drop = 0
        try:
            ready = attempt(self._formats)
        except TooFine as error:
            if error.tensor == real.inputs[0]:
                return None
            fine = self._formats[error.tensor]
            drop = fine.fl - error.fl
            ready = attempt({**self._formats, error.tensor: replace(fine, fl=error.fl)})
        return _Made(finished(real, ready, self._formats[real.output]), ready.bound, drop)

    def _run(
        self,
        made: _Made,
        layer: RealLayer,
        live: Mapping[str, Codes],
        visit: Callable[..., Iterable[FloatArray]],
    ) -> Codes:
        """The output codes of a layer, batch by batch, on inputs ``live``."""

        def one(*maps: FloatArray) -> FloatArray:
            inputs = list(maps)
            if made.drop:
                inputs[1] = np.rint(np.ldexp(np.asarray(inputs[1], np.float64), -made.drop))
            acc = self._network.accumulate(made.layer, inputs, made.bound)
            out = requantize_exact(acc, made.layer.shift, made.layer.lo, made.layer.hi)
            return self._narrow(layer.output, out)

        return list(visit(one, *(live[name] for name in layer.inputs)))

    def _narrow(self, name: str, codes: FloatArray) -> FloatArray:
        fmt = self._formats[name]
        return codes.astype(f"{'int' if fmt.signed else 'uint'}{8 if fmt.width <= 8 else 16}")

    def _score(self, live: Mapping[str, Codes]) -> Score:
        name = self._network.outputs[0]
        return score(self._target, np.concatenate(live[name]) * self._formats[name].step)

    def _run_float(self, parts: Codes) -> dict[str, Codes]:
        live = {self._network.input: parts}
        for layer in self._network.layers:

            def one(*maps: FloatArray, layer: RealLayer = layer) -> FloatArray:
                return self._network.forward(layer, maps)

            live[layer.output] = list(self._pool.map(one, *(live[name] for name in layer.inputs)))
        return live


def sensitivity(
    network: Network,
    quantized: QuantizedNetwork,
    images: FloatArray,
    options: Options,
    *,
    widths: Sequence[int] = WIDTHS,
    count: int = _IMAGES,
    progress: Callable[[str], None] = lambda line: None,
) -> Sensitivity:
    """The table of every layer with weights at every width, on at most ``count`` of the images.

    Arguments as ``Probe``. Fewer images where the network's maps are so large that all their codes would not
    fit half a gigabyte. Raises ValueError for widths that are none, and for a network without weights.
    """
    for width in widths:
        if width not in WIDTHS:
            raise ValueError(f"widths must be 2 to 8 or 16 bits, not {width!r}")
    counts = weight_counts(network)
    default = {layer.name: layer.wgt_width for layer in quantized.layers if layer.name in counts}
    if not counts:
        raise ValueError(f"network {network.name!r} has no weights: there is nothing to allocate")
    values = sum(h * w * c for h, w, c in network.shapes.values())
    chosen = spread(images, max(1, min(count, _BYTES // (5 * values))))
    with one_blas_thread(), ThreadPoolExecutor(options.threads or workers()) as pool:
        probe = Probe(network, quantized, chosen, options, pool)
        rows: dict[str, dict[int, Score]] = {}
        for number, name in enumerate(counts, 1):
            cells = [width for width in widths if width != default[name]]
            found = {width: probe.alone(name, width) for width in cells[:1]}  # what the others need is kept
            found.update(zip(cells[1:], pool.map(partial(probe.alone, name), cells[1:]), strict=True))
            rows[name] = {width: found.get(width, probe.base) for width in widths}
            progress(f"sensitivity of layer {number} of {len(counts)}: {name}")
    return Sensitivity(
        counts=counts,
        widths=tuple(widths),
        default=default,
        base=probe.base,
        scores=rows,
        images=len(chosen),
    )
