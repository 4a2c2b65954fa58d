"""The command ``report``: its options."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

__all__ = ["add_report"]


def add_report(command: ArgumentParser, count_of: Any) -> None:
    """The options of ``report`` beyond the engine's."""
    command.add_argument("sources", nargs="+", metavar="DIR|PROGRAM|RESULTS|FILE.json",
                         help="what the page is made of, see above")  # fmt: skip
    command.add_argument("-o", "--output", metavar="FILE.html",
                         help="default: report.html in the first directory, or beside the first file")  # fmt: skip
    command.add_argument("--images", type=count_of("--images", 1), default=2, metavar="N",
                         help="how many run back to back in the timeline (default: 2)")  # fmt: skip
