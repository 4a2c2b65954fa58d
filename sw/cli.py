"""The command line: ``systolith COMMAND ...`` or ``python -m systolith.sw.cli``.

Exit status 0: all is well. 1: a mismatch, a failed engine. 2: bad input, one sentence on stderr.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Sequence

from ..sim.toolchain import ToolchainError
from .cli_commands import COMMANDS, Outcome
from .cli_options import UsageError, parser

__all__ = ["main"]

OK, FAILED, BAD_INPUT = 0, 1, 2


class _Progress:
    """Lines on stderr, each with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, line: str) -> None:
        print(f"[{time.monotonic() - self._start:6.1f} s] {line}", file=sys.stderr, flush=True)


class _Log(logging.Handler):
    """What the simulation says of its builds and runs, as progress."""

    def __init__(self, progress: _Progress) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress(record.getMessage())


def sentence(error: BaseException) -> str:
    """An error's message on one line."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{str(error.filename)!r}: {error.strerror}"
    if isinstance(error, MemoryError):
        return "out of memory: use fewer images"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if len(lines) > 1 and lines[0].endswith(":"):
        return f"{lines[0]} {' | '.join(lines[1:])}"
    return " | ".join(lines)


def _run(argv: Sequence[str]) -> Outcome:
    arguments = parser().parse_args(argv)
    progress = _Progress()
    log, handler = logging.getLogger("systolith.sim"), _Log(progress)
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        return COMMANDS[arguments.command](arguments, progress)
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in words
    try:
        outcome = _run(words)
        if as_json:
            print(json.dumps(outcome.document, indent=1, allow_nan=False), flush=True)
        else:
            for line in outcome.lines:
                print(line)
            sys.stdout.flush()
    except BrokenPipeError:  # `systolith disasm ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        print("systolith: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, MemoryError, UsageError, ToolchainError) as error:
        text = sentence(error)
        print(f"systolith: error: {text}", file=sys.stderr)
        if as_json:
            print(json.dumps({"error": text}))
        return BAD_INPUT
    if outcome.error:
        print(f"systolith: error: {outcome.error}", file=sys.stderr)
    return outcome.status


if __name__ == "__main__":
    sys.exit(main())
