"""``write_package``: an engine's Verilog in a folder that other people's flows take as it is.

    folder = engine.v | systolith_engine.core (FuseSoC) | package_ip.tcl (Vivado) | *.sdc, *.xdc | engine.md

All of it derives from ``hw.ports``; a test holds every port to its place in each file.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from ..hw.config import EngineConfig
from ..hw.ports import Port, engine_ports
from ..hw.registers import MAP
from .api_datasheet import datasheet
from .api_files import fresh_folder

__all__ = ["BUSES", "FREQ", "package_files", "write_package"]

FREQ = 100.0
"""MHz of the constraints, unless told otherwise."""

BUSES = {"axi": ("M_AXI", "master"), "ctl": ("S_AXI", "slave")}
"""An engine's buses: what Vivado calls them, and which side the engine is."""

_CORE = """\
CAPI=2:
# FuseSoC: fusesoc library add systolith . && fusesoc run --target lint systolith:ip:engine
name: "systolith:ip:engine:{version}"
description: "{what}"

filesets:
  rtl:
    files: [engine.v]
    file_type: verilogSource-2005
  sdc:
    files: [engine.sdc]
    file_type: SDC
  xdc:
    files: [engine_ooc.xdc]
    file_type: xdc

targets:
  default: &default
    filesets: [rtl]
    toplevel: engine

  lint:
    <<: *default
    description: "Verilator's opinion"
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall]

  synth:
    <<: *default
    description: "Cells of an ECP5, by yosys"
    flow: generic
    flow_options:
      tool: yosys
      arch: ecp5
      output_format: json
      yosys_synth_options: [-no-rw-check]

  ooc:
    <<: *default
    description: "Out of context in Vivado"
    filesets: [rtl, xdc]
    flow: vivado
    flow_options:
      part: xc7a35ticsg324-1L
      pnr: none
"""

_SDC = """\
# {what}
# Inputs and outputs end in registers or in few levels of logic: leave them the rest of the cycle in the design around.
create_clock -name clk -period {period} [get_ports clk]
"""

_XDC = """\
# {what}
# Out of context only: in a design the clock comes from outside, and nothing else needs a constraint.
create_clock -name clk -period {period} [get_ports clk]
set_property HD.CLK_SRC BUFGCTRL_X0Y0 [get_ports clk]
"""


def _bus(bus: str, ports: Sequence[Port]) -> list[str]:
    """One AXI interface: its ports, its address range."""
    name, mode = BUSES[bus]
    lines = [
        f"ipx::add_bus_interface {name} $core",
        f"set bus [ipx::get_bus_interfaces {name} -of_objects $core]",
        "set_property abstraction_type_vlnv xilinx.com:interface:aximm_rtl:1.0 $bus",
        "set_property bus_type_vlnv xilinx.com:interface:aximm:1.0 $bus",
        f"set_property interface_mode {mode} $bus",
    ]
    for port in (port for port in ports if port.bus == bus):
        lines += [
            f"ipx::add_port_map {port.signal.upper()} $bus",
            f"set_property physical_name {port.name} [ipx::get_port_maps {port.signal.upper()} -of_objects $bus]",
        ]
    if mode == "master":
        facts = {"PROTOCOL": "AXI4", "NUM_READ_OUTSTANDING": 16, "NUM_WRITE_OUTSTANDING": 17, "MAX_BURST_LENGTH": 64,
                 "SUPPORTS_NARROW_BURST": 0}  # fmt: skip
        lines += [
            f"ipx::add_address_space {name} $core",
            f"set space [ipx::get_address_spaces {name} -of_objects $core]",
            "set_property range 4G $space",
            "set_property width 32 $space",
            f"set_property master_address_space_ref {name} $bus",
        ]
    else:
        facts = {"PROTOCOL": "AXI4LITE"}
        lines += [
            f"ipx::add_memory_map {name} $core",
            f"set_property slave_memory_map_ref {name} $bus",
            f"set map [ipx::get_memory_maps {name} -of_objects $core]",
            "ipx::add_address_block registers $map",
            "set block [ipx::get_address_blocks registers -of_objects $map]",
            "set_property range 4096 $block",
            "set_property width 32 $block",
            "set_property usage register $block",
        ]
        for register in MAP:
            lines += [
                f"ipx::add_register {register.name} $block",
                f"set register [ipx::get_registers {register.name} -of_objects $block]",
                f"set_property address_offset {register.address:#x} $register",
                "set_property size 32 $register",
            ]
    for fact, value in facts.items():
        lines += [
            f"ipx::add_bus_parameter {fact} $bus",
            f"set_property value {value} [ipx::get_bus_parameters {fact} -of_objects $bus]",
        ]
    return [*lines, f"ipx::associate_bus_interfaces -busif {name} -clock clk $core", ""]


def _signal(port: str, kind: str, mode: str, facts: dict[str, str]) -> list[str]:
    """A clock, reset or interrupt."""
    logical = {"clock": "CLK", "reset": "RST", "interrupt": "INTERRUPT"}[kind]
    lines = [
        f"ipx::add_bus_interface {port} $core",
        f"set bus [ipx::get_bus_interfaces {port} -of_objects $core]",
        f"set_property abstraction_type_vlnv xilinx.com:signal:{kind}_rtl:1.0 $bus",
        f"set_property bus_type_vlnv xilinx.com:signal:{kind}:1.0 $bus",
        f"set_property interface_mode {mode} $bus",
        f"ipx::add_port_map {logical} $bus",
        f"set_property physical_name {port} [ipx::get_port_maps {logical} -of_objects $bus]",
    ]
    for fact, value in facts.items():
        lines += [
            f"ipx::add_bus_parameter {fact} $bus",
            f"set_property value {value} [ipx::get_bus_parameters {fact} -of_objects $bus]",
        ]
    return [*lines, ""]


def _tcl(config: EngineConfig, ports: Sequence[Port], version: str, what: str) -> str:
    lines = [
        f"# {what}",
        "# vivado -mode batch -source package_ip.tcl        makes ip/, a folder for the IP catalogue's repositories.",
        "set here [file normalize [file dirname [info script]]]",
        "create_project -in_memory",
        "add_files -norecurse [file join $here engine.v]",
        "add_files -fileset constrs_1 -norecurse [file join $here engine_ooc.xdc]",
        "set_property USED_IN {synthesis implementation out_of_context} [get_files engine_ooc.xdc]",
        "set_property top engine [current_fileset]",
        "update_compile_order -fileset sources_1",
        "ipx::package_project -root_dir [file join $here ip] -vendor systolith -library ip -taxonomy /UserIP "
        "-import_files -force",
        "set core [ipx::current_core]",
        "set_property name engine $core",
        f"set_property version {'.'.join(version.split('.')[:2])} $core",
        "set_property display_name {Systolith engine} $core",
        f"set_property description {{{what}}} $core",
        "",
        "# What Vivado guessed from the names of ports is replaced.",
        "foreach bus [ipx::get_bus_interfaces -of_objects $core] {",
        "    ipx::remove_bus_interface [get_property name $bus] $core",
        "}",
        "",
        *_signal("clk", "clock", "slave", {}),
        *_signal("rst", "reset", "slave", {"POLARITY": "ACTIVE_HIGH"}),
        *_signal("irq", "interrupt", "master", {"SENSITIVITY": "LEVEL_HIGH"}),
        *_bus("axi", ports),
        *_bus("ctl", ports),
        "ipx::associate_bus_interfaces -clock clk -reset rst $core",
        "ipx::create_xgui_files $core",
        "ipx::update_checksums $core",
        "ipx::check_integrity $core",
        "ipx::save_core $core",
    ]
    return "\n".join(lines) + "\n"


def package_files(config: EngineConfig, verilog: str, freq: float = FREQ) -> dict[str, str]:
    """Text of each file by its name; ``freq``: the constraints' clock in MHz. Raises ValueError outside 1..1000."""
    if not 1 <= freq <= 1000:
        raise ValueError(f"freq must be 1..1000 MHz, not {freq:g}")
    version = metadata.version("systolith")
    what = f"Systolith engine: {config.describe()}; configuration {config.hash:#010x}"
    period = f"{1000 / freq:.3f}"
    return {
        "engine.v": verilog,
        "systolith_engine.core": _CORE.format(version=version, what=what),
        "package_ip.tcl": _tcl(config, engine_ports(config), version, what),
        "engine.sdc": _SDC.format(what=what, period=period),
        "engine_ooc.xdc": _XDC.format(what=what, period=period),
        "engine.md": datasheet(config),
    }


def write_package(config: EngineConfig, folder: str | Path, verilog: str, freq: float = FREQ) -> Path:
    """Write the folder. Raises ValueError where it holds something else."""
    files = package_files(config, verilog, freq)

    def fill(target: Path) -> None:
        for name, text in files.items():
            (target / name).write_text(text)

    return fresh_folder(folder, fill, mark="systolith_engine.core")
