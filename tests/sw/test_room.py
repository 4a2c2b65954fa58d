"""``check_network`` refuses what ``compile_network`` refuses, in its words, and nothing else."""

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.quant.network import QuantizedNetwork
from systolith.sim.random_network import BRANCHES, random_network
from systolith.sw.compiler import check_network, compile_network


def refusal(network: QuantizedNetwork, config: EngineConfig, quick: bool) -> str:
    try:
        (check_network if quick else compile_network)(network, config)
    except ValueError as error:
        return str(error)
    return ""


def tight(seed: int) -> tuple[QuantizedNetwork, EngineConfig]:
    """Engines with room for a few rows of most maps, or none."""
    rng = np.random.default_rng(seed)
    rows, cols = (int(n) for n in rng.integers(1, 9, 2))
    config = EngineConfig(
        rows=rows, cols=cols, acc_depth=int(rng.choice([16, 64])), acc_width=int(rng.choice([20, 24, 32])),
        scratchpad=int(rng.choice([64, 128, 256])) * max(rows, cols), banks=int(rng.choice([2, 4])),
    )  # fmt: skip
    options = {"kinds": BRANCHES} if seed % 2 else {}
    return random_network(seed, 1 + seed % 6, size=14, channels=14, **options), config


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_the_same_answer_as_the_compiler(first: int) -> None:
    answers = [[refusal(*tight(seed), quick) for quick in (True, False)] for seed in range(first, first + 10)]
    for seed, (quick, whole) in enumerate(answers, first):
        assert bool(quick) == bool(whole), f"seed {seed}: {quick or whole}"
        assert ("of scratchpad" in quick) == ("of scratchpad" in whole)


def test_both_answers_are_among_them() -> None:
    assert {bool(refusal(*tight(seed), True)) for seed in range(60)} == {True, False}
