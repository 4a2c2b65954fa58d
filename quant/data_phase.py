"""The data phase: fixed-point and float network side by side, layer by layer.

``fl = argmin sum |x_float - x(width, fl)|**p`` over the calibration images, where x(width, fl) requantizes
the exact accumulators of a layer whose inputs are already codes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .arithmetic import FloatArray, IntArray, requantize_exact
from .assembly import finished
from .decisions import decision, wgt_decision
from .evidence import Evidence, Why, weight_evidence
from .formats import QFormat
from .layers import Prepared, TooFine, prepare
from .measure import Batch, Batches, choose_format, inherited, measure
from .network import COPIES, Layer, QuantizedNetwork, Tensor
from .overflow import layer_bound
from .protocol import Network, RealLayer
from .real_layer import Rewritten
from .refine import Maps, Refinement
from .report import LayerReport
from .search import Method
from .store import ActivationStore
from .ties import Ties, choose_shared, never_negative, ties

__all__ = ["DataPhase", "Row", "run_data_phase"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the data phase measured of one layer, before the accumulator's proof."""

    name: str
    layer: Layer
    function: str
    """table only: what it computes, in words."""
    act_fl: int
    out: QFormat
    saturated: float
    sqnr_db: float
    seen: Evidence
    """the output's values."""
    wgt_seen: Evidence | None
    """the weights before they were rounded."""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Of the output and, where it has some, of the weights."""
        return (self.seen,) if self.wgt_seen is None else (self.seen, self.wgt_seen)

    def report(self, acc_bits: int, acc_width: int) -> LayerReport:
        """The layer's row of the report."""
        fl, shift = self.layer.wgt_fl, self.layer.shift
        return LayerReport(
            name=self.name, kind=self.layer.kind, act_fl=self.act_fl,
            wgt_fl=None if fl is None else (int(fl.min()), int(fl.max())),
            wgt_width=None if fl is None else self.layer.wgt_width,
            function=self.function, out_fl=self.out.fl, out_width=self.out.width, out_signed=self.out.signed,
            shift=(int(shift.min()), int(shift.max())), acc_bits=acc_bits, acc_width=acc_width,
            saturated=self.saturated, sqnr_db=self.sqnr_db,
            decision=decision(self.out.fl, self.saturated, self.seen),
            wgt_decision="" if fl is None or self.wgt_seen is None else wgt_decision(fl, self.wgt_seen),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DataPhase:
    """The quantized network, the layers it was made of, one report row a layer, the SQNR of the input's codes."""

    network: QuantizedNetwork
    made: Network
    """the trained network with the weights and biases that the corrections left."""
    rows: tuple[Row, ...]
    input_sqnr_db: float
    input_saturated: float
    input_seen: Evidence


@dataclass
class _State:
    formats: dict[str, QFormat]
    magnitude: dict[str, int]
    fixed: Mapping[str, int]
    tied: Ties
    positive: Mapping[str, bool]
    """of each tensor: can no value be below 0?"""
    given: Mapping[str, QFormat]
    shared: Mapping[str, tuple[QFormat, Evidence]]
    """by root, where it has been chosen for several tensors at once."""


def run_data_phase(
    network: Network,
    images: FloatArray,
    *,
    method: Method,
    wgt_fl: Mapping[str, IntArray],
    caps: Mapping[str, int],
    input_format: QFormat,
    act_width: Callable[[str], int],
    wgt_width: Callable[[str], int],
    acc_width: int,
    per_channel: bool,
    batch: int,
    threads: int,
    fixed: Mapping[str, int] | None = None,
    given: Mapping[str, QFormat] | None = None,
    refine: Refinement | None = None,
    scales: Mapping[str, FloatArray] | None = None,
) -> DataPhase:
    """Choose every activation's fl; see the module. ``input_format``: width and signedness of the input.

    ``caps`` bounds the fl of single tensors, ``fixed`` sets them, ``given`` whole formats; ``refine`` corrects
    each layer as its inputs freeze. ``scales`` are the factors [C] that equalization gave tensors (``Tensor.scale``).
    Raises TooFine where another cap is needed.
    """
    scales = {} if scales is None else scales
    fixed = {} if fixed is None else fixed
    batches = math.ceil(images.shape[0] / batch)
    last_use = {name: i for i, layer in enumerate(network.layers) for name in layer.inputs}
    layers: list[Layer] = []
    rows: list[Row] = []
    corrected: list[RealLayer] = []
    with ActivationStore() as store, ThreadPoolExecutor(threads or _cores()) as pool:

        def remember(
            name: str, fmt: QFormat, get: Callable[[int], Batch], shift: IntArray, lo: int, hi: int
        ) -> None:
            def visit(b: int) -> None:
                store["code:" + name, b] = requantize_exact(get(b)[1], shift, lo, hi).astype(_code_type(fmt))

            list(pool.map(visit, range(batches)))

        def input_batch(b: int) -> Batch:
            real = np.asarray(images[b * batch : (b + 1) * batch], np.float32)
            return real, real

        zero = np.zeros(1, np.int64)
        name, source, tied = network.input, Batches(pool, batches, input_batch), ties(network)
        shared = choose_shared(
            network, tied, source,
            input_format=input_format, method=method, act_width=act_width, caps=caps, fixed=fixed,
        )  # fmt: skip
        if name in shared:
            fmt, seen = shared[name][0], inherited(name, source, shared[name][0])
        else:
            fmt, seen = choose_format(
                name, source, zero, input_format, -math.inf, math.inf, method, caps.get(name), fixed.get(name)
            )
        input_sqnr, input_cut, input_seen = measure(source, zero - fmt.fl, fmt, -math.inf, math.inf, seen)
        positive = never_negative(network, input_format.signed)
        state = _State(
            {name: fmt}, {name: max(-fmt.min, fmt.max)}, fixed, tied, positive, given or {}, shared
        )
        remember(name, fmt, input_batch, zero - fmt.fl, fmt.min, fmt.max)
        for b in range(batches):
            store["float:" + name, b] = input_batch(b)[0]
        for i, real_layer in enumerate(network.layers):
            out = real_layer.output
            made: RealLayer = real_layer
            fl = wgt_fl.get(real_layer.name)
            if refine is not None and fl is not None:

                def visit(of: Callable[[Maps], Any], real_layer: RealLayer = real_layer) -> list[Any]:
                    def one(b: int) -> Any:
                        return of((
                            b * batch,
                            [store["float:" + n, b] for n in real_layer.inputs],
                            [store["code:" + n, b] for n in real_layer.inputs],
                        ))  # fmt: skip

                    return list(pool.map(one, range(batches)))

                made, fl = refine.apply(
                    real_layer,
                    wgt_fl=fl,
                    wgt_width=wgt_width(real_layer.name),
                    formats=state.formats,
                    size=network.shapes[out][:2],
                    images=images.shape[0],
                    visit=visit,
                )
            try:
                ready = prepare(
                    made,
                    formats=state.formats,
                    magnitude=state.magnitude,
                    channels=network.shapes[out][2],
                    wgt_fl=fl,
                    wgt_width=wgt_width(real_layer.name),
                    acc_width=acc_width,
                    per_channel=per_channel,
                )
            except TooFine as error:
                raise TooFine(error.layer, tied.root[error.tensor], error.fl) from None

            def run_batch(b: int, real_layer: RealLayer = real_layer, ready: Prepared = ready) -> None:
                real = network.forward(real_layer, [store["float:" + n, b] for n in real_layer.inputs])
                codes = [store["code:" + n, b] for n in real_layer.inputs]
                store["float:" + real_layer.output, b] = real
                store["acc", b] = network.accumulate(ready.layer, codes, ready.bound)

            def output_batch(b: int, out: str = out) -> Batch:
                return store["float:" + out, b], store["acc", b]

            list(pool.map(run_batch, range(batches)))
            pairs = Batches(pool, batches, output_batch)
            fmt, layer, seen = _finish(real_layer, ready, pairs, state, method, caps, act_width(out))
            lo, hi = (-math.inf, math.inf) if layer.kind in COPIES else (real_layer.lo, real_layer.hi)
            shift = layer.shift if layer.table is None else ready.fl_acc - fmt.fl
            sqnr, saturated, seen = measure(pairs, shift, fmt, lo, hi, seen, scales.get(out))

            def look_up(b: int, layer: Layer = layer, source: str = real_layer.inputs[0]) -> Batch:
                codes = store["code:" + source, b]
                return codes, network.accumulate(layer, [codes], max(layer_bound(layer, state.magnitude)))

            get = output_batch if layer.table is None else look_up
            remember(out, fmt, get, layer.shift, layer.lo, layer.hi)
            store.forget("acc")
            layers.append(layer)
            corrected.append(made)
            act_fl = state.formats[real_layer.inputs[0]].fl
            rows.append(
                Row(
                    name=layer.name, layer=layer, function=str(real_layer.function or ""), act_fl=act_fl,
                    out=fmt, saturated=saturated, sqnr_db=sqnr,
                    seen=seen, wgt_seen=_weights(real_layer, layer, refine is not None and refine.rounding),
                )
            )  # fmt: skip
            for dead in {*real_layer.inputs, out}:
                if last_use.get(dead, -1) <= i:
                    store.forget("float:" + dead)
                    store.forget("code:" + dead)
    quantized = QuantizedNetwork(
        name=network.name,
        input=network.input,
        outputs=tuple(network.outputs),
        tensors={
            n: Tensor(name=n, shape=network.shapes[n], format=f, scale=scales.get(n))
            for n, f in state.formats.items()
        },
        layers=tuple(layers),
    )
    made_of = Rewritten(network, corrected)
    return DataPhase(
        network=quantized, made=made_of, rows=tuple(rows),
        input_sqnr_db=input_sqnr, input_saturated=input_cut, input_seen=input_seen,
    )  # fmt: skip


def _weights(real: RealLayer, layer: Layer, fitted: bool) -> Evidence | None:
    """What is seen of the weights; ``fitted``: their fl was chosen with their codes, by the layer's output."""
    if real.weight is None or layer.wgt_fl is None or layer.kind != "conv":
        return None
    why: Why = "fixed" if fitted else "loss"
    return weight_evidence(real.name, real.weight, layer.wgt_width, layer.wgt_fl, why)


def _finish(
    real: RealLayer,
    ready: Prepared,
    pairs: Batches,
    state: _State,
    method: Method,
    caps: Mapping[str, int],
    width: int,
) -> tuple[QFormat, Layer, Evidence]:
    """Freeze the output's format of a layer: its tensor enters ``state``, its shift and bounds the layer."""
    out = real.output
    shared = state.shared.get(state.tied.root[out])
    if real.kind in COPIES:
        fmt = state.formats[real.inputs[0]]
        seen = inherited(out, pairs, fmt)
        layer = finished(real, ready, fmt)
        state.magnitude[out] = ready.bound
    else:
        if shared is not None:
            fmt, seen = state.given.get(out, shared[0]), replace(shared[1], name=out)
        else:
            signed = out in state.tied.signed or not _never_negative(real, ready.layer, state)
            kind = state.given.get(out) or QFormat(width, 0, signed)
            fixed = state.fixed.get(out)
            fmt, seen = choose_format(
                out, pairs, ready.fl_acc, kind, real.lo, real.hi, method, caps.get(out), fixed
            )
        layer = finished(real, ready, fmt)
        state.magnitude[out] = max(abs(layer.lo), abs(layer.hi))
    state.formats[out] = fmt
    return fmt, layer, seen


def _never_negative(real: RealLayer, layer: Layer, state: _State) -> bool:
    """Is no output below 0 possible: by its bounds, by its function, or as no term of its sums is negative?"""
    if real.kind in ("table", "product"):
        return state.positive[real.output]
    terms = [values for values in (layer.wgt, layer.bias) if values is not None]
    positive = all(int(values.min()) >= 0 for values in terms)
    return real.lo >= 0.0 or (positive and not any(state.formats[name].signed for name in real.inputs))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _code_type(fmt: QFormat) -> str:
    """The smallest NumPy type that holds the codes: int8, uint8, int16 or uint16."""
    return f"{'int' if fmt.signed else 'uint'}{8 if fmt.width <= 8 else 16}"
