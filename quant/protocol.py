"""What the quantizer needs to know of a trained network; ``sw.graph`` implements it.

Real tensors are float arrays [N, H, W, C], weights [K, C, R, S].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from .arithmetic import FloatArray, IntArray
from .functions import Function
from .network import Kind, Layer

__all__ = ["Network", "RealLayer"]


class RealLayer(Protocol):
    """One layer before quantization; the fields mean what they mean in ``quant.network.Layer``.

    ``lo``, ``hi`` are the real bounds of its activation function, infinite without one.
    """

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def output(self) -> str: ...
    @property
    def kernel(self) -> tuple[int, int]: ...
    @property
    def stride(self) -> tuple[int, int]: ...
    @property
    def dilation(self) -> tuple[int, int]: ...
    @property
    def pads(self) -> tuple[int, int, int, int]: ...
    @property
    def groups(self) -> int: ...
    @property
    def factor(self) -> tuple[int, int]: ...
    @property
    def counts(self) -> IntArray | None:
        """avgpool: [OH, OW] what each window's sum is divided by; None: the pixels of the kernel."""
        ...

    @property
    def weight(self) -> FloatArray | None: ...
    @property
    def bias(self) -> FloatArray | None: ...
    @property
    def lo(self) -> float: ...
    @property
    def hi(self) -> float: ...
    @property
    def macs(self) -> int: ...
    @property
    def pre_mean(self) -> FloatArray | None:
        """[K] mean of the sums before residual and bounds over the training images; None where unknown."""
        ...

    @property
    def pre_std(self) -> FloatArray | None:
        """[K] their standard deviation; None where unknown."""
        ...

    @property
    def function(self) -> Function | None:
        """table only: what it computes, before lo and hi."""
        ...


class Network(Protocol):
    """A trained network of fused layers in topological order, and the two ways to run one layer."""

    @property
    def name(self) -> str: ...
    @property
    def input(self) -> str: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...
    @property
    def shapes(self) -> Mapping[str, tuple[int, int, int]]:
        """(height, width, channels) of every tensor."""
        ...

    @property
    def layers(self) -> Sequence[RealLayer]: ...

    def forward(self, layer: RealLayer, inputs: Sequence[FloatArray]) -> FloatArray:
        """The real output of one layer, its activation function included, as float32."""
        ...

    def accumulate(self, layer: Layer, inputs: Sequence[FloatArray], bound: int) -> FloatArray:
        """The exact accumulators of one integer layer as float32 or float64; ``bound`` on their magnitude.

        ``inputs`` are codes in any numeric type.
        """
        ...
