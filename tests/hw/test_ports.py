"""Ports as data == the ports of the Verilog; what is written around the engine derives from them."""

import re

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.ports import Port, engine_ports
from systolith.hw.verilog import engine_verilog

CONFIG = EngineConfig(rows=1, cols=2, scratchpad=1024, acc_depth=16, port_width=32, fold_width=0, fir_depth=0)


def test_ports_are_those_of_the_verilog() -> None:
    body = re.search(r"^module engine .*?^endmodule$", engine_verilog(CONFIG), re.MULTILINE | re.DOTALL)
    assert body is not None
    found = {
        name: (direction == "output", int(high or 0) + 1)
        for direction, high, name in re.findall(
            r"^  (input|output) (?:\[(\d+):0\] )?(\w+);$", body[0], re.MULTILINE
        )
    }
    assert found == {port.name: (port.output, port.width) for port in engine_ports(CONFIG)}


@pytest.mark.parametrize(
    ("name", "bus", "signal", "valid"),
    [
        ("clk", "", "clk", ""),
        ("rst", "", "rst", ""),
        ("axi__araddr", "axi", "araddr", "axi__arvalid"),
        ("axi__arvalid", "axi", "arvalid", ""),
        ("axi__rready", "axi", "rready", ""),
        ("axi__awlen", "axi", "awlen", "axi__awvalid"),
        ("axi__wlast", "axi", "wlast", "axi__wvalid"),
        ("ctl__bresp", "ctl", "bresp", "ctl__bvalid"),
    ],
)
def test_parts_of_a_name(name: str, bus: str, signal: str, valid: str) -> None:
    port = Port(name=name, width=1, output=True)
    assert (port.bus, port.signal, port.valid, port.range) == (bus, signal, valid, "")


def test_every_payload_has_its_valid() -> None:
    ports = engine_ports(CONFIG)
    assert {port.valid for port in ports} - {""} <= {port.name for port in ports}
    assert Port(name="a", width=8, output=False).range == "[7:0] "
