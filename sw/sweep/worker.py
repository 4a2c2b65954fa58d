"""A child process of a sweep: reads a job, then configurations; writes figures. All as pickles, over its pipes.

It imports what a point needs and nothing else, and not the program that started the sweep: scripts without a
``__main__`` guard and notebooks may sweep.
"""

from __future__ import annotations

import os
import pickle
import sys

from .measure import run_job

__all__ = ["main"]


def main() -> None:
    """Until the input ends."""
    source = sys.stdin.buffer
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as target:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody prints between the pickles
        job = pickle.load(source)
        while True:
            try:
                values = pickle.load(source)
            except EOFError:
                return
            pickle.dump(run_job(job, values), target)
            target.flush()


if __name__ == "__main__":
    main()
