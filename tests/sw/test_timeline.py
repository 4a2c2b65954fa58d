"""Spans of instructions add up to the cycle model's own report; layers own their LOADs, STOREs and weights."""

from itertools import pairwise

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import record_words
from systolith.sim.random_network import random_network
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import run
from systolith.sw.cycle_model.record import record
from systolith.sw.cycle_model.report import model_cycles
from systolith.sw.program import Program
from systolith.sw.timeline import LANES, Timeline, timeline

SMALL = EngineConfig(rows=4, cols=4, acc_depth=16, scratchpad=2048)
SPILLS = EngineConfig(rows=4, cols=4, acc_depth=32, scratchpad=512)


def programs(config: EngineConfig, seeds: range) -> list[Program]:
    found = []
    for seed in seeds:
        try:
            found.append(compile_network(random_network(seed, size=12, channels=10), config))
        except ValueError as error:
            assert "--scratchpad" in str(error), error
    assert len(found) > len(seeds) // 2
    return found


def profiled(program: Program, images: int = 1, latency: int = 30) -> Timeline:
    return timeline(program, record(program, images, latency), latency)


@pytest.mark.parametrize("config", [SMALL, SPILLS], ids=["resident", "spilled"])
def test_layers_are_those_of_the_model(config: EngineConfig) -> None:
    for program in programs(config, range(600, 612)):
        found, model = profiled(program, 2, 50), model_cycles(program, 2, 50)
        alone = profiled(program, 1, 50)
        for mine, theirs in zip(alone.layers, model.layers, strict=True):
            assert (mine.index, mine.name, mine.macs, mine.cycles, mine.pixels) == (
                theirs.index, theirs.name, theirs.macs, theirs.cycles, theirs.pixels,
            )  # fmt: skip
            assert (mine.wait, mine.weight, mine.bank, mine.short) == (
                theirs.stall_wait, theirs.stall_weight, theirs.stall_bank, theirs.stall_pass,
            )  # fmt: skip
            assert mine.waited_for == theirs.waited_for and mine.utilization == theirs.utilization
        assert alone.layers[0].start == 0
        assert all(a.end + 1 == b.start for a, b in pairwise(alone.layers))
        assert found.utilization == model.utilization_stream and found.cycles == model.cycles_total


def test_computes_are_those_of_the_machine() -> None:
    for program in programs(SMALL, range(620, 630)):
        found, machine = profiled(program, 3).of("compute"), run(program, 3)
        for span, other in zip(found, machine.compute.spans, strict=True):
            assert (span.index, span.image, span.done) == (other.index, other.image, other.end)
            assert span.started == other.start
            assert (span.pixels, span.wait, span.weight, span.bank, span.short) == (
                other.pixels, other.wait, other.weight, other.bank, other.short,
            )  # fmt: skip
            assert not span.wait or span.waited_for == other.cause


def test_every_word_has_one_span() -> None:
    for program in programs(SPILLS, range(640, 650)):
        found = profiled(program, 2)
        for unit in LANES:
            spans = found.of(unit)
            assert [(s.image, s.index) for s in spans] == sorted((s.image, s.index) for s in spans)
            if unit == "compute":
                continue
            firsts, ends = found.words[unit]
            times = found.times(unit)
            assert firsts[0] == 0 and np.all(firsts[1:] == ends[:-1]) and ends[-1] == len(times)
            for span, first, end in zip(spans, firsts, ends, strict=True):
                assert (span.started, span.ended) == (times[first], times[end - 1])
                assert span.bytes == (end - first) * program.config.port_bytes
                assert span.taken <= span.started <= span.ended <= span.done


def test_bytes_of_layers() -> None:
    """Weights and STOREs are those of the compiler's plan, of LOADs all together."""
    for program in programs(SPILLS, range(660, 670)):
        found = profiled(program)
        for unit, planned in (("weight", "weights"), ("store", "stored")):
            moved: dict[int, int] = {}
            for span in found.of(unit):
                moved[span.layer] = moved.get(span.layer, 0) + span.bytes
            assert moved == {
                info.layer: getattr(info, planned) for info in program.layers if getattr(info, planned)
            }
        assert sum(span.bytes for span in found.of("load")) == sum(info.loaded for info in program.layers)
        assert [layer.loaded for layer in found.layers] == [info.loaded for info in program.layers]


def test_records_belong_to_their_instructions() -> None:
    (program, *_) = programs(SPILLS, range(680, 683))
    found = profiled(program)
    fetched = found.of("fetch")
    assert fetched[0].layer == -1 and fetched[0].name == ""  # CONFIG
    assert all(span.bytes == record_words(program.config) * program.config.port_bytes for span in fetched)
    names = sorted(span.name for unit in ("load", "compute", "store") for span in found.of(unit))
    assert sorted(span.name for span in fetched[1:]) == names


def test_json_is_plain() -> None:
    (program, *_) = programs(SMALL, range(690, 693))
    found = profiled(program, 2)
    document = found.to_json()
    assert document["cycles"] == found.cycles and document["source"] == "model" and document["images"] == 2
    assert len(document["spans"]) == len(found.spans) and len(document["layers"]) == len(found.layers)
    assert sum(document["states"].values()) == found.cycles
    kinds = {type(value) for span in document["spans"] for value in span.values()}
    assert kinds == {int, str}
