"""The compiler on one page: integer network -> operations -> plan -> instructions -> waits -> program.

``layout`` makes the instructions; here they become records, and weights their stream. Who only asks how long a network
takes needs neither: see ``sketch``.
"""

from __future__ import annotations

from dataclasses import replace

from ..hw.config import EngineConfig
from ..hw.isa import CONFIG, encode
from ..quant.network import QuantizedNetwork
from ..quant.overflow import prove
from .dependencies import UNITS
from .depthwise import as_fir
from .joining import join
from .layout import Layout, lay_out
from .operations import operations
from .program import Program
from .room import check_room
from .step import Step
from .weights import encode_segment

__all__ = ["check_network", "compile_network"]


def compile_network(network: QuantizedNetwork, config: EngineConfig, *, fuse_pools: bool = True) -> Program:
    """The program that computes ``network`` on an engine of this configuration.

    ``fuse_pools``: max and global average pools work on the output path of what makes their map; no map is written.
    Raises ``ValueError`` naming the layer or tensor that the engine cannot compute, and the cure.
    """
    found = lay_out(network, config, fuse_pools)
    first = {"hash": config.hash, "last": 1} | {f"n_{unit}": found.total[unit] for unit in UNITS}
    records = [encode(CONFIG, config, first), *(_encode(step, config) for step in found.steps)]
    program = Program(
        **found.outline, records=b"".join(records), weights=_weights(found, config), tables=found.tables
    )
    program.memory_map()  # refuses what the engine cannot address
    return program


def check_network(network: QuantizedNetwork, config: EngineConfig) -> None:
    """Raises ``ValueError`` where ``compile_network`` does, in a fraction of its time: plans are not compared."""
    ops = [as_fir(op, config) for op in operations(network, config)]
    ops, joined = join(network, ops, config)
    prove(network, config.acc_width)
    check_room(network, ops, joined, config)


def _encode(step: Step, config: EngineConfig) -> bytes:
    try:
        return encode(step.instruction, config, step.values)
    except ValueError as error:
        raise ValueError(f"layer {step.info.name!r}: {error}" if step.info else str(error)) from None


def _weights(found: Layout, config: EngineConfig) -> bytes:
    """The weight stream."""
    encoded: dict[tuple[int, int], bytes] = {}  # a block's weights are the same for each strip
    stream = []
    for step in found.steps:
        if step.weights is not None:
            key = id(step.weights), step.values["keep"]
            if key not in encoded:
                encoded[key] = _encode_segment(step, config)
            stream.append(encoded[key])
    return b"".join(stream)


def _encode_segment(step: Step, config: EngineConfig) -> bytes:
    assert step.weights is not None and step.info is not None
    segment = step.weights.segment
    if step.values["keep"]:
        segment = replace(segment, tiles=segment.tiles[:0])
    try:
        return encode_segment(segment, config)
    except ValueError as error:
        raise ValueError(f"layer {step.info.name!r}: {error}") from None
