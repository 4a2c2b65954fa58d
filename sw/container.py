"""A program as one file.

    "SYSTPROG" | version u32 | header bytes u32 | SHA-256 of the rest | header JSON | records | weights | tables

Integers are little-endian; the same program gives the same bytes. The header holds the configuration, its
hash, sizes, layouts and debug tables.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from ..hw.config import EngineConfig
from ..quant.formats import QFormat
from .program import ComputeInfo, LayerInfo, OutputInfo, Program, TensorInfo

__all__ = ["VERSION", "from_bytes", "load_program", "save_program", "to_bytes"]

MAGIC = b"SYSTPROG"

VERSION = 3

_PREFIX = struct.Struct("<8sII32s")

_COUNTS = ("name", "input", "n_load", "n_compute", "n_store", "spill_bytes")


def to_bytes(program: Program) -> bytes:
    """The file's content."""
    header: dict[str, Any] = {name: getattr(program, name) for name in _COUNTS}
    header |= {
        "config": asdict(program.config),
        "hash": program.config.hash,
        "sizes": [len(program.records), len(program.weights), len(program.tables)],
        "outputs": [asdict(output) for output in program.outputs],
        "tensors": [asdict(tensor) for tensor in program.tensors.values()],
        "computes": [list(asdict(info).values()) for info in program.computes],
        "layers": [asdict(layer) for layer in program.layers],
    }
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    body = text + program.records + program.weights + program.tables
    return _PREFIX.pack(MAGIC, VERSION, len(text), hashlib.sha256(body).digest()) + body


def from_bytes(content: bytes, name: str = "program file", *, checked: bool = True) -> Program:
    """The program in a file's content. Raises ``ValueError`` saying what is wrong with ``name``.

    ``checked=False`` takes a program whose checksum does not match as it is, as far as it can be read at all.
    """
    if len(content) < _PREFIX.size or not content.startswith(MAGIC):
        raise ValueError(f"{name} is not a Systolith program")
    _, version, size, digest = _PREFIX.unpack_from(content)
    if version != VERSION:
        raise ValueError(
            f"{name} has version {version} of the program format, this reads {VERSION}: compile it again"
        )
    body = content[_PREFIX.size :]
    if checked and hashlib.sha256(body).digest() != digest:
        raise ValueError(f"{name} is truncated or corrupt: its checksum does not match")
    try:
        return _parse(body, size, name)
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{name} is corrupt: its header cannot be read ({error})") from None


def _parse(body: bytes, size: int, name: str) -> Program:
    header = json.loads(body[:size])
    config = EngineConfig(**header["config"])
    if config.hash != header["hash"]:
        raise ValueError(f"{name} was compiled for another version of the instruction set: compile it again")
    ends = list(accumulate((size, *header["sizes"])))
    if len(body) != ends[-1]:
        raise ValueError(f"{name} is truncated or corrupt: it must have {ends[-1]} bytes "
                         f"behind its first {_PREFIX.size}, not {len(body)}")  # fmt: skip
    records, weights, tables = (body[a:b] for a, b in pairwise(ends))
    fields = ComputeInfo.__dataclass_fields__
    return Program(
        config=config,
        records=records,
        weights=weights,
        tables=tables,
        outputs=tuple(OutputInfo(**output) for output in header["outputs"]),
        tensors={tensor["name"]: _tensor(tensor) for tensor in header["tensors"]},
        computes=tuple(ComputeInfo(**dict(zip(fields, info, strict=True))) for info in header["computes"]),
        layers=tuple(LayerInfo(**layer) for layer in header["layers"]),
        **{name: header[name] for name in _COUNTS},
    )


def _tensor(header: dict[str, Any]) -> TensorInfo:
    height, width, channels = header["shape"]
    return TensorInfo(**header | {"shape": (height, width, channels), "format": QFormat(**header["format"])})


def save_program(program: Program, path: str | Path) -> None:
    """Write the file."""
    Path(path).write_bytes(to_bytes(program))


def load_program(path: str | Path, config: EngineConfig | None = None) -> Program:
    """Read the file; with ``config``, refuse a program for another engine (see ``Program.require``)."""
    program = from_bytes(Path(path).read_bytes(), str(path))
    if config is not None:
        program.require(config)
    return program
