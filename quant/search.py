"""The greedy searches: one tensor, one fractional length (Qiu et al., FPGA 2016, and its descendants).

``fl = argmin over candidates of sum |x - x(width, fl)|**p``, p = 1 (the paper) or 2 (the descendant)

Candidates lie on both sides of the overflow-free fl: saturating a few outliers may pay. Among equal losses
the one nearest to the overflow-free fl wins, the finer one first. With votes, activations take

``fl = the candidate that is the argmin for most batches of 8 images``, ties by the smaller sum over all images
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .arithmetic import FloatArray, IntArray, round_half_even
from .formats import QFormat
from .range_rules import RULES, Histogram, rule_losses
from .ranges import FL_LIMIT, overflow_free_fl

__all__ = [
    "DEFAULT_METHOD", "METHODS", "VOTERS", "Method", "best_fl", "majority_fl", "method_named", "search_channels",
    "search_weights",
]  # fmt: skip

VOTERS = 8
"""Images of one vote: fixed, so that the result does not depend on how many run at a time."""


@dataclass(frozen=True)
class Method:
    """A way to choose fl: the exponent of the loss and the offsets from the overflow-free fl it tries."""

    name: str
    power: int
    offsets: tuple[int, ...]
    rule: str = ""
    """one of ``range_rules.RULES`` where the values' histogram decides instead of the error."""
    votes: bool = False
    """where the batches vote instead of adding up their losses."""
    channel_bits: bool = False
    """where each channel's weights have bits of their own (``channel_bits``)."""
    output_loss: Literal["", "squares", "kl"] = ""
    """where this is only the start of a search by the network's output (``output_search``)."""
    meaning: str = ""
    """one line for people."""

    @property
    def by_output(self) -> bool:
        """Does a search by the network's output follow?"""
        return bool(self.output_loss)

    def loss(self, error: FloatArray, axis: int | tuple[int, ...] | None = None) -> FloatArray:
        """``sum |error|**power``, over all elements or over ``axis``."""
        magnitude = np.abs(error) if self.power == 1 else error * error
        return np.asarray(np.sum(magnitude, axis=axis, dtype=np.float64))


_RULES = {
    "percentile": "the finest threshold that holds 99.99 % of the values",
    "kl": "least divergence of the clipped histogram from its quantization (TensorRT)",
    "aciq-gauss": "least squared error of a Gaussian, analytically (ACIQ)",
    "aciq-laplace": "least squared error of a Laplace distribution, analytically (ACIQ)",
}

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("non-overflow", 1, (0,), meaning="the finest format in which nothing saturates"),
        Method(
            "qiu-l1", 1, (0, 1, -1, 2, -2, 3, 4, 5, 6), meaning="least sum of absolute errors (Qiu et al.)"
        ),
        Method("qiu-l2", 2, (0, 1, -1, 2, 3), meaning="least sum of squared errors"),
        Method(
            "qiu-vote", 2, (0, 1, -1, 2, 3), votes=True,
            meaning="least squared error for most batches of 8 images",
        ),
        *(Method(rule, 2, (0, 1, 2, 3), rule=rule, meaning=_RULES[rule]) for rule in RULES),
        Method(
            "aciq-bits", 2, (0, 1, 2, 3), rule="aciq-laplace", channel_bits=True,
            meaning="aciq-laplace, and bits of its own for each channel's weights; needs --per-channel",
        ),
        Method(
            "output", 2, (0, 1, -1, 2, 3), output_loss="squares",
            meaning="qiu-l2, then every fl moved while the squared error of the logits falls",
        ),
        Method(
            "output-kl", 2, (0, 1, -1, 2, 3), output_loss="kl",
            meaning="the same by the logits' divergence from the float network's predictions",
        ),
    )
}  # fmt: skip
DEFAULT_METHOD = "qiu-l2"


def method_named(name: str) -> Method:
    """The method of that name; raises ValueError listing the names there are."""
    if name not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {name!r}")
    return METHODS[name]


def best_fl(offsets: Sequence[int], losses: Sequence[float]) -> int:
    """The offset of the smallest loss; the first in the order of ``offsets`` wins a tie."""
    return offsets[int(np.argmin(np.asarray(losses)))]


def majority_fl(offsets: Sequence[int], losses: FloatArray) -> int:
    """The offset that most batches of ``VOTERS`` images find best; ``losses`` [images, offsets].

    Equal votes: the smaller total loss, then the first in the order of ``offsets``.
    """
    ballots = np.add.reduceat(losses, np.arange(0, len(losses), VOTERS), axis=0)
    votes = np.bincount(np.argmin(ballots, axis=1), minlength=len(offsets))
    total = np.where(votes == votes.max(), losses.sum(axis=0), np.inf)
    return offsets[int(np.argmin(total))]


def search_channels(weight: FloatArray, bits: IntArray, method: Method) -> IntArray:
    """As ``search_weights`` per channel, with ``bits`` [K] of width for each."""
    found = [search_weights(weight, int(width), method, True) for width in np.unique(bits)]
    return np.stack(found)[np.searchsorted(np.unique(bits), bits), np.arange(len(bits))]


def search_weights(weight: FloatArray, width: int, method: Method, per_channel: bool) -> IntArray:
    """``fl_w = argmin sum |W - W(width, fl)|**p`` for a layer, or for each output channel: [K].

    ``weight`` is [K, ...] real; all entries of the result are equal unless ``per_channel``. A channel of
    zeros takes the fl of the whole layer.
    """
    rows = np.asarray(weight, np.float64).reshape(weight.shape[0], -1)
    whole = _search_row(rows.reshape(1, -1), width, method)
    if not per_channel:
        return np.full(rows.shape[0], whole[0], np.int64)
    each = _search_row(rows, width, method)
    return np.where(np.any(rows != 0.0, axis=1), each, whole[0]).astype(np.int64)


def _search_row(rows: FloatArray, width: int, method: Method) -> IntArray:
    start = np.array([overflow_free_fl(float(row.min()), float(row.max()), width) for row in rows], np.int64)
    if method.rule:
        return np.array(
            [_by_rule(row, int(fl), width, method) for row, fl in zip(rows, start, strict=True)], np.int64
        )
    losses = []
    limits = QFormat(width, 0)
    for offset in method.offsets:
        fl = np.clip(start + offset, -FL_LIMIT, FL_LIMIT).astype(np.int32)[:, None]
        code = np.clip(round_half_even(np.ldexp(rows, fl)), limits.min, limits.max)
        losses.append(method.loss(np.ldexp(code, -fl) - rows, axis=1))
    choice = np.argmin(np.stack(losses), axis=0)
    best: IntArray = start + np.asarray(method.offsets, np.int64)[choice]
    return np.clip(best, -FL_LIMIT, FL_LIMIT)


def _by_rule(row: FloatArray, start: int, width: int, method: Method) -> int:
    seen = Histogram.of(row, width - 1 - start)
    losses = rule_losses(method.rule, seen, method.offsets, 1 << width - 1)
    return max(-FL_LIMIT, min(FL_LIMIT, start + best_fl(method.offsets, losses)))
