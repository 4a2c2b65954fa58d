"""What is measured: networks, engines, targets. Every figure of docs/benchmarks.md is one ``Case``.

All with the bench memory of docs/architecture.md, 8 bits and a 128 KB scratchpad unless the case says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ...hw.config import EngineConfig

__all__ = ["CASES", "Case", "Target", "chosen"]

What = Literal["one image", "back to back", "steady state", "cycles", "bound"]


@dataclass(frozen=True)
class Target:
    """A figure to reach.

    ``one image``, ``back to back``, ``steady state``: percent of the multipliers' peak, at least. ``cycles`` of
    one image, at most. ``bound``: points of utilization of one image below what the array's shape and the weights' way
    through the port allow (``bound.port_cycles``), at most.
    """

    what: What
    value: float

    def __str__(self) -> str:
        if self.what == "cycles":
            return f"<= {self.value:,.0f} cycles"
        if self.what == "bound":
            return f"within {self.value:g} points of the bound"
        return f"{self.what} >= {self.value:g} %"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row. ``network``: a name of ``sources.SOURCES``.

    ``images``: run alone, then all back to back. ``steady``: report what each further image takes,
    (cycles of all - cycles of one) / (images - 1). ``rtl``: simulate; otherwise the cycle model alone.
    ``slow``: only `make bench-slow` measures it.
    """

    name: str
    network: str
    config: EngineConfig
    mem_latency: int = 30
    images: int = 2
    targets: tuple[Target, ...] = ()
    steady: bool = False
    rtl: bool = True
    slow: bool = False


def _square(size: int = 16, **others: Any) -> EngineConfig:
    return EngineConfig(rows=size, cols=size, **others)


def _both(one: float, stream: float) -> tuple[Target, Target]:
    return Target("one image", one), Target("back to back", stream)


_STEADY = (Target("steady state", 99),)
_BOUND = (Target("bound", 1.5),)


def _layer(network: str, slow: bool = False) -> Case:
    return Case(
        name=network, network=network, config=_square(), images=3, steady=True, slow=slow, targets=_STEADY
    )


def _part(network: str) -> Case:
    return Case(name=network, network=network, config=_square(), images=1, slow=True)


def _resnet20(name: str, config: EngineConfig, mem_latency: int = 30, slow: bool = True) -> Case:
    return Case(
        name=f"resnet20 {name}", network="cifar10_resnet20_folded_b1", config=config, mem_latency=mem_latency,
        targets=_BOUND, slow=slow,
    )  # fmt: skip


CASES: tuple[Case, ...] = (
    Case(name="resnet20", network="cifar10_resnet20_folded_b1", config=_square(), targets=_both(97.5, 98.5)),
    Case(name="resnet56", network="cifar10_resnet56_bn_dyn", config=_square(), targets=_both(98.5, 99)),
    Case(name="resnet8", network="mlperf_ic_resnet8_bn_dyn", config=_square(), targets=_both(94, 95)),
    Case(
        name="mobilenet 0.25", network="mlperf_vww_mobilenetv1_025_bn_dyn", config=_square(),
        targets=(Target("one image", 55),),
    ),
    Case(
        name="mobilenet 0.25, 128-bit port", network="mlperf_vww_mobilenetv1_025_bn_dyn",
        config=_square(port_width=128), targets=(Target("one image", 65),),
    ),
    Case(name="demo", network="demo", config=_square(8), targets=(Target("back to back", 95),)),
    Case(
        name="nngen 8x16", network="nngen", config=EngineConfig(rows=8, cols=16, port_width=128),
        targets=(Target("cycles", 51_500),),
    ),
    Case(name="nngen 16x16", network="nngen", config=_square(port_width=128), targets=(Target("cycles", 26_000),)),
    _layer("conv3x3_64_64_32"),
    _layer("conv3x3_64_64_56"),
    _layer("conv1x1_256_64_28"),
    _layer("conv3x3s2_64_128_56"),
    _resnet20("8x16", EngineConfig(rows=8, cols=16), slow=False),
    _resnet20("12x12", _square(12)),
    _resnet20("32x32", _square(32)),
    _resnet20("5x7", EngineConfig(rows=5, cols=7)),
    _resnet20("5x7, 32-bit port, latency 100", EngineConfig(rows=5, cols=7, port_width=32), 100),
    _part("vgg16_conv1_1"),
    _part("vgg16_conv1_2"),
    _part("vgg16_conv3_2"),
    _part("vgg16_conv5_3"),
    _part("resnet50_conv1"),
    _part("resnet50_conv3_1.b"),
    _part("resnet50_conv5_3.b"),
    Case(
        name="vgg16", network="vgg16", config=_square(), images=1, targets=(Target("one image", 99),), rtl=False,
        slow=True,
    ),
    Case(
        name="resnet50", network="resnet50", config=_square(), images=1, targets=(Target("one image", 96),),
        rtl=False, slow=True,
    ),
)  # fmt: skip
"""In the order of the page."""


def chosen(names: list[str], slow: bool) -> list[Case]:
    """The cases of these names, or, without names, the fast ones, or with ``slow`` all; raises ValueError."""
    known = {case.name: case for case in CASES}
    for name in names:
        if name not in known:
            raise ValueError(f"case {name!r} does not exist: one of {', '.join(map(repr, known))}")
    return [known[name] for name in names] or [case for case in CASES if slow or not case.slow]
