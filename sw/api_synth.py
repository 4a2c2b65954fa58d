"""``synth``: an engine on a device, as a clock, cells, what limits, and a bitstream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..hw.config import EngineConfig
from ..hw.pll import Pll
from .api_files import file_target, write_whole
from .api_results import config_json, table
from .synthesis import Synthesis, synthesize
from .synthesis_devices import DEVICES, device_named

__all__ = ["DEVICES", "Synth", "device_config", "synth"]


@dataclass(frozen=True, kw_only=True)
class Synth:
    """An engine after place and route; ``bitstream``: the file, of the fastest seed; ``pll``: what makes the clock
    where its oscillator does not."""

    config: EngineConfig
    result: Synthesis
    bitstream: Path | None
    pll: Pll | None = None

    @property
    def ok(self) -> bool:
        """Whether the clock that was asked for, if any, is reached by the median of the seeds."""
        return self.result.met

    def verdict(self) -> str:
        """What a missed clock says: how fast it is, and what limits."""
        result = self.result
        path = result.slowest.path
        limits = "" if path is None else f"; what limits is the path {path.words}"
        return f"{result.device} reaches {result.mhz:.1f} MHz, not {result.freq or 0:g} MHz{limits}"

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        result = self.result
        path = result.slowest.path
        return {
            "device": result.device,
            "speed": result.speed,
            "config": config_json(self.config),
            "freq_mhz": result.freq,
            "pll": None if self.pll is None else self.pll.describe(),
            "fmax_mhz": round(result.mhz, 3),
            "fmax_all": {str(route.seed): round(route.mhz, 3) for route in result.routes},
            "met": result.met,
            "resources": {
                name: {"used": used, "available": there} for name, (used, there) in result.resources.items()
            },
            "critical_path": None if path is None else path.to_json(),
            "bitstream": None if self.bitstream is None else str(self.bitstream),
            "folder": str(result.folder),
        }

    def to_text(self) -> str:
        """Cells, clocks, what limits."""
        result = self.result
        grade = "" if result.speed is None else f", speed grade {result.speed}"
        rows = [["cells", "used", "there are", ""]]
        rows += [
            [name, f"{used:,}", f"{there:,}", f"{100 * used / there:.0f} %"]
            for name, (used, there) in result.resources.items()
        ]
        lines = [f"{self.config.describe()}; {result.device}{grade}", *table(rows, right=(1, 2, 3))]
        clocks = ", ".join(f"{route.mhz:.1f}" for route in result.routes)
        asked = (
            "" if result.freq is None else f", asked for {result.freq:g}: {'met' if result.met else 'missed'}"
        )
        lines.append(
            f"clock: {result.mhz:.1f} MHz{asked}" + (f" (seeds: {clocks})" if len(result.routes) > 1 else "")
        )
        lines += [] if self.pll is None else [f"made by {self.pll.describe()}"]
        path = result.slowest.path
        if path is not None:
            lines += [f"slowest path: {path.words}", *path.steps]
        lines += [] if self.bitstream is None else [f"bitstream: {self.bitstream}"]
        return "\n".join(lines)


def device_config(device: str, **chosen: int | None) -> EngineConfig:
    """The engine that fits a device, with the fields that are ``chosen`` and not None instead."""
    given = {name: value for name, value in chosen.items() if value is not None}
    return EngineConfig(**{**device_named(device).engine, **given})


def synth(
    config: EngineConfig,
    device: str,
    output: str | Path | None = None,
    *,
    freq: float | None = None,
    seeds: int = 1,
    speed: int | None = None,
    router: str | None = None,
    placer: str | None = None,
    jobs: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> Synth:
    """Synthesize, place, route and pack an engine alone, behind four pins.

    ``output``: where the bitstream is copied to; else it stays in the cache. ``freq``: MHz that the median of the seeds
    1 to ``seeds`` must reach. ``router``: nextpnr's, "router1" or "router2"; ``placer``: "heap" or "static".

    Raises ValueError for bad values, SynthesisError if a tool is missing or fails.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be a positive integer, not {seeds!r}")
    target = None if output is None else file_target(output)
    result = synthesize(
        config, device=device, speed=speed, seeds=range(1, seeds + 1), freq=freq, jobs=jobs, router=router,
        placer=placer, bitstream=True, say=progress,
    )  # fmt: skip
    packed = result.bitstream
    if target is not None and packed is not None:
        packed = write_whole(target, packed.read_bytes())
    return Synth(config=config, result=replace(result, bitstream=packed), bitstream=packed)
