"""The runs of the resource model, and its coefficients from them: sw/resources/ecp5.json.

    python -m systolith.sw.bench_resources                                 fit again, say how well it does
    python -m systolith.sw.bench_resources --add rows=8,cols=16            synthesize one more engine first
    python -m systolith.sw.bench_resources --add rows=8,cols=16 --held-out ... for the error, not for the fit
    python -m systolith.sw.bench_resources --add port_width=32 --beside 4096   a board's link and memory, in port words
    python -m systolith.sw.bench_resources --measure                       synthesize every run again: an hour or more

Fields that --add leaves out are EngineConfig's defaults. Netlists are kept by content, and the file is written after
each run: it can be interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from ..hw.config import EngineConfig
from ..sim.toolchain import ToolchainError
from .api_files import write_whole
from .resources.cells import KINDS, Cells
from .resources.design import engine_blocks, memory_blocks, multipliers
from .resources.model import DATA, FITTED, Run, errors, fitted, runs
from .synthesis_count import count_cells, engine_cells

__all__ = ["counted", "main", "summary"]


def counted(run: Run, say: Callable[[str], None]) -> Cells:
    """What yosys makes of a run's design."""
    if run.words is None:
        return engine_cells(run.engine, say=say)
    from ..hw.host_link import HostLink
    from ..hw.link import BAUD
    from ..hw.onchip_memory import OnChipMemory
    from ..hw.uart import UartReceiver, UartTransmitter

    config, cycles = run.engine, round(100e6 / BAUD)
    parts = (
        HostLink(config=config, words=run.words, patience=1 << 24),
        OnChipMemory(config=config, words=run.words),
        UartReceiver(divisor=cycles),
        UartTransmitter(divisor=cycles),
    )
    found = Cells(lut=0, ff=0, dsp=0, bram=0)
    for part in parts:
        found += count_cells(part, say=say)
    return found


def summary(known: Sequence[Run], coefficients: dict[str, Any]) -> dict[str, Any]:
    """Numbers of runs, and the median and largest error of those held out by kind of cell."""
    engines = [run for run in known if run.words is None]
    held = [run for run in engines if run.held_out]
    found: dict[str, Any] = {"runs": len(engines), "held_out": len(held)}
    for kind in FITTED:
        sizes = [abs(error) for error in errors(held, kind, coefficients)]
        found[kind] = {"median_error": round(median(sizes), 4), "largest_error": round(max(sizes), 4)}
    return found


def _exact(run: Run) -> bool:
    if run.words is None:
        return (run.cells.dsp, run.cells.bram) == (multipliers(run.engine), engine_blocks(run.engine))
    return (run.cells.dsp, run.cells.bram) == (0, memory_blocks(run.engine, run.words))


def _fields(text: str) -> dict[str, int]:
    """``rows=8,cols=16`` as numbers. Raises ValueError."""
    try:
        found = {name.strip(): int(value) for name, value in (part.split("=") for part in text.split(","))}
        EngineConfig(**found)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"--add must be fields of an engine like rows=8,cols=16, not {text!r}: {error}"
        ) from None
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="systolith resources", description="Fit the resource model.")
    parser.add_argument("--add", metavar="FIELDS", help="synthesize one more engine: rows=8,cols=16,...")
    parser.add_argument("--held-out", action="store_true", help="keep it out of the fit")
    parser.add_argument("--beside", type=int, metavar="WORDS", help="the link and a memory of so many words")
    parser.add_argument("--measure", action="store_true", help="synthesize every run again")
    parser.add_argument("-o", "--output", type=Path, default=DATA, help="the file (default: the package's)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Exit 1 if DSPs or block RAMs of a run are not those of the formulas, 2 for bad input."""
    options = _parser().parse_args(arguments)
    say = partial(print, file=sys.stderr, flush=True)
    document: dict[str, Any] = {"runs": []}
    try:
        if options.output.exists():
            document = json.loads(options.output.read_text())
        known = list(runs(document))
        if options.add is not None:
            nothing = Cells(**dict.fromkeys(KINDS, 0))
            known.append(Run(config=_fields(options.add), cells=nothing, held_out=options.held_out,
                             words=options.beside))  # fmt: skip
        for number, run in enumerate(known):
            if options.measure or not run.cells.lut:
                say(f"run {number + 1} of {len(known)}: {run.engine.describe()}")
                known[number] = replace(run, cells=counted(run, say))
                _write(options.output, document, [one for one in known if one.cells.lut])
    except (ValueError, OSError, ToolchainError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    document = _write(options.output, document, known)
    for run in known:
        if not _exact(run):
            print(f"error: DSPs or block RAMs differ: {run.to_json()}", file=sys.stderr)
    print(json.dumps(document["summary"]))
    return int(not all(map(_exact, known)))


def _write(path: Path, document: dict[str, Any], known: Sequence[Run]) -> dict[str, Any]:
    """The file with runs, and with coefficients where there are runs to fit."""
    found = {**document, "runs": [run.to_json() for run in known]}
    if {run.words is None for run in known if not run.held_out} == {True, False}:
        found["coefficients"] = fitted(known)
    if "coefficients" in found and any(run.held_out for run in known):
        found["summary"] = summary(known, found["coefficients"])
    runs_ = ",\n".join(f"  {json.dumps(row)}" for row in found.pop("runs"))
    head = json.dumps(found, indent=1)[1:-1].rstrip()
    write_whole(path, "{" + head + (",\n" if head else "\n") + ' "runs": [\n' + runs_ + "\n ]\n}\n")
    return json.loads(path.read_text())  # type: ignore[no-any-return]


if __name__ == "__main__":
    sys.exit(main())
