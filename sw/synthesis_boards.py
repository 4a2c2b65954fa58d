"""Boards as data: an Amaranth platform of the package ``amaranth-boards``, its FPGA, and the engine that fits.

hw.board on the platform -> RTLIL and pins -> sw.synthesis        (Vivado's boards: Verilog, XDC and Tcl, not run)
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..hw.config import EngineConfig
from ..hw.link import BAUD
from ..hw.pll import PLLS, Pll, PllKind, nearest_clock
from .synthesis import platform_of
from .synthesis_devices import DEVICES, Device
from .synthesis_tools import SynthesisError

__all__ = ["BOARDS", "BoardData", "board_named", "board_pll", "clock_hz", "pll_kind", "prepare"]

TOP = "top"


@dataclass(frozen=True, kw_only=True)
class BoardData:
    """One board.

    ``platform``: module of amaranth_boards, or whole name of a module here, and class; or a class of one's own.
    ``device``: one of ``DEVICES``, "" for Vivado's. ``package``, ``speed``: where they are not the device's. ``uart``:
    pins of rx and tx and the connector they belong to, where the platform has no UART. ``led``: whether its LED 0 is
    free. ``memory``: bytes of memory beside the engine. ``engine``: fields of EngineConfig, where they are not the
    device's.
    """

    name: str
    title: str
    platform: tuple[str, str] | type
    device: str
    package: str = ""
    speed: int | None = None
    uart: tuple[str, str, tuple[str, int]] | None = None
    led: bool = True
    memory: int
    engine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def vivado(self) -> bool:
        """Whether a vendor's tool makes the bitstream."""
        return not self.device

    @property
    def target(self) -> Device:
        """The FPGA in its package. Only where there is one for open tools."""
        device = DEVICES[self.device]
        if not self.package:
            return device
        return replace(device, arguments=(*device.arguments[:-1], self.package))

    def config(self, **chosen: int | None) -> EngineConfig:
        """The engine that fits, with the fields that are ``chosen`` and not None instead."""
        given = {name: value for name, value in chosen.items() if value is not None}
        own = {} if self.vivado else dict(DEVICES[self.device].engine)
        return EngineConfig(**{**own, **self.engine, **given})


_PLAIN: Mapping[str, int] = {"fold_width": 0, "fir_depth": 0, "tables": 0}
"""Neither line buffer nor depthwise columns nor tables: placed in half the time."""

_ECP5: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "25": (24, {"rows": 4, "cols": 4, "scratchpad": 16 << 10, "acc_depth": 256, "port_width": 32, "fir_depth": 256,
                "tables": 4}),
    "25 plain": (24, {"rows": 4, "cols": 4, "scratchpad": 16 << 10, "acc_depth": 256, "port_width": 32, **_PLAIN}),
    "45": (48, {"rows": 4, "cols": 8, "scratchpad": 32 << 10, "acc_depth": 512, "port_width": 32, **_PLAIN}),
    "85": (172, {"rows": 8, "cols": 8, "scratchpad": 64 << 10, "acc_depth": 1024, "fold_width": 64, "fir_depth": 0,
                 "tables": 0}),
}  # fmt: skip
"""KB of memory and the engine of a die; a 12F is a 25F. With all block RAM of a 25F in use no routing was found."""


def _ulx3s(size: str) -> BoardData:
    die = {"12": "25 plain"}.get(size, size)
    return BoardData(
        name=f"ulx3s-{size}f",
        title=f"ULX3S {size}F",
        platform=("ulx3s", f"ULX3S_{size}F_Platform"),
        device=f"ecp5-{size}f",
        package="CABGA381",
        memory=_ECP5[die][0] << 10,
        engine=_ECP5[die][1],
    )


def _orangecrab(size: str) -> BoardData:
    memory, engine = _ECP5[{"25": "25 plain"}.get(size, size)]
    return BoardData(
        name=f"orangecrab-{size}f",
        title=f"OrangeCrab r0.2, {size}F; UART on pins 0 (rx) and 1 (tx)",
        platform=("orangecrab_r0_2", f"OrangeCrabR0_2_{size}FPlatform"),
        device=f"ecp5-{size}f",
        package="CSFBGA285",
        speed=8,
        uart=("0", "1", ("io", 0)),
        led=False,
        memory=memory << 10,
        engine=engine,
    )


_XILINX = {"rows": 8, "cols": 8, "scratchpad": 64 << 10, "acc_depth": 512}

BOARDS = {
    board.name: board
    for board in (
        *map(_ulx3s, ("12", "25", "45", "85")),
        *map(_orangecrab, ("25", "85")),
        BoardData(
            name="colorlight-5a-75b",
            title="Colorlight 5A-75B r7.0; UART on J19: LED- (tx), KEY+ (rx)",
            platform=("colorlight_5a75b_r7_0", "Colorlight_5A75B_R70Platform"),
            device="ecp5-25f",
            package="CABGA256",
            led=False,
            memory=_ECP5["25 plain"][0] << 10,
            engine=_ECP5["25 plain"][1],
        ),
        BoardData(
            name="icebreaker",
            title="iCEBreaker",
            platform=("icebreaker", "ICEBreakerPlatform"),
            device="ice40-up5k",
            memory=96 << 10,
        ),
        BoardData(
            name="tang-nano-9k",
            title="Tang Nano 9K",
            platform=("tang_nano_9k", "TangNano9kPlatform"),
            device="gw1nr-9",
            memory=16 << 10,
        ),
        BoardData(
            name="tang-primer-20k",
            title="Tang Primer 20K on its dock",
            platform=("tang_primer_20k", "TangPrimer20kDockPlatform"),
            device="gw2a-18",
            memory=16 << 10,
        ),
        BoardData(
            name="crosslink-nx-evn",
            title="CrossLink-NX Evaluation Board; UART by its USB, resistors R15 and R17 in place of R18 and R19",
            platform=("systolith.hw.crosslink_nx_evn", "CrosslinkNxEvnPlatform"),
            device="lifcl-40",
            led=False,
            memory=16 << 10,
        ),
        BoardData(
            name="arty-a7-35",
            title="Arty A7-35, a Vivado project",
            platform=("arty_a7", "ArtyA7_35Platform"),
            device="",
            memory=64 << 10,
            engine=_XILINX,
        ),
        BoardData(
            name="arty-z7-20",
            title="Arty Z7-20 (Zynq 7020), a Vivado project; UART on pmod JA, pins 2 (tx) and 3 (rx)",
            platform=("arty_z7", "ArtyZ720Platform"),
            device="",
            uart=("3", "2", ("pmod", 0)),
            memory=256 << 10,
            engine=_XILINX | {"scratchpad": 128 << 10, "cols": 16},
        ),
    )
}
"""Each board by the name that the command line takes."""


def board_named(name: str) -> BoardData:
    """Raises ValueError that lists the boards."""
    if name not in BOARDS:
        raise ValueError(f"board must be one of {', '.join(BOARDS)}, not {name!r}")
    return BOARDS[name]


def _platform(board: BoardData) -> Any:
    """The board's platform with its family's lowerings. Raises SynthesisError where the package is absent."""
    base: Any = board.platform
    if isinstance(base, tuple):
        module, name = base
        try:
            path = module if module.startswith("systolith.") else f"amaranth_boards.{module}"
            base = getattr(importlib.import_module(path), name)
        except ModuleNotFoundError:
            raise SynthesisError(
                "amaranth-boards is not installed: pip install amaranth-boards "
                "(pip install systolith[synth] installs all)"
            ) from None
    family = None if board.vivado else platform_of(DEVICES[board.device].family.name)
    platform = type(base.__name__, (base,) if family is None else (base, type(family)), {})()
    if board.uart is not None:
        from amaranth.build import Attrs

        resource = importlib.import_module("amaranth_boards.resources").UARTResource
        rx, tx, conn = board.uart
        attrs = Attrs(IOSTANDARD="LVCMOS33") if board.vivado else Attrs(IO_TYPE="LVCMOS33")
        platform.add_resources([resource(0, rx=rx, tx=tx, conn=conn, attrs=attrs)])
    return platform


def clock_hz(board: BoardData) -> float:
    """The board's oscillator."""
    return float(_platform(board).default_clk_frequency)


def pll_kind(board: BoardData) -> PllKind:
    """The PLL of the board's FPGA. Raises ValueError where none is known here."""
    device = None if board.vivado else DEVICES[board.device]
    kind = None if device is None else PLLS.get(device.words.get("yosys", device.family.name))
    if kind is None:
        raise ValueError(
            f"clock cannot be chosen for {board.name}: no PLL of its FPGA is known here; leave it out for the "
            f"oscillator's {clock_hz(board) / 1e6:g} MHz"
        )
    return kind


def board_pll(board: BoardData, mhz: float | None) -> Pll | None:
    """The PLL's setting nearest to a clock, None for the oscillator's own. Raises ValueError where it makes none."""
    source = clock_hz(board) / 1e6
    if mhz is None or abs(mhz - source) < 1e-6:
        return None
    return nearest_clock(pll_kind(board), source, mhz)


def prepare(
    board: BoardData,
    config: EngineConfig,
    *,
    words: int,
    init: Sequence[int] = (),
    pll: Pll | None = None,
    baud: int = BAUD,
) -> dict[str, str]:
    """The files that the tools read, by name: ``top.il`` and pins, or for Vivado ``top.v``, ``top.xdc``, ``top.tcl``.

    ``pll``: makes the clock; None: the oscillator's. Raises ValueError for a baud rate that the clock cannot divide
    into, SynthesisError where amaranth-boards is absent.
    """
    from ..hw.board import Board, divisor

    platform = _platform(board)
    divisor(platform.default_clk_frequency if pll is None else pll.mhz * 1e6, baud)
    top = Board(config, words=words, init=init, pll=pll, baud=baud, led=board.led)
    plan = platform.prepare(top, name=TOP, emit_src=False)
    text = {
        name: content if isinstance(content, str) else content.decode()
        for name, content in plan.files.items()
    }
    wanted = (".v", ".xdc", ".tcl") if board.vivado else (".il", ".lpf", ".pcf", ".cst", ".pdc")
    return {name: text[name] for name in sorted(text) if name.endswith(wanted) and "debug" not in name}
