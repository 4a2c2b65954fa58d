"""The compiler on one page: integer network -> operations -> places -> instructions -> waits -> program.

Operations are normalized layers; the first one's kernel columns are folded into channels where that saves passes.

CONFIG | LOADs | for operation: COMPUTEs [STORE]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..hw.config import EngineConfig
from ..hw.isa import COMPUTE, CONFIG, encode
from ..quant.network import QuantizedNetwork
from ..quant.overflow import prove
from .allocation import Placement, allocate
from .dependencies import UNITS, add_waits, counts
from .folding import Fold, fold_input
from .lowering import Step, lower_loads, lower_operation, lower_store
from .operations import Operation, operations
from .overlap import overlapped
from .program import STRIDE, OutputInfo, Program, TensorInfo
from .weights import Segment, encode_segment

__all__ = ["compile_network"]


def compile_network(network: QuantizedNetwork, config: EngineConfig, *, fuse_pools: bool = True) -> Program:
    """The program that computes ``network`` on an engine of this configuration.

    ``fuse_pools``: max pools behind a convolution work on its output path; the tensor between is never made.
    Raises ``ValueError`` naming the layer or tensor that the engine cannot compute, and the cure.
    """
    _refuse(network)
    ops, fold = fold_input(network, operations(network, config, fuse_pools), config)
    prove(network, config.acc_width)
    places = allocate(network, ops, config)
    outputs = _outputs(network, config)
    steps = _steps(network, ops, places, outputs, config, fold)
    add_waits(steps, config.words)
    total = counts(steps)
    records = [encode(CONFIG, config, {"hash": config.hash, "last": 1} | {f"n_{u}": total[u] for u in UNITS})]
    weights = []
    tile: np.ndarray | None = None
    for step in steps:
        if step.segment is not None:
            kept = _kept(step.segment, tile, config)
            tile, step.values["keep"] = step.segment.tiles[-config.rows :], int(kept)
            weights.append(_encode_segment(step, kept, config))
        records.append(_encode(step, config))
    names = [network.input, *(op.output.name for op in ops)]
    return Program(
        name=network.name,
        config=config,
        records=b"".join(records),
        weights=b"".join(weights),
        n_load=total["load"],
        n_compute=total["compute"],
        n_store=total["store"],
        input=network.input,
        outputs=outputs,
        tensors={name: _info(network, name, places[name]) for name in names},
        computes=tuple(step.info for step in steps if step.info is not None),
    )


def _refuse(network: QuantizedNetwork) -> None:
    """Name every layer of a kind that has no instruction yet."""
    found = []
    for layer in network.layers:
        if layer.kind == "concat":
            found.append(f"{layer.name!r} (concat)")
        elif layer.groups != 1:
            found.append(f"{layer.name!r} (convolution in {layer.groups} groups)")
    if found:
        raise ValueError(
            f"the engine does not run grouped convolutions and concats yet: layer{'s' * (len(found) > 1)} "
            f"{', '.join(found)}; quantize and evaluate work on this network, "
            "or use ordinary convolutions and additions instead"
        )


def _info(network: QuantizedNetwork, name: str, place: Placement) -> TensorInfo:
    tensor = network.tensors[name]
    return TensorInfo(
        name=name, shape=tensor.shape, format=tensor.format,
        base=place.base, block_step=place.block_step, blocks=place.blocks,
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


def _steps(
    network: QuantizedNetwork,
    ops: Sequence[Operation],
    places: dict[str, Placement],
    outputs: Sequence[OutputInfo],
    config: EngineConfig,
    fold: Fold | None,
) -> list[Step]:
    """Every instruction but CONFIG, in program order, ``last`` marked."""
    readers = [op for op in ops if network.input in (op.act.name, op.residual.name if op.residual else None)]
    stores = {
        out.tensor: lower_store(network.tensors[out.tensor], places[out.tensor], out, config)
        for out in outputs
    }
    loads = lower_loads(network.tensors[network.input], places[network.input], readers, config, fold)
    result = [*loads, *(stores[name] for name in stores if name == network.input)]
    for op, strips in zip(ops, overlapped(ops, config, network.input), strict=True):
        result += lower_operation(op, strips, places, config)
        result += [stores[name] for name in stores if name == op.output.name]
    last = {step.instruction.unit: step for step in result}
    for step in last.values():
        step.values["last"] = 1
    return result


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
