"""Names of results by content: the same key is the same result, in any process, on any day.

key = SHA-256 of version, workload, engine, images, latency
version = SHA-256 of the sources that figures come from: compiler, cycle model, quantizer, instruction set
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["content_digest", "key_of", "source_version"]

_SW = Path(__file__).resolve().parents[1]

_SOURCES = (
    (_SW, "*.py"),
    (_SW / "cycle_model", "*.py"),
    (_SW / "sweep", "*.py"),
    (_SW.parent / "quant", "*.py"),
    (_SW.parent / "hw", "config.py"),
    (_SW.parent / "hw", "field_widths.py"),
    (_SW.parent / "hw", "isa.py"),
    (_SW.parent / "hw", "record.py"),
)
_NOT = ("api", "cli", "picture", "page", "quant_page", "quant_cards")
"""What only shows results, by the beginning of the file's name."""


@cache
def source_version() -> str:
    """Of the code that makes figures; results of another version are not taken."""
    digest = hashlib.sha256()
    for folder, pattern in _SOURCES:
        for path in sorted(folder.glob(pattern)):
            if not path.name.startswith(_NOT):
                digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _feed(digest: Any, value: object) -> None:
    if isinstance(value, np.ndarray):
        digest.update(
            f"array {value.dtype.str} {value.shape} ".encode() + np.ascontiguousarray(value).tobytes()
        )
    elif is_dataclass(value) and not isinstance(value, type):
        digest.update(f"{type(value).__name__} ".encode())
        for field in fields(value):
            digest.update(f"{field.name} ".encode())
            _feed(digest, getattr(value, field.name))
    elif isinstance(value, Mapping):
        digest.update(f"mapping {len(value)} ".encode())
        for key, item in value.items():
            _feed(digest, key)
            _feed(digest, item)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        digest.update(f"sequence {len(value)} ".encode())
        for item in value:
            _feed(digest, item)
    elif isinstance(value, bytes):
        digest.update(f"bytes {len(value)} ".encode() + value)
    elif value is None or isinstance(value, (str, bool, int, float, np.generic)):
        digest.update(f"{type(value).__name__} {value!r} ".encode())
    else:
        raise TypeError(f"no digest of a {type(value).__name__}")


def content_digest(value: object) -> str:
    """SHA-256 of dataclasses, arrays, mappings, sequences and plain values, all the way down."""
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def key_of(*parts: object) -> str:
    """The key of a result that depends on ``parts``, values of JSON, and on the sources."""
    text = json.dumps([source_version(), *parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
