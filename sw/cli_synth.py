"""The command ``synth``: its options, and how their text becomes values."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from .api_board import FASTEST, VivadoProject, synth_board
from .api_synth import Synth, device_config, synth
from .container import load_program
from .synthesis_boards import BOARDS, board_named
from .synthesis_devices import DEVICES

__all__ = ["add_synth", "megahertz", "run_synth"]


def megahertz(text: str | None, option: str = "--freq") -> float | None:
    """A clock in MHz; raises ValueError that names the ``option``."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 1000:
        known = f", or {FASTEST}" if option == "--clock" else ""
        raise ValueError(f"{option} must be 1..1000 MHz{known}, not {text!r}")
    return value


def add_synth(command: ArgumentParser, count_of: Any, names: tuple[str, ...]) -> None:
    """The options beyond the engine's, which are there already and are called ``names``; theirs are the device's."""
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument("--device", metavar="NAME", help=f"the engine alone on one of {', '.join(DEVICES)}")
    where.add_argument("--board", metavar="NAME",
                       help=f"an engine with its memory and a serial link on one of {', '.join(BOARDS)}")  # fmt: skip
    command.add_argument("--program", metavar="FILE",
                         help="a board's memory holds this program and its weights from the start")  # fmt: skip
    command.add_argument("--memory", type=count_of("--memory", 1), metavar="BYTES",
                         help="a board's memory, also as 64K (default: what fits and the program needs)")  # fmt: skip
    command.add_argument("--clock", metavar="MHZ",
                         help=f"a board's clock by its FPGA's PLL, {FASTEST}: the fastest that place and route reaches "
                              "(default: the oscillator's)")  # fmt: skip
    command.add_argument("-o", "--output", metavar="FILE",
                         help="where to copy the bitstream, or a Vivado project's folder")  # fmt: skip
    command.add_argument("--freq", metavar="MHZ",
                         help="the clock that the median must reach, else exit status 1")  # fmt: skip
    command.add_argument("--seeds", type=count_of("--seeds", 1), default=1, metavar="N",
                         help="place and route N times; the median counts (default: 1)")  # fmt: skip
    command.add_argument("--speed", type=count_of("--speed", 1), metavar="N",
                         help="speed grade, 6 to 8 of an ECP5 (default: 6, the slowest)")  # fmt: skip
    command.add_argument("--router", metavar="NAME",
                         help="nextpnr's router for ECP5 and CrossLink-NX: router1, or router2, faster on full devices "
                              "and with a slower clock (default: router1)")  # fmt: skip
    command.add_argument("--placer", metavar="NAME",
                         help="nextpnr's placer for ECP5: heap, or static, with shorter wires in large engines "
                              "(default: static on an ECP5-85F, else heap)")  # fmt: skip
    command.add_argument("--jobs", type=count_of("--jobs", 1), default=1, metavar="N",
                         help="runs of nextpnr at a time (default: 1)")  # fmt: skip
    for action in command._actions:
        if action.dest in names:
            action.default = None
            action.help = f"{(action.help or '').rpartition(' (default')[0]} (default: what fits the device)"


def run_synth(
    arguments: Namespace, names: tuple[str, ...], progress: Callable[[str], None]
) -> Synth | VivadoProject:
    """What the options ask for; raises ValueError, SynthesisError."""
    freq = megahertz(arguments.freq)
    chosen = {name: getattr(arguments, name) for name in names}
    if arguments.board is None:
        for name in ("program", "memory", "clock"):
            if getattr(arguments, name) is not None:
                raise ValueError(f"--{name} is for a board: give --board instead of --device")
        config = device_config(arguments.device, **chosen)
        return synth(
            config, arguments.device, arguments.output, freq=freq, seeds=arguments.seeds, speed=arguments.speed,
            router=arguments.router, placer=arguments.placer, jobs=arguments.jobs, progress=progress,
        )  # fmt: skip
    if arguments.speed is not None:
        raise ValueError("--speed is for --device: a board has its own speed grade")
    board = board_named(arguments.board)
    clock = arguments.clock if arguments.clock == FASTEST else megahertz(arguments.clock, "--clock")
    if clock == FASTEST and freq is not None:
        raise ValueError(
            f"--freq is what a clock must reach, and --clock {FASTEST} finds it: leave one of them out"
        )
    program = None if arguments.program is None else load_program(arguments.program)
    given = any(value is not None for value in chosen.values())
    config_ = None
    if given:
        base = (
            chosen
            if program is None
            else {**asdict(program.config), **{k: v for k, v in chosen.items() if v is not None}}
        )
        config_ = board.config(**base)
    return synth_board(
        arguments.board, arguments.output, config=config_, program=program, memory=arguments.memory, clock=clock,
        freq=freq, seeds=arguments.seeds, router=arguments.router, placer=arguments.placer, jobs=arguments.jobs,
        progress=progress,
    )  # fmt: skip
