"""Points of a sweep in RTL: here an engine of Python, in the slow test the engine itself."""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systolith.sim.rtl import RtlResult
from systolith.sw import api
from systolith.sw.api_sweep_prove import draw


def test_proofs(tiny: Any, fake: Any, tmp_path: Path) -> None:
    found = api.sweep(tiny.model, tmp_path / "r", rows=(3, 4), cols=(2, 4), images=3, mem_latency=11, jobs=1)
    lines: list[str] = []
    proved = found.prove(2, 5, progress=lines.append)
    assert [job.mem_latency for job in fake.jobs] == [11, 11]
    assert [len(job.codes) for job in fake.jobs] == [1, 3]
    assert len(proved.proofs) == 2 and all(proof.equal and proof.seed == 5 for proof in proved.proofs)
    for proof in proved.proofs:
        (point,) = (point for point in found.points if point.values == proof.values)
        assert (proof.rtl_cycles, proof.rtl_cycles_total) == (
            point.figures.cycles,
            point.figures.cycles_total,
        )
    assert lines[0] == "2 points drawn with seed 5" and proved.wrong() == ""
    assert "in RTL (seed 5): " in (tmp_path / "r" / "sweep.txt").read_text()


@pytest.mark.parametrize("what", ["cycles", "codes"])
def test_a_difference_is_told(tiny: Any, fake: Any, run: Any, tmp_path: Path, what: str) -> None:
    def spoil(number: int, result: RtlResult) -> RtlResult:
        if what == "cycles":
            return replace(result, counters={**result.counters, "cycles": result.cycles + 1})
        outputs = [{name: np.asarray(codes) ^ 1 for name, codes in image.items()} for image in result.outputs]
        return replace(result, outputs=outputs)

    fake.spoil = spoil
    words = ("--rows", 4, "--cols", 4, "--jobs", 1, "--prove", 1, "--seed", 3)
    ran = run("sweep", tiny.model, *words, "-o", tmp_path / "r")
    assert ran.status == 1 and "the RTL differs: 4x4 array" in ran.err and "DIFFERENT" in ran.err
    assert ("codes wrong" in ran.err) == (what == "codes")


def test_draws_are_of_the_seed(tiny: Any) -> None:
    points = api.sweep(tiny.model, rows="1:6", cols="1:3", scratchpad=(1, 1 << 16), jobs=1).points
    drawn = draw(points, 3, 1)
    assert drawn == draw(points, 3, 1) != draw(points, 3, 2)
    assert all(point.ok for point in drawn) and len(draw(points, 18, 1)) == 18


@pytest.mark.slow
def test_three_points_of_resnet20_in_rtl(shared_model: Any) -> None:
    """98 engines; three of them, another three each time, cycle for cycle."""
    sizes = (4, 6, 8, 12, 16, 24, 32)
    found = api.sweep(
        shared_model("cifar10_resnet20_folded_b1.onnx"), rows=sizes, cols=sizes, wgt_width=(4, 8)
    )
    assert all(point.ok for point in found.points) and len(found.points) == 98
    seed = secrets.randbelow(1 << 31)
    print(f"seed {seed}")
    proofs = found.prove(3, seed, progress=print).proofs
    assert len(proofs) == 3
    for proof in proofs:
        assert proof.equal, f"seed {seed}: {proof}"
