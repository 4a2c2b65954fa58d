"""A program as text: one line an instruction.

    12  compute 7   conv2 -> act2 pixels 64..127 channels 16..31   after load 2, compute 5   field=value ...

``after load 2``: the first two LOADs of this image have completed; ``after store 1 before``: the first STORE
of the image before. Fields that are 0 are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..hw.isa import COMPUTE, HEADER, LOAD, decode, no_wait, record_words
from .program import Program

__all__ = ["disassemble"]

_UNITS = ("load", "compute", "store")


def disassemble(program: Program) -> Iterator[str]:
    """The lines of the listing."""
    config = program.config
    size = record_words(config) * config.port_bytes
    total = {unit: int(getattr(program, f"n_{unit}")) for unit in _UNITS}
    seen = dict.fromkeys((*_UNITS, "fetch"), 0)
    yield f"{program.name}: {len(program.records) // size} records, {len(program.weights)} bytes of weights"
    yield f"for {config.describe()}"
    header = {field.name for field in HEADER}
    for at in range(0, len(program.records), size):
        instruction, values = decode(program.records[at : at + size], config)
        index = seen[instruction.unit]
        seen[instruction.unit] += 1
        parts = [f"{at // size:5}  {instruction.name:7} {index:<4}"]
        if instruction is COMPUTE:
            info = program.computes[index]
            channels = program.tensors[info.output].shape[2]
            parts.append(
                f"{info.name} -> {info.output} pixels {info.pixel}..{info.pixel + info.count - 1} "
                f"channels {info.channel}..{min(info.channel + config.cols, channels) - 1}"
            )
        if instruction is LOAD and values["table"]:
            every = " for every column" if values["tail"] == 1 else ""
            parts.append(f"table -> slot {values['base'] >> config.table_bits}{every}")
        waits = [
            _wait(unit, wait, total[unit])
            for unit in _UNITS
            if (wait := values[f"wait_{unit}"]) != no_wait(config)
        ]
        if instruction.unit != "fetch" and any(waits):
            parts.append("after " + ", ".join(wait for wait in waits if wait))
        parts.append(" ".join(f"{n}={v}" for n, v in values.items() if v and n not in header))
        if values["last"]:
            parts.append("last")
        yield "  ".join(parts)


def _wait(unit: str, wait: int, total: int) -> str:
    return f"{unit} {wait}" if wait > 0 else f"{unit} {total + wait} before"
