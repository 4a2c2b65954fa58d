"""Clock, size and bitstream of an engine on an FPGA: yosys, nextpnr and the family's packer, from their wheels.

    component -> RTLIL -> yosys (netlist of the family's cells) -> nextpnr, once for each seed -> packer, best seed

The component stands in ``hw.harness.Harness``: every port ends in a register, nothing is optimized away, four pins
are enough. Results are kept by content: RTLIL, pins, tools' versions and options name a folder with ``yosys.log``,
``nextpnr_RUN.log``, ``report_RUN.json`` and the bitstream in ``$SYSTOLITH_CACHE``, else ``$XDG_CACHE_HOME/systolith``,
else ``~/.cache/systolith``, under ``synthesis``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from ..hw.config import EngineConfig
from ..sim.verilator import locked
from .synthesis_devices import DEVICES, PLACERS, ROUTERS, Device, device_named
from .synthesis_flow import Flow
from .synthesis_report import CriticalPath, clock_mhz, critical_path, resources
from .synthesis_tools import SynthesisError, find

__all__ = [
    "DEVICES",
    "Route",
    "Synthesis",
    "SynthesisError",
    "place",
    "platform_of",
    "routed_by",
    "synthesize",
]

_TOP = "harness"
_PORTS = ("clk", "rst", "si", "so")


@dataclass(frozen=True, kw_only=True)
class Route:
    """One run of nextpnr: the clock after routing in MHz and what limits it."""

    seed: int
    mhz: float
    path: CriticalPath | None


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """All runs of one design; ``resources`` maps a kind of cell to (used, there are); ``freq``: MHz asked for."""

    device: str
    speed: int | None
    freq: float | None
    routes: tuple[Route, ...]
    resources: dict[str, tuple[int, int]]
    folder: Path
    bitstream: Path | None = None

    @property
    def mhz(self) -> float:
        """The median over the seeds."""
        return median(route.mhz for route in self.routes)

    @property
    def slowest(self) -> Route:
        """The seed with the slowest clock."""
        return min(self.routes, key=lambda route: route.mhz)

    @property
    def best(self) -> Route:
        """The seed with the fastest clock: the bitstream's."""
        return max(self.routes, key=lambda route: route.mhz)

    @property
    def met(self) -> bool:
        """Whether the median reaches the clock that was asked for, if one was."""
        return self.freq is None or self.mhz >= self.freq


def _quiet(line: str) -> None:
    pass


def platform_of(family: str, multipliers: int | None = None) -> object | None:
    """The family's lowerings of memories and multipliers; None: all is inferred by yosys.

    ``multipliers``: DSPs of the device, where the family must be told.
    """
    # Amaranth is slow to import: only when there is something to do.
    if family == "ecp5":
        from ..hw.ecp5 import Ecp5

        found = Ecp5()
        found.multipliers = multipliers
        return found
    if family == "ice40":
        from ..hw.ice40 import Ice40

        return Ice40()
    if family == "gowin":
        from ..hw.gowin import Gowin

        return Gowin()
    return None


def synthesize(
    component: Any,
    *,
    device: str = "ecp5-85f",
    speed: int | None = None,
    seeds: Iterable[int] = (1,),
    freq: float | None = None,
    jobs: int = 1,
    router: str | None = None,
    placer: str | None = None,
    bitstream: bool = False,
    say: Callable[[str], None] = _quiet,
) -> Synthesis:
    """Place and route a component, or the whole engine of an EngineConfig, once for each seed.

    Parameters
    ----------
    component : an Amaranth component, not elaborated yet, or an ``EngineConfig``.
    device, speed : one of ``DEVICES`` and its speed grade, by default the slowest.
    seeds : nextpnr's seeds; placement is chance, so quote a median.
    freq : the clock in MHz that is asked for; by default nextpnr aims high and reports.
    jobs : runs of nextpnr at a time.
    router : one of ``ROUTERS``, by default the family's.
    placer : one of ``PLACERS``, by default the device's.
    bitstream : pack the best seed's result.
    say : told what happens, a line at a time.

    Raises ValueError for an unknown device, SynthesisError if a tool is missing or fails.
    """
    target, seeds = device_named(device), tuple(seeds)
    speed, target = _check(target, speed, seeds, freq), routed_by(target, router, placer)
    for program in target.family.programs[: 3 if bitstream else 2]:  # all of them, before any work
        find(program, target.family.packages[program])
    from ..hw.harness import Harness
    from ..hw.verilog import to_rtlil

    if isinstance(component, EngineConfig):
        from ..hw.engine import Engine

        component = Engine(component)
    text = to_rtlil(Harness(component), _TOP, platform=platform_of(target.family.name, target.multipliers))
    pins = "".join(
        f"{target.family.pin_line.format(port=port, pin=pin)}\n"
        for port, pin in zip(_PORTS, target.harness, strict=False)
    )
    return place(target, text, _TOP, pins=pins, speed=speed, seeds=seeds, freq=freq, jobs=jobs, router=router,
                 placer=placer, bitstream=bitstream, say=say)  # fmt: skip


def _check(target: Device, speed: int | None, seeds: tuple[int, ...], freq: float | None) -> int | None:
    """The speed grade; raises ValueError for what no tool could do."""
    if not seeds:
        raise ValueError("seeds must name at least one seed")
    if freq is not None and not 1 <= freq <= 1000:
        raise ValueError(f"freq must be 1..1000 MHz, not {freq:g}")
    if speed is None:
        return target.speeds[0] if target.speeds else None
    if speed not in target.speeds:
        grades = ", ".join(map(str, target.speeds)) or "left out: the part has one"
        raise ValueError(f"speed of {target.name} must be {grades}, not {speed!r}")
    return speed


def routed_by(target: Device, router: str | None, placer: str | None) -> Device:
    """The device with another router or placer than its own; raises ValueError where there is no such one."""
    for what, chosen, there, own in (
        ("router", router, ROUTERS, target.family.router), ("placer", placer, PLACERS, target.family.placer)
    ):  # fmt: skip
        if chosen is not None and not own:
            raise ValueError(f"{what} of {target.name} must be left out: there is one, not {chosen!r}")
        if chosen is not None and chosen not in there:
            raise ValueError(f"{what} must be {' or '.join(there)}, not {chosen!r}")
    family = replace(target.family, router=router or target.family.router)
    return replace(target, family=family, placer=placer or target.placer)


def place(
    target: Device,
    text: str,
    top: str,
    *,
    pins: str = "",
    speed: int | None = None,
    seeds: Iterable[int] = (1,),
    freq: float | None = None,
    jobs: int = 1,
    router: str | None = None,
    placer: str | None = None,
    bitstream: bool = False,
    patch: Callable[[str], str] | None = None,
    say: Callable[[str], None] = _quiet,
) -> Synthesis:
    """As ``synthesize``, of a design as RTLIL ``text`` with ``pins`` as the family's nextpnr wants them told.

    ``patch``: changes what nextpnr wrote before it is packed.
    """
    seeds = tuple(seeds)
    speed = _check(target, speed, seeds, freq)
    target = routed_by(target, router, placer)
    flow = Flow(device=target, text=text, top=top, pins=pins, speed=speed, aim=freq or target.aim, say=say)
    with locked(flow.folder / "lock"):
        flow.netlist()
        with ThreadPoolExecutor(jobs) as pool:
            reports = list(pool.map(flow.route, seeds))
        routes = tuple(
            Route(seed=seed, mhz=clock_mhz(r), path=critical_path(r))
            for seed, r in zip(seeds, reports, strict=True)
        )
        result = Synthesis(device=target.name, speed=speed, freq=freq, routes=routes,
                           resources=resources(reports[0]), folder=flow.folder)  # fmt: skip
        return replace(result, bitstream=flow.pack(result.best.seed, patch)) if bitstream else result
