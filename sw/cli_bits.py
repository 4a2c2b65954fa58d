"""Bits on the command line: ``--wgt-bits``, ``--act-bits``, and the commands ``bits`` and ``static``."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..quant.allocator import Budget
from .cli_texts import IMAGES

__all__ = ["BUDGET", "add_bits", "add_static", "bits_file", "budget", "budgets", "precisions", "wgt_bits"]

BUDGET = "4.5 (bits a weight on average), 60K or 61440B (bytes of weights, K = 1024)"


def _refused(option: str, text: str, why: str) -> ValueError:
    return ValueError(f"{option} must be {BUDGET}, not {text!r}: {why}")


def budget(option: str, text: str) -> Budget | None:
    """The budget that a text names; None for what is no number at all.

    Raises ValueError, one sentence, for a number that could mean two things.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)\s*", text)
    if found is None:
        return None
    value, unit = float(found[1]), found[2]
    if unit == "":
        if not 2 <= value <= 16:
            raise _refused(option, text, "averages are 2 to 16 bits; write B, K or M behind bytes")
        return Budget("bits", value)
    scale = {"B": 1, "K": 1 << 10, "k": 1 << 10, "KiB": 1 << 10, "M": 1 << 20, "m": 1 << 20, "MiB": 1 << 20}
    if unit not in scale:
        why = {
            "b": "b could be bits or bytes",
            "KB": "KB could be 1000 or 1024 bytes", "kB": "kB could be 1000 or 1024 bytes",
            "MB": "MB could be 1000000 or 1048576 bytes",
        }.get(unit, f"{unit} is no unit of bytes")  # fmt: skip
        raise _refused(option, text, why)
    if value <= 0:
        raise _refused(option, text, "a budget is more than 0")
    return Budget("bytes", value * scale[unit])


def bits_file(option: str, path: str) -> dict[str, int]:
    """The JSON object in a file; ``Options`` checks names and bits."""
    try:
        found = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{option} must be a JSON file, not {path!r}: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{option} must hold a JSON object of bits by name, not {type(found).__name__}")
    return found


def wgt_bits(text: str) -> Mapping[str, int] | Budget:
    """The value of ``--wgt-bits FILE|BUDGET``; a name that is both is refused."""
    option = "--wgt-bits"
    found = budget(option, text)
    if found is None:
        return bits_file(option, text)
    if Path(text).exists():
        raise ValueError(
            f"{option} {text!r} is a budget and a file: write ./{text} for the file, or rename it"
        )
    return found


def budgets(text: str) -> tuple[Budget, ...]:
    """The value of ``--budgets A,B,...``."""
    found = []
    for part in text.split(","):
        one = budget("--budgets", part)
        if one is None:
            raise _refused("--budgets", part, "give numbers separated by commas")
        found.append(one)
    return tuple(dict.fromkeys(found))


def precisions(text: str) -> tuple[tuple[int, int], ...]:
    """The value of ``--precisions``: ``16,8,8/4`` is ((16, 16), (8, 8), (8, 4)), activations before weights."""
    pairs = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:/(\d+))?\s*", part)
        if found is None:
            raise ValueError(
                f"--precisions must be like 16,8,8/4 (bits, or activations/weights), not {text!r}"
            )
        pairs.append((int(found[1]), int(found[2] or found[1])))
    return tuple(dict.fromkeys(pairs))


def _measured(command: ArgumentParser, count_of: Any) -> None:
    command.add_argument("--images", metavar="FILE", help=f"images to measure on, never chosen by: {IMAGES}")
    command.add_argument("--count", type=count_of("--count", 1), metavar="N",
                         help="the first N of them (default: all)")  # fmt: skip
    command.add_argument("-o", "--output", required=True, metavar="DIR", help="directory to write")


def add_bits(command: ArgumentParser, count_of: Any) -> None:
    """The options of ``bits`` beyond those of every quantization."""
    _measured(command, count_of)
    command.add_argument("--budgets", metavar="A,B,...", default="2.5,3,3.5,4,5,6",
                         help=f"where to sample the front, each {BUDGET} (default: 2.5,3,3.5,4,5,6)")  # fmt: skip


def add_static(command: ArgumentParser, count_of: Any) -> None:
    """The options of ``static`` beyond those of every quantization."""
    _measured(command, count_of)
    command.add_argument("--precisions", metavar="A,B,...", default="16,8,8/4",
                         help="bits, or bits of activations/weights (default: 16,8,8/4)")  # fmt: skip
