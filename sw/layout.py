"""The instructions of a network in order, with every field, before anything is encoded; what they need in memory.

CONFIG | LOADs | for operation: COMPUTEs [STORE]       where all fits the scratchpad; else see ``schedule``
LOADs of tables between these: see ``table_slots``

Operations are normalized layers; the first one's kernel is folded into channels where that saves cycles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..hw.config import EngineConfig
from ..hw.isa import LOAD, no_wait
from ..quant.network import QuantizedNetwork, Tensor
from ..quant.overflow import prove
from .allocation import Placement, tensor_blocks
from .block import Block
from .dependencies import add_waits, counts
from .depthwise import as_fir
from .folding import Fold, fold_input, folds
from .joining import Joined, join
from .operation_checks import check_counts
from .operations import Operation, operations
from .program import STRIDE, LayerInfo, OutputInfo, TensorInfo
from .residency import Plan
from .residency import plan as make_plan
from .schedule import schedule
from .step import Step
from .streams import Stream
from .table_slots import place_tables
from .weights import segment_bytes

__all__ = ["Layout", "lay_out"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """``steps`` in program order, all fields known; ``segments`` bytes of each COMPUTE's; ``tables`` as the program's.

    ``total``: instructions of each unit. ``outline``: the arguments of ``program.Outline``.
    """

    config: EngineConfig
    ops: Sequence[Operation]
    steps: Sequence[Step]
    segments: Sequence[int]
    tables: bytes
    total: Mapping[str, int]
    outline: Mapping[str, Any]


def lay_out(network: QuantizedNetwork, config: EngineConfig, fuse_pools: bool = True) -> Layout:
    """As ``compiler.compile_network``, which encodes it. Raises ``ValueError`` for what the engine cannot compute."""
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
    segments = _segments(steps, config)
    tensors = {network.input: network.tensors[network.input]} | {op.output.name: op.output for op in ops}
    return Layout(
        config=config, ops=ops, steps=steps, segments=segments, tables=tables, total=total,
        outline={
            "name": network.name,
            "config": config,
            **{f"n_{unit}": count for unit, count in total.items()},
            "input": network.input,
            "outputs": outputs,
            "tensors": {name: _info(tensor, plan) for name, tensor in tensors.items()},
            "computes": tuple(step.info for step in steps if step.info is not None),
            "spill_bytes": plan.spill_bytes,
            "layers": _layers(steps, segments, plan, config),
        },
    )  # fmt: skip


def _segments(steps: Sequence[Step], config: EngineConfig) -> list[int]:
    """Bytes of each COMPUTE's part of the weight stream; ``keep`` where its tile is in the array already."""
    sizes: list[int] = []
    before: Block | None = None
    for step in steps:
        if (block := step.weights) is not None:
            kept = before is not None and _kept(block, before, config)
            step.values["keep"], before = int(kept), block
            sizes.append(segment_bytes(block.width, 0 if kept else block.rows, config))
    return sizes


def _kept(block: Block, before: Block, config: EngineConfig) -> bool:
    """One pass with the last tile of another block."""
    if block.rows != config.rows:
        return False
    return block is before or np.array_equal(block.segment.tiles, before.segment.tiles[-config.rows :])


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


def _layers(
    steps: Sequence[Step], segments: Sequence[int], plan: Plan, config: EngineConfig
) -> tuple[LayerInfo, ...]:
    """How each operation is planned, and the bytes it moves."""
    moved = [dict.fromkeys(("loaded", "weights", "stored"), 0) for _ in plan.streams]
    sizes = iter(segments)
    for step in steps:
        if step.weights is not None:
            moved[step.op]["weights"] += next(sizes)
        elif step.instruction is LOAD:
            moved[step.op]["loaded"] += step.values["beats"] * config.port_bytes
        else:
            words = step.values["pixels"] * step.values["blocks"]
            moved[step.op]["stored"] += words * config.word_beats * config.port_bytes
    return tuple(_layer(stream, bytes_) for stream, bytes_ in zip(plan.streams, moved, strict=True))


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
