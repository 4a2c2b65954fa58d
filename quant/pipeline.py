"""The order of the quantizer's steps.

equalize -> absorb -> weight phase -> data phase, each layer corrected as its inputs freeze
         -> search by the network's output -> data phase again at the formats found
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .absorption import absorb
from .analytic_bias import expected_inputs
from .arithmetic import FloatArray, IntArray
from .balance import balance, clipped
from .channel_bits import allocate
from .data_phase import DataPhase, run_data_phase
from .equalization import rescale
from .formats import QFormat
from .layers import TooFine
from .noise import gains, measured
from .observation import observe
from .options import Options
from .output_search import Formats, search_by_output
from .protocol import Network
from .refine import Refinement
from .search import method_named, search_channels, search_weights
from .ties import narrow

__all__ = ["Pipeline"]

_RESTARTS = 64
_BATCH_VALUES = 1 << 23  # of one tensor in one batch
_OBSERVED = 64
_SEARCH_IMAGES = 64
_SEARCH_VALUES = 1 << 26  # activations of all images together, in the search by the output


class Pipeline:
    """One quantization of ``network`` on ``images`` (checked by the caller)."""

    def __init__(self, network: Network, images: FloatArray, options: Options) -> None:
        self._images, self._options = images, options
        self._method = method_named(options.method)
        largest = max(h * w * c for h, w, c in network.shapes.values())
        self._batch = options.batch or max(1, min(16, _BATCH_VALUES // largest))
        self._scales: Mapping[str, FloatArray] = {}
        self._bits: dict[str, IntArray] = {}
        self._narrow = narrow(network)
        self._network = self._equalized(network)
        if "absorb" in options.correct:
            self._network = absorb(self._network)
        known = options.input_format
        self._fixed: Mapping[str, int] = {name: fmt.fl for name, fmt in options.formats.items()}
        if known is not None:
            self._fixed = {**self._fixed, network.input: known.fl}
        self._caps: dict[str, int] = {}

    @property
    def network(self) -> Network:
        """The trained network, equalized where that was asked for, before its weights are rounded."""
        return self._network

    @property
    def channel_bits(self) -> Mapping[str, IntArray]:
        """By layer, the bits [K] of its channels' weights, where the method gives them their own."""
        return self._bits

    def run(self) -> DataPhase:
        """All steps; raises ValueError where no formats fit."""
        chosen = self._options
        wgt_fl = self._weights()
        rounding = "round" in chosen.correct
        refine = self._refinement()
        result = self._phase(wgt_fl, refine)
        if not self._method.output_loss or chosen.formats:
            return result
        start = Formats(
            {name: tensor.format for name, tensor in result.network.tensors.items()},
            {
                layer.name: layer.wgt_fl
                for layer in result.network.layers
                if layer.kind == "conv" and layer.wgt_fl is not None
            },
        )
        values = sum(h * w * c for h, w, c in self._network.shapes.values())
        count = max(1, min(_SEARCH_IMAGES, _SEARCH_VALUES // values))
        found = search_by_output(
            result.made,
            self._network,
            self._images[:: max(1, len(self._images) // count)][:count],
            start,
            wgt_width=self._wgt_width,
            acc_width=chosen.acc_width,
            per_channel=chosen.per_channel,
            weights=not rounding,
            batch=self._batch,
            threads=chosen.threads or _cores(),
            loss=self._method.output_loss,
            pinned=self._fixed,
        )
        self._fixed = {name: fmt.fl for name, fmt in found.tensors.items()}
        if refine is not None:
            refine = replace(refine, offsets=())
        return self._phase(dict(found.wgt_fl), refine)

    def _weights(self) -> dict[str, IntArray]:
        """The weight phase: fl [K] of every layer, and bits [K] where the method gives channels their own."""
        found = {}
        for layer in self._network.layers:
            if layer.weight is None or layer.kind != "conv":
                continue
            width = self._wgt_width(layer.name)
            if layer.name in self._options.wgt_fl:
                found[layer.name] = self._options.wgt_fl[layer.name]
            elif self._method.channel_bits:
                self._bits[layer.name] = allocate(layer.weight, width)
                found[layer.name] = search_channels(layer.weight, self._bits[layer.name], self._method)
            else:
                found[layer.name] = search_weights(
                    layer.weight, width, self._method, self._options.per_channel
                )
        return found

    def _refinement(self) -> Refinement | None:
        chosen = self._options
        images = {"bias", "round"} & set(chosen.correct)
        if not images and not self._bits and "bias-analytic" not in chosen.correct:
            return None
        means: Mapping[str, FloatArray] = {}
        if "bias-analytic" in chosen.correct:
            axes, values = (0, 1, 2), np.asarray(self._images, np.float64)
            means = expected_inputs(self._network, values.mean(axis=axes), values.var(axis=axes))
        return Refinement(
            rounding="round" in chosen.correct, bias=bool(images), means=means, wgt_bits=self._bits,
            per_channel=chosen.per_channel,
        )  # fmt: skip

    def _equalized(self, network: Network) -> Network:
        octaves = "shift" in self._options.correct
        if not octaves and "equalize" not in self._options.correct:
            return network
        count = max(1, len(self._images) // _OBSERVED)
        seen = observe(network, self._images[::count][:_OBSERVED], self._batch)
        widths = {"act_width": self._options.act_width, "wgt_width": self._options.wgt_width}
        gain = measured(network, seen, gains(network, seen), self._images[::count][:4])
        factors = balance(
            network, seen, gain=gain, octaves=octaves, per_channel=self._options.per_channel, **widths
        )
        self._scales = {name: factor for name, factor in factors.items() if np.any(factor != 1.0)}
        return rescale(network, factors, clipped(network, seen))

    def _wgt_width(self, name: str) -> int:
        if name in self._bits:
            return int(self._bits[name].max())
        return self._options.wgt_widths.get(name, self._options.wgt_width)

    def _act_width(self, name: str) -> int:
        return min(self._options.act_widths.get(name, self._options.act_width), self._narrow.get(name, 16))

    def _phase(self, wgt_fl: Mapping[str, IntArray], refine: Refinement | None) -> DataPhase:
        chosen, name = self._options, self._network.input
        signed = chosen.input_range is None or chosen.input_range[0] < 0.0
        known = chosen.input_format or QFormat(self._act_width(name), 0, signed)
        for _ in range(_RESTARTS):
            try:
                return run_data_phase(
                    self._network,
                    self._images,
                    method=self._method,
                    wgt_fl=wgt_fl,
                    caps=self._caps,
                    input_format=known,
                    act_width=self._act_width,
                    wgt_width=self._wgt_width,
                    acc_width=chosen.acc_width,
                    per_channel=chosen.per_channel,
                    batch=self._batch,
                    threads=chosen.threads,
                    fixed=self._fixed,
                    given=chosen.formats,
                    refine=refine,
                    scales=self._scales,
                )
            except TooFine as error:
                self._caps[error.tensor] = error.fl
        raise ValueError(
            f"tensors {', '.join(map(repr, self._caps))} find no fl that their residual additions can take: "
            "quantize with more weight bits, or with one fl per layer"
        )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
