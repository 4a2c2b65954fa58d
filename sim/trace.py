"""Traces of COMPUTEs, of the instruction-set simulator or of the engine, as the tensors they make.

tensor[pixel + n, channel + c] = codes[n, c]        for each COMPUTE, lanes beyond the last channel dropped
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ..hw.config import EngineConfig
from ..quant.network import IntArray
from ..sw.program import Program
from .iss import ComputeTrace, InstructionSetSimulator

Simulator = Callable[[EngineConfig, bytearray], InstructionSetSimulator]

__all__ = ["layer_outputs", "simulate"]


def layer_outputs(program: Program, trace: Sequence[IntArray]) -> dict[str, IntArray]:
    """Every computed tensor of one image, codes [H, W, C], by name.

    ``trace``: for each COMPUTE of the program in order its codes [count, cols], low act_width bits.
    """
    if len(trace) != program.n_compute:
        raise ValueError(f"trace must hold {program.n_compute} COMPUTEs, not {len(trace)}")
    raw: dict[str, IntArray] = {}
    for info, codes in zip(program.computes, trace, strict=True):
        height, width, channels = program.tensors[info.output].shape
        if codes.shape != (info.count, program.config.cols):
            raise ValueError(f"a COMPUTE of {info.name!r} must write {info.count} pixels, not {codes.shape}")
        tensor = raw.setdefault(info.output, np.zeros((height * width, channels), np.int64))
        end = min(info.channel + program.config.cols, channels)
        tensor[info.pixel : info.pixel + info.count, info.channel : end] = codes[:, : end - info.channel]
    return {
        name: program.signed(name, codes).reshape(program.tensors[name].shape) for name, codes in raw.items()
    }


def simulate(
    program: Program, codes: npt.ArrayLike, simulator: Simulator = InstructionSetSimulator
) -> list[dict[str, IntArray]]:
    """Run images [N, H, W, C] (or one, [H, W, C]): for each, every tensor the engine makes.

    The network's outputs are taken from memory, as a host would; all others from the trace.
    """
    memory, registers = program.image(codes)
    traces: list[ComputeTrace] = list(simulator(program.config, memory).run(registers))
    traces.sort(key=lambda trace: (trace.iteration, trace.index))
    each = [
        layer_outputs(program, [t.codes for t in traces if t.iteration == i])
        for i in range(registers["images"])
    ]
    results = program.results(memory, registers["images"])
    return [tensors | result for tensors, result in zip(each, results, strict=True)]
