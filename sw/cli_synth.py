"""The command ``synth``: its options, and how their text becomes values."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from ..hw.config import EngineConfig
from .api_synth import device_config
from .synthesis_devices import DEVICES

__all__ = ["add_synth", "megahertz", "synth_config"]


def megahertz(text: str | None) -> float | None:
    """``--freq``; raises ValueError."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 1000:
        raise ValueError(f"--freq must be 1..1000 MHz, not {text!r}")
    return value


def add_synth(command: ArgumentParser, count_of: Any, names: tuple[str, ...]) -> None:
    """The options beyond the engine's, which are there already and are called ``names``; theirs are the device's."""
    command.add_argument("--device", required=True, metavar="NAME", help=f"one of {', '.join(DEVICES)}")
    command.add_argument("-o", "--output", metavar="FILE",
                         help="where to copy the bitstream (default: it stays in the cache)")  # fmt: skip
    command.add_argument("--freq", metavar="MHZ",
                         help="the clock that the median must reach, else exit status 1")  # fmt: skip
    command.add_argument("--seeds", type=count_of("--seeds", 1), default=1, metavar="N",
                         help="place and route N times; the median counts (default: 1)")  # fmt: skip
    command.add_argument("--speed", type=count_of("--speed", 1), metavar="N",
                         help="speed grade, 6 to 8 of an ECP5 (default: 6, the slowest)")  # fmt: skip
    command.add_argument("--jobs", type=count_of("--jobs", 1), default=1, metavar="N",
                         help="runs of nextpnr at a time (default: 1)")  # fmt: skip
    for action in command._actions:
        if action.dest in names:
            action.default = None
            action.help = f"{(action.help or '').rpartition(' (default')[0]} (default: what fits the device)"


def synth_config(arguments: Namespace, names: tuple[str, ...]) -> EngineConfig:
    """The device's engine with what the options say; raises ValueError."""
    return device_config(arguments.device, **{name: getattr(arguments, name) for name in names})
