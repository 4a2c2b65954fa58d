"""Activations of the calibration images, batch by batch, in bounded memory.

``store[name, b]`` is tensor ``name`` for batch ``b``. Past ``budget`` bytes the arrays live in memory-mapped
temporary files, which vanish with the store.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from .arithmetic import FloatArray

__all__ = ["ActivationStore"]


class ActivationStore:
    """A dictionary of arrays keyed by (tensor, batch), for threads too; use it as a context manager."""

    def __init__(self, budget: int = 1 << 30) -> None:
        if budget < 0:
            raise ValueError(f"budget must not be negative, not {budget}")
        self._budget = budget
        self._used = 0
        self._count = 0
        self._lock = threading.Lock()
        self._arrays: dict[tuple[str, int], FloatArray] = {}
        self._files: dict[tuple[str, int], Path] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def __setitem__(self, key: tuple[str, int], array: FloatArray) -> None:
        with self._lock:
            self._drop(key)
            if self._used + array.nbytes <= self._budget or array.size == 0:
                self._arrays[key] = array
                self._used += array.nbytes
                return
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="systolith-")
            self._count += 1
            path = Path(self._folder.name) / f"{self._count}.npy"
        np.save(path, array)
        self._files[key] = path

    def __getitem__(self, key: tuple[str, int]) -> FloatArray:
        if key in self._files:
            mapped: FloatArray = np.load(self._files[key], mmap_mode="r")
            return mapped
        return self._arrays[key]

    def forget(self, name: str) -> None:
        """Free every batch of a tensor nobody reads any more."""
        for key in [k for k in (*self._arrays, *self._files) if k[0] == name]:
            self._drop(key)

    def clear(self) -> None:
        """Free everything, the files included."""
        self._arrays.clear()
        self._files.clear()
        self._used = 0
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _drop(self, key: tuple[str, int]) -> None:
        old = self._arrays.pop(key, None)
        if old is not None:
            self._used -= old.nbytes
        path = self._files.pop(key, None)
        if path is not None:
            path.unlink(missing_ok=True)
