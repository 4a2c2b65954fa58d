"""The folder for other people's flows: FuseSoC's file, Vivado's script run with stubs, constraints, datasheet."""

import re
from pathlib import Path
from typing import Any

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.ports import engine_ports
from systolith.hw.registers import MAP
from systolith.sw import api, cli
from systolith.sw.api_datasheet import width_formula
from systolith.sw.api_package import package_files, write_package

CONFIG = EngineConfig(
    rows=1, cols=1, scratchpad=1024, acc_depth=16, port_width=128, fold_width=0, fir_depth=0
)
PORTS = engine_ports(CONFIG)
VERILOG = "module engine (clk);\n  input clk;\nendmodule\n"


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return package_files(CONFIG, VERILOG, 160)


# FuseSoC -------------------------------------------------------------------------------------------


def test_core_is_capi2(files: dict[str, str]) -> None:
    """The parts of CAPI2's schema that the file uses; `fusesoc run --target lint` ran on it when it was written."""
    text = files["systolith_engine.core"]
    assert text.splitlines()[0] == "CAPI=2:"
    core: dict[str, Any] = pytest.importorskip("yaml").safe_load(text)  # comes with `distributed`
    assert set(core) == {"CAPI=2", "name", "description", "filesets", "targets"}
    assert re.fullmatch(r"systolith:ip:engine:\d+\.\d+\.\d+\S*", core["name"])
    assert CONFIG.describe() in core["description"]
    for fileset in core["filesets"].values():
        assert set(fileset) == {"files", "file_type"}
        assert set(fileset["files"]) <= set(files)
    assert "default" in core["targets"] and core["targets"]["lint"]["flow"] == "lint"
    for target in core["targets"].values():
        assert set(target) <= {"filesets", "toplevel", "description", "flow", "flow_options"}
        assert set(target["filesets"]) <= set(core["filesets"]) and "rtl" in target["filesets"]
        assert f"module {target['toplevel']} " in files["engine.v"]


# Vivado --------------------------------------------------------------------------------------------


class Vivado:
    """Stubs of the commands: what is added can be got, anything else is an error, as it is there."""

    def __init__(self) -> None:
        tkinter = pytest.importorskip("tkinter")
        self.tcl = tkinter.Tcl()
        self.calls: list[tuple[str, ...]] = []
        self.objects = {"core/bus_interfaces/guess"}
        self.properties: dict[tuple[str, str], str] = {}
        self.tcl.eval("namespace eval ipx {}")
        for name in (
            "bus_interface",
            "port_map",
            "bus_parameter",
            "address_space",
            "memory_map",
            "address_block",
            "register",
        ):
            kind = f"{name}s"
            self._command(f"ipx::add_{name}", lambda new, of, kind=kind: self._add(kind, new, of))
            self._command(f"ipx::get_{kind}", lambda *words, kind=kind: self._get(kind, *words))
        self._command(
            "ipx::remove_bus_interface", lambda name, of: self.objects.remove(f"{of}/bus_interfaces/{name}")
        )
        self._command("ipx::current_core", lambda: "core")
        self._command("current_fileset", lambda: "sources_1")
        self._command("get_files", lambda name: name)
        self._command("get_property", lambda name, of: of.rpartition("/")[2])
        self._command("set_property", self._set)
        for name in ("create_project", "add_files", "update_compile_order", "ipx::package_project", "ipx::save_core",
                     "ipx::associate_bus_interfaces", "ipx::create_xgui_files", "ipx::update_checksums",
                     "ipx::check_integrity"):  # fmt: skip
            self._command(name, lambda *words: "")

    def _command(self, name: str, does: Any) -> None:
        def call(*words: str) -> str:
            self.calls.append((name, *words))
            return does(*words) or ""

        self.tcl.createcommand(name, call)

    def _add(self, kind: str, name: str, of: str) -> str:
        assert of == "core" or of in self.objects, of
        assert f"{of}/{kind}/{name}" not in self.objects, name
        self.objects.add(f"{of}/{kind}/{name}")
        return f"{of}/{kind}/{name}"

    def _get(self, kind: str, *words: str) -> str:
        *names, option, of = words
        assert option == "-of_objects"
        found = [f"{of}/{kind}/{name}" for name in names]
        if not names:
            found = [item for item in self.objects if re.fullmatch(rf"{of}/{kind}/[^/]+", item)]
        assert self.objects.issuperset(found), found
        return " ".join(found)

    def _set(self, name: str, value: str, of: str) -> None:
        assert of, name
        self.properties[of, name] = value

    def source(self, script: Path) -> None:
        self.tcl.eval(f"source {{{script}}}")


@pytest.fixture
def vivado(files: dict[str, str], tmp_path: Path) -> Vivado:
    found = Vivado()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found.source(tmp_path / "package_ip.tcl")
    return found


def test_every_port_is_in_one_interface(vivado: Vivado) -> None:
    mapped = {
        value: of.split("/")[2::2]
        for (of, name), value in vivado.properties.items()
        if name == "physical_name"
    }
    where = {"axi": "M_AXI", "ctl": "S_AXI"}
    names = {"clk": ["clk", "CLK"], "rst": ["rst", "RST"], "irq": ["irq", "INTERRUPT"]}
    assert mapped == {
        port.name: [where[port.bus], port.signal.upper()] if port.bus else names[port.name] for port in PORTS
    }
    assert not any("guess" in item for item in vivado.objects)


def test_interfaces_of_the_ip(vivado: Vivado) -> None:
    properties = vivado.properties
    at = "core/bus_interfaces/"
    assert properties[f"{at}M_AXI", "interface_mode"] == "master"
    assert properties[f"{at}S_AXI", "interface_mode"] == "slave"
    assert properties[f"{at}rst/bus_parameters/POLARITY", "value"] == "ACTIVE_HIGH"
    assert properties[f"{at}S_AXI/bus_parameters/PROTOCOL", "value"] == "AXI4LITE"
    assert properties["core/address_spaces/M_AXI", "width"] == "32"
    block = "core/memory_maps/S_AXI/address_blocks/registers"
    assert {
        name: int(properties[f"{block}/registers/{name}", "address_offset"], 16)
        for name in (r.name for r in MAP)
    } == {r.name: r.address for r in MAP}
    clocked = [call[1:] for call in vivado.calls if call[0] == "ipx::associate_bus_interfaces"]
    assert [words[:4] for words in clocked] == [
        ("-busif", "M_AXI", "-clock", "clk"), ("-busif", "S_AXI", "-clock", "clk"), ("-clock", "clk", "-reset", "rst")
    ]  # fmt: skip
    assert vivado.calls[-1] == ("ipx::save_core", "core")
    added = [call[-1] for call in vivado.calls if call[0] == "add_files"]
    assert [Path(path).name for path in added] == ["engine.v", "engine_ooc.xdc"]
    assert all(Path(path).is_file() for path in added)


# Constraints, datasheet, command ------------------------------------------------------------------------


def test_constraints_have_the_clock(files: dict[str, str]) -> None:
    for name in ("engine.sdc", "engine_ooc.xdc"):
        assert "create_clock -name clk -period 6.250 [get_ports clk]" in files[name]


def test_datasheet_has_the_numbers_of_its_engine(files: dict[str, str]) -> None:
    text = files["engine.md"]
    assert CONFIG.describe() in text and f"{CONFIG.hash:#010x}" in text
    for port in PORTS:
        assert f"| `{port.name}` | {'out' if port.output else 'in'} | {port.width} | " in text
    assert all(f"| `{register.name}` |" in text for register in MAP)
    assert "](" not in text and "1 of 9 x 8 bits" in text


def test_widths_are_formulas() -> None:
    widths = {port.name: width_formula(index) for index, port in enumerate(PORTS)}
    assert widths["axi__rdata"] == "`port_width`" and widths["axi__wstrb"] == "`port_width / 8`"
    assert widths["ctl__wdata"] == widths["axi__araddr"] == "32" and widths["clk"] == "1"


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--rows", "1", "--cols", "1", "--scratchpad", "1K", "--acc-depth", "16", "--fold-width", "0"]
    words = [
        "verilog",
        *small,
        "-o",
        str(tmp_path / "engine.v"),
        "--package",
        str(tmp_path / "ip"),
        "--freq",
        "200",
    ]
    assert cli.main(words) == 0
    assert f"package: {tmp_path / 'ip'}" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "ip").iterdir()} == {
        "engine.v", "systolith_engine.core", "package_ip.tcl", "engine.sdc", "engine_ooc.xdc", "engine.md"
    }  # fmt: skip
    assert (tmp_path / "ip" / "engine.v").read_text() == (tmp_path / "engine.v").read_text()
    assert "-period 5.000" in (tmp_path / "ip" / "engine.sdc").read_text()


def test_bad_values(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"freq must be 1..1000 MHz, not 0"):
        write_package(CONFIG, tmp_path / "ip", VERILOG, 0)
    with pytest.raises(ValueError, match="freq must come with package"):
        api.verilog(CONFIG, freq=100.0)
    with pytest.raises(
        ValueError, match="package must be of RTL, not of a device's netlist: leave device out"
    ):
        api.verilog(CONFIG, device="ecp5-25f", package=tmp_path / "ip")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other").touch()
    with pytest.raises(ValueError, match="holds other files: give another name"):
        write_package(CONFIG, tmp_path / "full", VERILOG)
