"""What is done many events at a time == one event after the other: every event of a run.

Equality with the RTL: tests/sim/test_cycle_model.py.

The plain model evaluates each row of weights, each word of LOAD and STORE, each pass and each grant on its own.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import BRANCHES, random_network
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model import port, recall, straight, train, whole
from systolith.sw.cycle_model.record import record
from systolith.sw.program import Program
from systolith.sw.recording import difference

CONFIGS = [
    EngineConfig(rows=4, cols=4, acc_depth=64, scratchpad=2048),
    EngineConfig(rows=4, cols=4, acc_depth=32, scratchpad=512),
    EngineConfig(rows=5, cols=7, port_width=32, acc_depth=64, scratchpad=4096, wgt_width=5),
    EngineConfig(rows=8, cols=8, acc_depth=128, scratchpad=8192, banks=2),
    EngineConfig(rows=7, cols=3, port_width=128, acc_depth=128, scratchpad=4096),
    EngineConfig(rows=2, cols=40, port_width=32, wgt_width=4, acc_depth=64, scratchpad=16384),
    EngineConfig(
        rows=6, cols=4, act_width=16, wgt_width=16, acc_width=48, scratchpad=8192, acc_depth=64, banks=8
    ),
]


def programs(config: EngineConfig, seeds: range) -> Iterator[Program]:
    for seed in seeds:
        network = random_network(
            seed, 1 + seed % 4, act_width=config.act_width, wgt_width=config.wgt_width, channels=48, size=14,
            kinds=("conv", "conv", "conv", "maxpool", "add"),
        )  # fmt: skip
        try:
            yield compile_network(network, config)
        except ValueError as error:
            assert "--scratchpad" in str(error) or "--acc-width" in str(error), error


@contextmanager
def plainly() -> Iterator[None]:
    """One event after the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.Train, "run", lambda self: False)
        patch.setattr(recall.Recall, "advance", lambda self: self._stream.advance())
        patch.setattr(straight.Straight, "run", lambda self: False)
        patch.setattr(whole.Whole, "run", lambda self: False)
        patch.setattr(port.Port, "alone", lambda self, reader, before: None)
        yield


def counted(patch: pytest.MonkeyPatch, counts: Counter[str]) -> None:
    """How often each way to do many events at once is taken."""
    for kind, name in ((train.Train, "run"), (whole.Whole, "run"), (recall.Recall, "_again")):
        patch.setattr(kind, name, count(getattr(kind, name), kind.__name__, counts))


def count(method: Callable[..., bool], name: str, counts: Counter[str]) -> Callable[..., bool]:
    def call(self: object, *args: object) -> bool:
        found = method(self, *args)
        counts[name] += found
        return found

    return call


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.rows}x{c.cols}-{c.port_width}-{c.scratchpad}")
def test_many_at_once(config: EngineConfig) -> None:
    counts: Counter[str] = Counter()
    for seed, program in enumerate(programs(config, range(700, 705))):
        images, latency = 1 + seed % 3, (1, 30, 100, 200)[seed % 4]
        with pytest.MonkeyPatch.context() as patch:
            counted(patch, counts)
            fast = record(program, images, latency)
        with plainly():
            slow = record(program, images, latency)
        assert difference(fast, slow) is None, f"{program.name}, {images} images, latency {latency}"
    assert min(counts[name] for name in ("Train", "Whole", "Recall")) > 0, counts


def test_a_store_that_a_chain_has_begun_is_done_word_by_word() -> None:
    """Its addresses go out while the words of the one before still wait for a bank."""
    config = EngineConfig(rows=5, cols=7, port_width=32, acc_depth=64, scratchpad=4096, wgt_width=5, tables=0)
    network = random_network(1, 2, wgt_width=5, channels=48, size=20, kinds=BRANCHES)
    program = compile_network(network, config)
    fast = record(program, 2, 30)
    with plainly():
        slow = record(program, 2, 30)
    assert fast.cycles == 383_723  # in RTL
    assert difference(fast, slow) is None
