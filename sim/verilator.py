"""cocotb's Verilator runner, made fast to build with and to simulate.

Verilator's run-time library takes longer to compile than a small engine: its objects are kept in the cache, as
``runtime-KEY/*.o``. The model's own C++ is joined into few files.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cocotb_tools import runner

from .toolchain import Toolchain

__all__ = ["OPTIONS", "RUNTIME", "Verilator", "content_key", "locked"]

OPTIONS = (
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert"),
    *("--timing", "--timescale", "1ns/1ns", "--no-std-package"),
    *("--output-split", "3000", "--output-split-cfuncs", "300"),  # compilers choke on functions of thousands
    *("-Wno-fatal", "-Wno-lint", "-CFLAGS", "-std=gnu++20"),
)
"""How Verilator is called, for speed of the simulation first."""

RUNTIME = "-O2"
"""The C++ compiler's option for the run-time library."""

_GROUPS = 4
"""The most C++ files of hot code that are compiled at the same time."""


def content_key(*parts: str) -> str:
    """A name for content: equal for equal parts only."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part.encode())
    return digest.hexdigest()[:32]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's lock: one process at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Verilator(runner.Verilator):
    """cocotb's runner with our tools and without ``--public-flat-rw``, which keeps every signal from optimization.

    Signals that Python reads or writes say so themselves, by a ``public`` comment in the Verilog.
    """

    def __init__(self, tools: Toolchain, optimize: str, cache: Path, identity: Sequence[str]) -> None:
        super().__init__()
        self.tools = tools
        self.optimize = optimize
        self.cache = cache
        self.identity = identity  # what the run-time library's objects depend on, the model's class apart
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
        make += [f"OPT_FAST={self.optimize}", "OPT_SLOW=-O0", f"OPT_GLOBAL={RUNTIME}"]
        return [verilate, make]

    def _execute_cmds(
        self,
        cmds: Sequence[list[str]],
        cwd: runner.PathLike,
        stdout: TextIO | None = None,
    ) -> None:
        verilate, make = cmds
        super()._execute_cmds([verilate], cwd, stdout)
        make = [*make, *_unite(self.build_dir)]
        runtime = (
            self.cache / f"runtime-{content_key(*self.identity, (self.build_dir / 'Vtop.h').read_text())}"
        )
        with locked(runtime.with_suffix(".lock")):
            if not runtime.exists():
                super()._execute_cmds([make], cwd, stdout)
                with tempfile.TemporaryDirectory(dir=self.cache, prefix="build-") as name:
                    objects = Path(name) / "objects"
                    objects.mkdir()
                    for path in self.build_dir.glob("veril*.o"):
                        shutil.copyfile(path, objects / path.name)
                    objects.rename(runtime)
                return
        os.utime(runtime)
        for path in runtime.iterdir():
            shutil.copyfile(path, self.build_dir / path.name)
        super()._execute_cmds([make], cwd, stdout)


def _unite(folder: Path) -> list[str]:
    """Join the C++ files into one for each processor and one that need not be fast; variables that tell make.

    Most of the time to compile a file goes into Verilator's headers, which precompiling does not save here.
    """
    sizes = {path.name: path.stat().st_size for path in folder.glob("Vtop*.cpp")}
    count = max(1, min(_GROUPS, os.cpu_count() or 1))
    groups: dict[str, list[str]] = {group: [] for group in (*(f"fast{n}" for n in range(count)), "slow")}
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        smallest = min(
            range(count),
            key=lambda number: sum(sizes[other] for other in groups[f"fast{number}"]),
        )
        groups["slow" if "__Slow" in name else f"fast{smallest}"].append(name)
    for group, names in groups.items():
        (folder / f"{group}.cpp").write_text("".join(f'#include "{name}"\n' for name in names))
    (folder / "empty.h").write_text("")
    fast = " ".join(group for group in groups if group != "slow")
    return ["VM_PARALLEL_BUILDS=1", f"VM_CLASSES_FAST={fast}", "VM_SUPPORT_FAST=", "VM_CLASSES_SLOW=slow",
            "VM_SUPPORT_SLOW=", "VK_PCH_H=empty.h", "VK_PCH_I_FAST=", "VK_PCH_I_SLOW="]  # fmt: skip
