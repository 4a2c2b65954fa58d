"""The programs that ``systolith synth`` runs: found beside Python or on the PATH, run in a folder, cached by content.

``$SYSTOLITH_TOOLS`` names a folder of programs built for this machine, ``nextpnr-ecp5`` and so on: what it holds takes
the place of the wheels' programs, which run in a sandbox, more slowly.

Programs from PyPI run in a sandbox and see nothing outside of the folder they are started in: all names are relative
to it. A failure is one sentence, with the tool's own error and the file of its log.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from itertools import pairwise
from pathlib import Path

from ..sim.build import cache_folder
from ..sim.toolchain import ToolchainError

__all__ = ["SynthesisError", "described", "find", "run", "run_yosys", "synthesis_folder", "version"]

_ERROR = re.compile(r"^(?:\d+\.\d+\s+)?(?:ERROR|Error|error): *(.*)", re.MULTILINE)


_VERSION = re.compile(r"(?:Version |Yosys )(?:nextpnr-)?([^\s)]+)")


class SynthesisError(ToolchainError):
    """A tool is missing or failed, or the design does not fit: one sentence that names it and the cure or its log."""


def find(program: str, package: str) -> Path:
    """A program of the wheel ``package``: in Python's own folder, else on the PATH; before them, without its prefix
    ``yowasp-``, in ``$SYSTOLITH_TOOLS``. Raises SynthesisError."""
    if chosen := os.environ.get("SYSTOLITH_TOOLS"):
        if not Path(chosen).is_dir():
            raise SynthesisError(
                f"SYSTOLITH_TOOLS must be a folder of programs such as nextpnr-ecp5, not {chosen!r}; "
                f"unset it for those of the wheels"
            )
        native = Path(chosen) / program.removeprefix("yowasp-")
        if native.exists():
            return native.absolute()
    beside = Path(sys.executable).parent / program
    if beside.exists():
        return beside
    if found := shutil.which(program):
        return Path(found)
    raise SynthesisError(
        f"{program} is not installed: pip install {package} (pip install systolith[synth] installs all of them)"
    )


def version(program: Path, package: str) -> str:
    """Text that changes with the tool."""
    if program.parent == Path(sys.executable).parent:
        try:
            return f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            pass
    stat = program.resolve().stat()
    return f"{program.resolve()} {stat.st_size} {stat.st_mtime_ns}"


def described(program: Path) -> str:
    """Name and version as the program itself has them: ``nextpnr-ecp5 0.10``. Raises SynthesisError."""
    try:
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SynthesisError(f"{program} --version failed: {error}") from error
    name = program.name.removeprefix("yowasp-")
    found = _VERSION.search(done.stdout + done.stderr)
    return name if found is None else f"{name} {found[1]}"


def synthesis_folder() -> Path:
    """Where results are kept, a folder for each netlist."""
    return cache_folder() / "synthesis"


def run(command: Sequence[str], folder: Path, log: str) -> None:
    """Run a program in its folder, its output in ``log``. Raises SynthesisError with the tool's own reason."""
    with (folder / log).open("w") as output:
        done = subprocess.run(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode == 0:
        return
    name = Path(command[0]).name
    logs = [log, *(after for word, after in pairwise(command) if word == "-l")]
    texts = [(folder / file).read_text(errors="replace") for file in logs if (folder / file).exists()]
    said = [error for text in texts for error in _ERROR.findall(text)]
    reason = said[-1].strip().rstrip(".") if said else f"it ended with status {done.returncode}"
    raise SynthesisError(f"{name} failed: {reason} (see {folder / log})")


def run_yosys(yosys: Path, synth: str, written: str, folder: Path) -> None:
    """component.il -> ``synth`` -> ``written``, both yosys's commands. Raises SynthesisError.

    Where yosys stops at an assertion of its own, for a wire of an array has the name of another wire (its issue 4349),
    it runs once more with arrays split before look-up tables are mapped.
    """
    split = f"{synth} -run begin:map_luts; splitnets; {synth} -run map_luts:"
    for tried in (synth, split):
        script = f"read_rtlil component.il; {tried}; {written}"
        try:
            run([str(yosys), "-q", "-l", "yosys.log", "-p", script], folder, "yosys.out")
            break
        except SynthesisError as error:
            if tried == split or "Assert" not in str(error):
                raise
