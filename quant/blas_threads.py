"""One BLAS thread per worker: images run in parallel, each product on one core.

OpenBLAS divides a product among threads that spin on each other; on cores shared with other work that is ten
times slower than one thread. Inside ``one_blas_thread()`` NumPy's OpenBLAS uses one thread; the references
run batches of images in ``workers()`` threads instead. Without OpenBLAS this does nothing.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

__all__ = ["batch_size", "one_blas_thread", "workers"]

_lock = threading.Lock()
_depth = 0
_before = 0


def workers() -> int:
    """Threads to run batches in: the cores this process may use, 8 at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 8)


def batch_size(shapes: Iterable[tuple[int, int, int]]) -> int:
    """Images to run at a time in one thread: 16, fewer where a map (height, width, channels) is large."""
    largest = max(h * w * c for h, w, c in shapes)
    return max(1, min(16, (1 << 23) // largest))


@cache
def _library() -> tuple[ctypes.CDLL, str] | None:
    """NumPy's own OpenBLAS and the suffix of its symbols, if it has one."""
    root = Path(np.__file__).parent
    folders = (root.parent / "numpy.libs", root / ".dylibs")
    for file in sorted(file for folder in folders if folder.is_dir() for file in folder.iterdir()):
        if "openblas" not in file.name:
            continue
        try:
            library = ctypes.CDLL(str(file))
        except OSError:
            continue
        for prefix in ("scipy_openblas", "openblas"):
            for suffix in ("64_", ""):
                if hasattr(library, f"{prefix}_set_num_threads{suffix}"):
                    return library, f"{prefix}_{{}}_num_threads{suffix}"
    return None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """While any caller is inside, OpenBLAS uses one thread; the last one out restores the number before."""
    global _depth, _before
    found = _library()
    if found is None:
        yield
        return
    library, pattern = found
    with _lock:
        if _depth == 0:
            _before = int(getattr(library, pattern.format("get"))())
            getattr(library, pattern.format("set"))(1)
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                getattr(library, pattern.format("set"))(_before)
