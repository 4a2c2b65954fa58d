"""Points of a sweep drawn at random and run in RTL: their cycles must be the cycle model's, to the last one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..quant.network import QuantizedNetwork
from . import integer_reference
from .api_models import cycle_limit, reason
from .api_verify import Progress
from .compiler import compile_network
from .sweep.measure import Workload
from .sweep.point import Point

__all__ = ["Proof", "draw", "prove"]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One point in RTL. ``wrong``: codes of outputs that differ from the integer reference."""

    engine: str
    values: dict[str, int]
    seed: int
    cycles: int
    rtl_cycles: int
    cycles_total: int
    rtl_cycles_total: int
    wrong: int

    @property
    def equal(self) -> bool:
        """Every cycle and every code."""
        return (self.cycles, self.cycles_total, 0) == (self.rtl_cycles, self.rtl_cycles_total, self.wrong)

    def __str__(self) -> str:
        verdict = "equal" if self.equal else "DIFFERENT"
        total = (
            ""
            if self.cycles == self.cycles_total
            else f"; {self.cycles_total:,} and {self.rtl_cycles_total:,}"
        )
        wrong = f"; {self.wrong:,} codes wrong" if self.wrong else ""
        return f"{self.engine}: {self.cycles:,} cycles, RTL {self.rtl_cycles:,}{total}: {verdict}{wrong}"

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {**asdict(self), "equal": self.equal}


def draw(points: Sequence[Point], count: int, seed: int) -> list[Point]:
    """``count`` points with figures, at random. Raises ``ValueError`` where there are fewer."""
    able = [point for point in points if point.ok]
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= len(able):
        raise ValueError(f"prove must be 1..{len(able)}, the points with figures, not {count!r}")
    return random.Random(seed).sample(able, count)


def prove(point: Point, workload: Workload, mem_latency: int, seed: int, progress: Progress) -> Proof:
    """Build the engine's simulation and run random images, one alone, then ``point.images`` back to back.

    Raises ValueError where the simulation cannot be built or run, or the engine reports an error.
    """
    config = point.config
    progress(f"RTL: {config.describe()}")
    alone = total = wrong = 0
    for network in workload.networks((config.act_width, config.wgt_width, config.acc_width)):
        one, batch, differ = _run(network, point, mem_latency, seed)
        alone, total, wrong = alone + one, total + batch, wrong + differ
    return Proof(
        engine=config.describe(), values=dict(point.values), seed=seed, cycles=point.figures.cycles,
        rtl_cycles=alone, cycles_total=point.figures.cycles_total, rtl_cycles_total=total, wrong=wrong,
    )  # fmt: skip


def _run(network: QuantizedNetwork, point: Point, mem_latency: int, seed: int) -> tuple[int, int, int]:
    """Cycles of one image, of all back to back; codes that are wrong."""
    from ..sim.build import BuildError
    from ..sim.random_network import random_codes
    from ..sim.rtl import RtlJob, SimulationError, run_jobs

    program = compile_network(network, point.config)
    codes = random_codes(network, seed, point.images)
    batches = [codes[:1]] if point.images == 1 else [codes[:1], codes]
    limit = cycle_limit(program, mem_latency)
    try:
        runs = run_jobs(program, [
            RtlJob(codes=batch, mem_latency=mem_latency, timeout=min(len(batch) * limit, (1 << 32) - 1), trace=False)
            for batch in batches
        ])  # fmt: skip
    except (BuildError, SimulationError) as error:
        raise ValueError(f"rtl: {reason(error)}") from None
    wrong = 0
    for run, batch in zip(runs, batches, strict=True):
        if run.error is not None:
            raise ValueError(f"rtl: {run.error}")
        for name, expected in integer_reference.run(network, batch, "outputs").items():
            wrong += int(np.count_nonzero(np.stack([image[name] for image in run.outputs]) != expected))
    return runs[0].cycles, runs[-1].cycles, wrong
