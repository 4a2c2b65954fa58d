"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["file_target", "fresh_file", "fresh_folder", "write_whole"]


def file_target(path: str | Path) -> Path:
    """The path, if a file can be written there; raises ValueError."""
    target = Path(path)
    if target.is_dir():
        raise ValueError(f"{str(path)!r} is a directory: give the name of a file")
    if not target.parent.is_dir():
        raise ValueError(f"directory {str(target.parent)!r} does not exist: create it, or write elsewhere")
    return target


@contextmanager
def fresh_file(path: str | Path) -> Iterator[Path]:
    """A temporary file beside ``path``, with its suffix; renamed at the end, gone after an error."""
    target = file_target(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        yield scratch
        mask = os.umask(0)
        os.umask(mask)
        scratch.chmod(0o666 & ~mask)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


def write_whole(path: str | Path, content: bytes | str) -> Path:
    """Write a file; what was there stays if anything goes wrong. Returns its path."""
    with fresh_file(path) as scratch:
        scratch.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


def fresh_folder(path: str | Path, fill: Callable[[Path], None], *, mark: str) -> Path:
    """Write a folder by ``fill``; one that holds a file ``mark`` is replaced, any other one refused."""
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise ValueError(f"{str(path)!r} is a file: give the name of a directory")
    if target.is_dir() and any(target.iterdir()) and not (target / mark).is_file():
        raise ValueError(f"directory {str(path)!r} holds other files: give another name")
    if not target.parent.is_dir():
        raise ValueError(f"directory {str(target.parent)!r} does not exist: create it, or write elsewhere")
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        fill(fresh)
        if target.exists():
            target.rename(scratch / "old")
        fresh.rename(target)
    finally:
        old = scratch / "old"
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(scratch, ignore_errors=True)
    return target
