"""Layer tables on SCALE-Sim and on the cycle model of this engine, side by side.

utilization = macs / (size * size * cycles)          cycles: sum over the table's layers, each by itself

SCALE-Sim: weight stationary, size x size PEs, memory that never stalls the array; it runs in a Python of its own (its
code wants NumPy 1), by ``scalesim_run``. This engine: one image of each layer from start to done, image and weights in
and result out over a memory port, with the bench memory.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ...hw.config import EngineConfig
from ...sim.build import cache_folder
from ..api_files import write_whole
from ..api_sweep import sweep
from .scalesim_tables import TABLES, as_csv

__all__ = ["SIZES", "Beside", "beside_from_json", "beside_to_json", "measure_beside", "ports", "scalesim_cycles",
           "scalesim_version"]  # fmt: skip

SIZES = (8, 16, 32)
"""Rows and columns of the arrays."""

PORT = 64
"""Bits of the bench memory's port."""

LATENCY = 30

_VERSION = 1
_RUN = Path(__file__).with_name("scalesim_run.py")
_CURE = "pip install 'scalesim==3.0.0' 'numpy<2' into it, or let make bench-scalesim make one"
_ASK = "import importlib.metadata as m; print(m.version('scalesim'), m.version('numpy'))"


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A table at one size. ``theirs``: cycles of SCALE-Sim ``version``; ``ours``: by bits of the memory port."""

    table: str
    size: int
    macs: int
    theirs: int
    version: str
    ours: Mapping[str, int]
    engine: str
    commit: str

    def utilization(self, cycles: int) -> float:
        """0..1."""
        return self.macs / (self.size**2 * cycles)


def ports(size: int) -> tuple[int, ...]:
    """Bits of the memory ports measured: the bench memory's, and one that brings ``size`` bytes a cycle."""
    return tuple(dict.fromkeys((PORT, 8 * size)))


def scalesim_version(python: str | Path) -> str:
    """Of the SCALE-Sim that a Python has. Raises ValueError: what is missing, and the cure."""
    try:
        done = subprocess.run([str(python), "-I", "-c", _ASK], capture_output=True, text=True)
    except OSError:
        raise ValueError(
            f"{str(python)!r} is no Python: name one that has SCALE-Sim by --scalesim PYTHON"
        ) from None
    words = done.stdout.split()
    if done.returncode or len(words) != 2:
        raise ValueError(f"{str(python)!r} has no SCALE-Sim: {_CURE}")
    if int(words[1].split(".")[0]) > 1:
        raise ValueError(f"{str(python)!r} has NumPy {words[1]}, which SCALE-Sim cannot use: {_CURE}")
    return words[0]


def scalesim_cycles(python: str | Path, table: str, size: int) -> list[int]:
    """SCALE-Sim's cycles of each layer, depthwise ones summed; kept in the cache. Raises ValueError."""
    rows, version = TABLES[table], scalesim_version(python)
    text = as_csv(rows)
    key = hashlib.sha256(f"{version} {size} {text} {_RUN.read_text()}".encode()).hexdigest()[:24]
    kept = cache_folder() / "scalesim" / f"{table}-{size}-{key}.jsonl"
    if kept.is_file():
        return _read(kept.read_text(), table)
    with tempfile.TemporaryDirectory(prefix="systolith-") as folder:
        path = Path(folder) / f"{table}.csv"
        path.write_text(text)
        command = [str(python), "-I", str(_RUN), str(path), str(size)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ValueError(f"SCALE-Sim {version} fails on {table} at {size}x{size}: {last}")
    cycles = _read(done.stdout, table)
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_whole(kept, done.stdout)
    return cycles


def _read(text: str, table: str) -> list[int]:
    """What ``scalesim_run`` printed, by the table's rows. Raises ValueError where it is of another table."""
    try:
        lines = [json.loads(line) for line in text.splitlines()][1:]
        found = iter([(str(line["name"]), int(line["cycles"]), int(line["macs"])) for line in lines])
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"SCALE-Sim printed no results of {table}: run its script by hand, {_RUN.name}"
        ) from None
    cycles = []
    for row in TABLES[table]:
        parts = [next(found, ("", 0, 0)) for _ in range(row.channels if row.depthwise else 1)]
        macs = sum(part[2] for part in parts)
        if macs != row.macs or not all(name.startswith(row.name) for name, _, _ in parts):
            raise ValueError(
                f"SCALE-Sim has another layer than {row.name} of {table}: {macs:,} MACs, not {row.macs:,}"
            )
        cycles.append(sum(part[1] for part in parts))
    if next(found, None) is not None:
        raise ValueError(f"SCALE-Sim has more layers than {table}, which has {len(cycles)}")
    return cycles


def measure_beside(
    table: str,
    size: int,
    python: str | Path,
    commit: str,
    *,
    jobs: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> Beside:
    """Both sides of one row; what either has computed before comes from the cache. Raises ValueError."""
    say(f"SCALE-Sim, {size}x{size}")
    theirs = sum(scalesim_cycles(python, table, size))
    folder = cache_folder() / "scalesim" / f"{table}-sweep"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="systolith-") as name:
        path = Path(name) / f"{table}.csv"
        path.write_text(as_csv(TABLES[table]))
        say(f"cycle model, {size}x{size}, ports of {', '.join(map(str, ports(size)))} bits")
        found = sweep(
            path,
            folder,
            rows=size,
            cols=size,
            port_width=ports(size),
            mem_latency=LATENCY,
            jobs=jobs,
            progress=say,
        )
    if wrong := next((point.figures.reason for point in found.points if not point.ok), ""):
        raise ValueError(f"{table} at {size}x{size}: {wrong}")
    return Beside(
        table=table, size=size, macs=sum(row.macs for row in TABLES[table]), theirs=theirs,
        version=scalesim_version(python),
        ours={str(point.values["port_width"]): point.figures.cycles for point in found.points},
        engine=EngineConfig(rows=size, cols=size).describe(), commit=commit,
    )  # fmt: skip


def beside_to_json(rows: Iterable[Beside]) -> str:
    """A document, one line a value."""
    return json.dumps({"version": _VERSION, "rows": [asdict(row) for row in rows]}, indent=1) + "\n"


def beside_from_json(text: str) -> list[Beside]:
    """The inverse; raises ValueError for another version."""
    document = json.loads(text)
    if document.get("version") != _VERSION:
        raise ValueError(
            f"the comparison is of version {document.get('version')!r}, not {_VERSION}: measure again"
        )
    return [Beside(**row) for row in document["rows"]]
