"""The command ``profile``: its options, and what it leaves."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from .api_profile import SOURCES

__all__ = ["add_profile", "layer_names"]


def layer_names(text: str) -> tuple[str, ...]:
    """An argparse type: names separated by commas; ``api.profile`` checks them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def add_profile(command: ArgumentParser, count_of: Any) -> None:
    """The options of ``profile`` beyond preprocessing and engine."""
    command.add_argument("source", metavar="DIR|MODEL.onnx", help="a quantized model or an ONNX file")
    command.add_argument("-o", "--output", metavar="FILE",
                         help="picture to write, .png, .svg, .pdf; .json: a trace for ui.perfetto.dev")  # fmt: skip
    command.add_argument("--images", type=count_of("--images", 1), default=1, metavar="N",
                         help="how many run back to back (default: 1)")  # fmt: skip
    command.add_argument("--from", dest="origin", choices=SOURCES, default=SOURCES[0],
                         help="the cycle model, or a run in RTL that must equal it (default: model)")  # fmt: skip
    window = command.add_argument_group("window: a part of the run, larger (default: all of it, and zooms)")
    for option, what in (("--first", "first"), ("--last", "last")):
        window.add_argument(option, type=count_of(option, 0), metavar="CYCLE", help=f"{what} cycle to draw")
    window.add_argument("--layers", type=layer_names, default=(), metavar="A,B,...",
                        help="the cycles of these layers, in the first image, instead")  # fmt: skip
