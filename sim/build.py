"""Builds simulations with Verilator through cocotb's runner, once for equal content.

    key = SHA-256 of the sources' text, parameters, defines, options and tool versions
    cache/KEY/TOP = the simulator; cache/KEY/build.log = what the tools said
    cache/runtime-KEY/*.o = Verilator's run-time library, which takes longer to compile than a small engine

The cache is ``$SYSTOLITH_CACHE``, else ``$XDG_CACHE_HOME/systolith``, else ``~/.cache/systolith``. Builds happen in
a folder of their own that is renamed when complete, under a lock for each key: processes never see half of one and
never build the same thing twice. Entries that nobody used for KEEP_DAYS are removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TextIO

import cocotb
import cocotb_tools.config
from cocotb_tools import runner

from ..hw.config import EngineConfig
from .toolchain import Toolchain, find_toolchain

__all__ = ["BENCH", "KEEP_DAYS", "BuildError", "Simulation", "build", "build_bench", "cache_folder",
           "find_instance", "tail"]  # fmt: skip

KEEP_DAYS = 30
"""Days after which an entry of the cache that nobody used is removed."""

BENCH = tuple(Path(__file__).parent / name for name in ("bench.sv", "bench_memory.sv"))
"""The sources around the engine; top module ``bench``."""

TRACE = ("trace_valid", "trace_addr", "trace_codes")
"""Signals of one instance in the engine: an output write, its scratchpad word, cols codes. The bench records them."""

MEMORY_BITS = 24
"""log2 of the bench memory's bytes, unless a program needs more."""

_SPEED = (
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--no-assert",
    "--timing",
    "--timescale",
    "1ns/1ns",
)
_RUNTIME = "-O2"
"""The C++ compiler's option for Verilator's run-time library."""

_SPLIT = 5000
"""Statements in a C++ file: small enough for the compilers to share, large enough not to parse headers all day."""

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


class _Verilator(runner.Verilator):
    """cocotb's runner with our tools and without ``--public-flat-rw``, which keeps every signal from optimization.

    Signals that Python reads or writes say so themselves, by a ``public`` comment in the Verilog.
    """

    def __init__(self, tools: Toolchain, optimize: str, runtime: Path) -> None:
        super().__init__()
        self.tools = tools
        self.optimize = optimize
        self.runtime = runtime
        self.log.setLevel(logging.WARNING)

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(self.tools.verilator)

    def _set_env_build(self) -> None:
        super()._set_env_build()
        self.env.update(self.tools.environment)

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        verilate = [word for word in verilate if word not in ("--public-flat-rw", "--trace")]
        make = [str(self.tools.make), *make[1:], *self.tools.make_variables]
        make += [f"OPT_FAST={self.optimize}", "OPT_SLOW=-O0", f"OPT_GLOBAL={_RUNTIME}"]
        return [verilate, make]

    def _execute_cmds(
        self, cmds: Sequence[list[str]], cwd: runner.PathLike, stdout: TextIO | None = None
    ) -> None:
        verilate, make = cmds
        super()._execute_cmds([verilate], cwd, stdout)
        with _locked(self.runtime.with_suffix(".lock")):
            if not self.runtime.exists():
                super()._execute_cmds([make], cwd, stdout)
                with tempfile.TemporaryDirectory(dir=self.runtime.parent, prefix="build-") as name:
                    objects = Path(name) / "objects"
                    objects.mkdir()
                    for path in self.build_dir.glob("verilated*.o"):
                        shutil.copyfile(path, objects / path.name)
                    objects.rename(self.runtime)
                return
        os.utime(self.runtime)
        for path in self.runtime.iterdir():
            shutil.copyfile(path, self.build_dir / path.name)
        super()._execute_cmds([make], cwd, stdout)


def _key(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part.encode())
    return digest.hexdigest()[:32]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file's lock: one process at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
    options = [*_SPEED, "--output-split", str(_SPLIT), "-Wno-fatal", "-Wno-lint", "-CFLAGS", "-std=gnu++20"]
    options += [f"--trace-{form}"] if form else []
    parameters, defines = dict(parameters or {}), dict(defines or {})
    told = [f"{name}={value}" for name, value in sorted((parameters | defines).items())]
    sources = [part for name in sorted(files) for part in (name, files[name])]
    cocotb_is = (cocotb.__version__, str(cocotb_tools.config.libs_dir))
    key = _key(tools.version, *cocotb_is, top, optimize, *options, *told, *sources)
    cache = cache_folder()
    runtime = cache / f"runtime-{_key(tools.version, *options, _RUNTIME)}"
    entry = cache / key
    result = Simulation(entry / top, top, f"dump.{form}" if form else "")
    with _locked(cache / f"{key}.lock"):
        if result.executable.exists():
            os.utime(entry)
            return result
        _log.info("building the simulation of %s (%s)", top, ", ".join(told))
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as name:
            work = Path(name)
            for file, text in files.items():
                (work / file).write_text(text)
            simulator, log = _Verilator(tools, optimize, runtime), work / "build.log"
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
    optimize: str = "-O2",
) -> Simulation:
    """The bench around an engine given as Verilog text, with at least ``memory_bytes`` of memory."""
    files = {"engine.v": verilog} | {path.name: path.read_text() for path in BENCH}
    bits = max(MEMORY_BITS, (memory_bytes - 1).bit_length())
    parameters = {
        "PORT_WIDTH": config.port_width,
        "MEMORY_BITS": bits,
        "TRACE_WIDTH": config.cols * config.act_width,
    }
    path = find_instance(verilog, "engine", TRACE)
    defines = {} if path is None else {"SYSTOLITH_TRACE": ".".join(("dut", *path))}
    return build(files, "bench", parameters=parameters, defines=defines, waves=waves, optimize=optimize)
