"""How to quantize: ``Options``, checked when made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .formats import QFormat
from .network import IntArray
from .search import DEFAULT_METHOD, method_named

__all__ = ["CORRECTIONS", "DATA_FREE_CORRECT", "DEFAULT_CORRECT", "Options"]

CORRECTIONS = {
    "equalize": "move per-channel factors between layers, so that codes and scales fit their ranges",
    "shift": "the same with powers of two only",
    "absorb": "take what a layer's sums always exceed, by BatchNormalization, into the next layer's bias",
    "bias": "fold the mean error of each layer's output into its bias",
    "bias-analytic": "the same without looking at images: by BatchNormalization's mean and deviation",
    "round": "round weight codes by the error of the layer's output, not one by one; corrects the bias too",
}
"""Name and meaning. None of them changes the hardware."""

DEFAULT_CORRECT = ("equalize", "round")
"""What the command line and the API apply unless told otherwise."""

DATA_FREE_CORRECT = ("round",)
"""The same where no images are given: the largest values of single channels, which equalization rests on, are the
part of a network that synthetic images do not show."""

_WIDTHS = (2, 3, 4, 5, 6, 7, 8, 16)


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
    input_format: QFormat | None = None
    """the format of the input's codes where it is known, whatever ``act_width``, range and method say."""
    act_widths: Mapping[str, int] = field(default_factory=dict)
    """by tensor name."""
    wgt_widths: Mapping[str, int] = field(default_factory=dict)
    """by layer name."""
    formats: Mapping[str, QFormat] = field(default_factory=dict)
    """by tensor, of a network that is quantized already: no fl is chosen."""
    wgt_fl: Mapping[str, IntArray] = field(default_factory=dict)
    """[K] by layer, likewise."""
    correct: tuple[str, ...] = ()
    """corrections to apply, names of ``CORRECTIONS``."""
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
        for name in self.correct:
            if name not in CORRECTIONS:
                raise ValueError(f"correct must name some of {', '.join(CORRECTIONS)}, not {name!r}")
        if {"equalize", "shift"} <= set(self.correct):
            raise ValueError("correct must name equalize or shift, not both")
        if "bias-analytic" in self.correct and {"bias", "round"} & set(self.correct):
            raise ValueError("correct must name bias-analytic alone, or bias or round, not two of them")
        if method_named(self.method).channel_bits and not self.per_channel:
            raise ValueError(f"method {self.method} needs per_channel: its channels have bits of their own")
