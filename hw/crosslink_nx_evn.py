"""``CrosslinkNxEvnPlatform``: Lattice's CrossLink-NX Evaluation Board as an Amaranth platform."""

from __future__ import annotations

from amaranth.build import Attrs, Clock, Connector, Pins, Resource, Subsignal
from amaranth.vendor import LatticePlatform

__all__ = ["CrosslinkNxEvnPlatform"]

_VOLTS = Attrs(IO_TYPE="LVCMOS33")


class CrosslinkNxEvnPlatform(LatticePlatform):
    """LIFCL-40-9BG400C, an oscillator of 12 MHz (jumper JP2), and the serial line of the board's USB.

    Pins are those of LiteX's board file (litex-boards, lattice_crosslink_nx_evn); they were not held to Lattice's user
    guide, FPGA-EB-02028. The line takes resistors R15 and R17 in place of R18 and R19.
    """

    device, package, speed, grade = "LIFCL-40", "BG400", "9", "C"
    toolchain = "Oxide"
    default_clk = "clk12"
    connectors: list[Connector] = []  # noqa: RUF012
    resources = [  # noqa: RUF012
        Resource("clk12", 0, Pins("L13", dir="i"), Clock(12e6), _VOLTS),
        Resource(
            "uart", 0, Subsignal("rx", Pins("F16", dir="i")), Subsignal("tx", Pins("F18", dir="o")), _VOLTS
        ),
    ]
