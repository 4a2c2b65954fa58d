"""The compiler on one page: integer network -> operations -> plan -> instructions -> waits -> program.

Operations are normalized layers; the first one's kernel is folded into channels where that saves cycles.

CONFIG | LOADs | for operation: COMPUTEs [STORE]       where all fits the scratchpad; else see ``schedule``
LOADs of tables between these: see ``table_slots``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..hw.config import EngineConfig
from ..hw.isa import COMPUTE, CONFIG, LOAD, encode, no_wait
from ..quant.network import QuantizedNetwork, Tensor
from ..quant.overflow import prove
from .allocation import Placement, tensor_blocks
from .dependencies import UNITS, add_waits, counts
from .depthwise import as_fir
from .folding import Fold, fold_input, folds
from .joining import Joined, join
from .operation_checks import check_counts
from .operations import Operation, operations
from .program import STRIDE, LayerInfo, OutputInfo, Program, TensorInfo
from .residency import Plan
from .residency import plan as make_plan
from .room import check_room
from .schedule import schedule
from .step import Step
from .streams import Stream
from .table_slots import place_tables
from .weights import Segment, encode_segment

__all__ = ["check_network", "compile_network"]


def compile_network(network: QuantizedNetwork, config: EngineConfig, *, fuse_pools: bool = True) -> Program:
    """The program that computes ``network`` on an engine of this configuration.

    ``fuse_pools``: max and global average pools work on the output path of what makes their map; no map is written.
    Raises ``ValueError`` naming the layer or tensor that the engine cannot compute, and the cure.
    """
    ops = [as_fir(op, config) for op in operations(network, config, fuse_pools)]
    ops, joined = join(network, ops, config)
    prove(network, config.acc_width)
    outputs = _outputs(network, config)
    fold, plan = _plan(network, ops, outputs, config, joined)
    steps, tables = place_tables(schedule(network, plan, outputs, config, fold), config)
    spilled = sum(home.words for home in plan.homes.values())
    add_waits(steps, config.words + config.tables, spilled, no_wait(config))
    total = counts(steps)
    check_counts(network.name, total, config)
    records = [encode(CONFIG, config, {"hash": config.hash, "last": 1} | {f"n_{u}": total[u] for u in UNITS})]
    weights = []
    tile: np.ndarray | None = None
    encoded: dict[tuple[int, bool], bytes] = {}  # a block's weights are the same for each strip
    moved = [dict.fromkeys(("loaded", "weights", "stored"), 0) for _ in ops]
    for step in steps:
        if step.segment is not None:
            kept = _kept(step.segment, tile, config)
            tile, step.values["keep"] = step.segment.tiles[-config.rows :], int(kept)
            key = id(step.segment), kept
            if key not in encoded:
                encoded[key] = _encode_segment(step, kept, config)
            weights.append(encoded[key])
            moved[step.op]["weights"] += len(weights[-1])
        elif step.instruction is LOAD:
            moved[step.op]["loaded"] += step.values["beats"] * config.port_bytes
        else:
            words = step.values["pixels"] * step.values["blocks"]
            moved[step.op]["stored"] += words * config.word_beats * config.port_bytes
        records.append(_encode(step, config))
    tensors = {network.input: network.tensors[network.input]} | {op.output.name: op.output for op in ops}
    program = Program(
        name=network.name,
        config=config,
        records=b"".join(records),
        weights=b"".join(weights),
        tables=tables,
        n_load=total["load"],
        n_compute=total["compute"],
        n_store=total["store"],
        input=network.input,
        outputs=outputs,
        tensors={name: _info(tensor, plan) for name, tensor in tensors.items()},
        computes=tuple(step.info for step in steps if step.info is not None),
        spill_bytes=plan.spill_bytes,
        layers=tuple(_layer(stream, bytes_) for stream, bytes_ in zip(plan.streams, moved, strict=True)),
    )
    program.memory_map()  # refuses what the engine cannot address
    return program


def check_network(network: QuantizedNetwork, config: EngineConfig) -> None:
    """Raises ``ValueError`` where ``compile_network`` does, in a fraction of its time: plans are not compared."""
    ops = [as_fir(op, config) for op in operations(network, config)]
    ops, joined = join(network, ops, config)
    prove(network, config.acc_width)
    check_room(network, ops, joined, config)


def _plan(
    network: QuantizedNetwork,
    ops: Sequence[Operation],
    outputs: Sequence[OutputInfo],
    config: EngineConfig,
    joined: Joined,
) -> tuple[Fold | None, Plan]:
    """How the first layer is folded, and the plan: the fastest way that has room, more words make strips shorter."""
    best: tuple[Fold | None, Plan] | None = None
    least = 0
    for fold, compute in folds(network, ops, config):
        if best is not None and compute - least >= best[1].cycles - best[1].busy:
            continue
        try:
            plan = make_plan(network, fold_input(network, ops, fold), outputs, config, joined)
        except ValueError:
            if fold is None and best is None:
                raise
            continue
        if best is None or plan.cycles < best[1].cycles:
            best, least = (fold, plan), compute
        if not plan.image_streamed and not plan.homes:
            break
    assert best is not None, "the last way is not to fold"
    return best


def _layer(stream: Stream, moved: Mapping[str, int]) -> LayerInfo:
    op, modes = stream.op, stream.modes
    where = {True: "memory", False: "scratchpad"}
    residual = "" if op.residual is None else where[modes.res_slots or modes.res_ring]
    return LayerInfo(
        layer=op.layer, name=op.name, strips=len({phase.strip for phase in stream.phases}), act=where[modes.act],
        residual=residual, output=where[modes.out_ring], **moved,
    )  # fmt: skip


def _info(tensor: Tensor, plan: Plan) -> TensorInfo:
    blocks = tensor_blocks(tensor.shape[2], plan.config)
    found = plan.placement(tensor.name, blocks)
    place = found or Placement(0, 0, blocks)
    return TensorInfo(
        name=tensor.name, shape=tensor.shape, format=tensor.format, base=place.base, block_step=place.block_step,
        blocks=place.blocks, resident=found is not None,
    )  # fmt: skip


def _outputs(network: QuantizedNetwork, config: EngineConfig) -> tuple[OutputInfo, ...]:
    result, offset = [], 0
    for name in dict.fromkeys(network.outputs):
        height, width, channels = network.tensors[name].shape
        output = OutputInfo(
            tensor=name, offset=offset, pixels=height * width, blocks=-(-channels // config.lanes)
        )
        offset += output.blocks * output.pixels * config.word_beats * config.port_bytes
        offset = -(-offset // STRIDE) * STRIDE
        result.append(output)
    return tuple(result)


def _kept(segment: Segment, tile: np.ndarray | None, config: EngineConfig) -> bool:
    """One pass with the tile that is in the array already."""
    return tile is not None and len(segment.tiles) == config.rows and np.array_equal(segment.tiles, tile)


def _encode(step: Step, config: EngineConfig) -> bytes:
    try:
        return encode(step.instruction, config, step.values)
    except ValueError as error:
        raise ValueError(f"layer {step.info.name!r}: {error}" if step.info else str(error)) from None


def _encode_segment(step: Step, kept: bool, config: EngineConfig) -> bytes:
    assert step.segment is not None and step.info is not None and step.instruction is COMPUTE
    segment = step.segment
    if kept:
        segment = replace(segment, tiles=segment.tiles[:0])
    try:
        return encode_segment(segment, config)
    except ValueError as error:
        raise ValueError(f"layer {step.info.name!r}: {error}") from None
