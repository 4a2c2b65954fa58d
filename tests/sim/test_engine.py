"""The engine as a whole in RTL: reset, restart, errors, counters, interrupt, registers."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from engine_bench import SMALL, STALLS, Expected, Run, changed, computes, pixels, records, run
from systolith.hw.registers import IDENTITY, MAP
from systolith.quant.network import QuantizedNetwork
from systolith.sim.iss import EngineError, InstructionSetSimulator
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.rtl import Stalls
from systolith.sw.compiler import compile_network
from systolith.sw.program import Program

PAUSES = Stalls(seed=9, read_address=60, read_data=60, write_address=60, write_data=60, response=60)


@cache
def residual() -> Expected:
    """A network with strips, residuals, pools and two outputs, and three images."""
    return expected(random_network(78, 6, size=8))


@cache
def other() -> Expected:
    return expected(random_network(5, 3, size=6))


def expected(network: QuantizedNetwork) -> Expected:
    return Expected(network, compile_network(network, SMALL), random_codes(network, 4, 3))


def test_reset_at_any_cycle() -> None:
    """Whatever the engine was at, after a reset it does the next batch as if it were the first."""
    first, second = residual(), other()
    program, codes = first.program, first.codes
    clean = run([Run(program=program, codes=codes)])[0]
    rng = np.random.default_rng(1)
    stops = [1, 2, 3, 5, 8, 13, 40, *rng.integers(1, clean.cycles + 20, 25).tolist()]
    runs: list[Run] = []
    for number, stop in enumerate(stops):
        stalls = PAUSES if number % 3 == 1 else None
        runs.append(Run(program=program, codes=codes, timeout=stop, stalls=stalls))
        then = second if number % 4 == 3 else first
        runs.append(Run(program=then.program, codes=then.codes))
    outcomes = run(runs)
    for number, stop in enumerate(stops):
        if stop < clean.cycles:
            assert f"not done after {stop} cycles" in str(outcomes[2 * number].error)
        then = second if number % 4 == 3 else first
        then.check(outcomes[2 * number + 1], 3, f"after a reset in cycle {stop}")
        if then is first:
            assert outcomes[2 * number + 1].counters == clean.counters


def test_again_without_reset() -> None:
    """A batch leaves nothing behind: same results, same cycles, whatever ran before."""
    first, second = residual(), other()
    order = [first, first, second, second, first, second, first]
    counts = [3, 3, 2, 2, 3, 1, 1]
    runs = [
        Run(program=e.program, codes=e.codes[:n], reset=number == 0)
        for number, (e, n) in enumerate(zip(order, counts, strict=True))
    ]
    fresh = [replace(job, reset=True) for job in runs]
    outcomes = run([*runs, *fresh])
    for number, (e, n) in enumerate(zip(order, counts, strict=True)):
        e.check(outcomes[number], n, f"run {number}")
        assert outcomes[number].counters == outcomes[number + len(runs)].counters, number


def test_back_to_back() -> None:
    """Three images in a batch are three batches, but faster."""
    e = residual()
    together, *alone = run(
        [
            Run(program=e.program, codes=e.codes),
            *(Run(program=e.program, codes=e.codes[i : i + 1]) for i in range(3)),
        ]
    )
    e.check(together, 3)
    for i, single in enumerate(alone):
        assert together.outputs[i].keys() == single.outputs[0].keys()
        for name, codes in single.outputs[0].items():
            assert np.array_equal(together.outputs[i][name], codes)
    assert together.counters["pixels"] == sum(single.counters["pixels"] for single in alone)
    assert together.cycles < sum(single.cycles for single in alone)


def test_cycles_add_up() -> None:
    """Every cycle from start to done is a pixel or a stall of one kind."""
    e = residual()
    outcomes = run(
        [Run(program=e.program, codes=e.codes[:n], mem_latency=latency, stalls=stalls)
         for n in (1, 3) for latency, stalls in ((1, None), (200, None), (30, PAUSES))]
    )  # fmt: skip
    for outcome in outcomes:
        c = outcome.counters
        assert c["pixels"] + sum(c[name] for name in STALLS) == c["cycles"]
    quick, slow = outcomes[0].counters, outcomes[1].counters
    assert slow["stall_wait"] > quick["stall_wait"] + 2 * 199
    assert all(slow[name] == quick[name] for name in ("pixels", "loads", "computes", "stores"))


def test_cycles_do_not_depend_on_data() -> None:
    network = random_network(78, 6, size=8)
    rng = np.random.default_rng(8)
    layers = tuple(
        layer if layer.kind != "conv" or layer.wgt is None
        else replace(layer, wgt=np.where(rng.random(layer.wgt.shape) < 0.5, layer.wgt, ~layer.wgt))
        for layer in network.layers
    )  # fmt: skip
    changed_weights = expected(replace(network, layers=layers))
    e = residual()
    assert len(changed_weights.program.weights) == len(e.program.weights)
    zeros = np.zeros_like(e.codes)
    runs = [(e, e.codes), (e, zeros), (changed_weights, e.codes)]
    outcomes = run([Run(program=who.program, codes=codes) for who, codes in runs])
    changed_weights.check(outcomes[2], 3)
    for outcome in outcomes[1:]:
        assert outcome.counters == outcomes[0].counters
        assert outcome.trace is not None and outcomes[0].trace is not None
        assert np.array_equal(outcome.trace.cycle, outcomes[0].trace.cycle)


# Errors --------------------------------------------------------------------------------------------


def broken(program: Program) -> list[tuple[str, Program, dict[str, int], int, str]]:
    """What is wrong; the program; what else; the code; the driver's sentence."""
    parts, places = records(program), program.memory_map(3)
    zeros = b"\0" * len(parts[0])
    compute = next(i for i, record in enumerate(parts) if record[0] & 15 == 3)
    store = next(i for i, record in enumerate(parts) if record[0] & 15 == 4)
    size = program.config.port_bytes
    segments = [at for at in range(0, len(program.weights), size) if program.weights[at] == 0xA5]
    damaged = bytearray(program.weights)
    damaged[segments[-1]] ^= 1
    narrow = bytearray(program.weights)
    narrow[1] = narrow[1] & 0xE0 | 1
    wide = bytearray(program.weights)
    wide[1] = wide[1] & 0xE0 | program.config.wgt_width + 1
    unknown, foreign = "unknown opcode", "another engine configuration"
    step, reading, writing = "weight stream is out of step", "a read with an error", "a write with an error"
    still = "no progress for as long as the watchdog allows"
    end = len(program.records)
    return [
        ("a record of zeros", replace(program, records=parts[0] + zeros + b"".join(parts[2:])), {}, 1, unknown),
        ("a record of ones", replace(program, records=program.records[:-1] + b"\xff"), {}, 0, ""),
        ("the last opcode", replace(program, records=program.records[: end - len(zeros)] + b"\xff" * len(zeros)), {},
         1, unknown),
        ("another hash", changed(program, 0, hash=program.config.hash ^ 1 << 31), {}, 2, foreign),
        ("no CONFIG", replace(program, records=b"".join(parts[1:])), {}, 2, foreign),
        ("the first segment", replace(program, weights=b"\0" + program.weights[1:]), {}, 3, step),
        ("the last segment", replace(program, weights=bytes(damaged)), {}, 3, step),
        ("weights of 1 bit", replace(program, weights=bytes(narrow)), {}, 3, step),
        ("weights too wide", replace(program, weights=bytes(wide)), {}, 3, step),
        ("program unreadable", program, {"read_error": places.program + 8}, 4, reading),
        ("weights unreadable", program, {"read_error": places.weights + len(program.weights) - size}, 4, reading),
        ("image unreadable", program, {"read_error": places.input}, 4, reading),
        ("third image unreadable", program, {"read_error": places.input + 2 * program.input_stride}, 4, reading),
        ("image beyond the memory", changed(program, 1, offset=1 << 30), {}, 4, reading),
        ("result unwritable", program, {"write_error": places.output}, 5, writing),
        ("third result unwritable", program, {"write_error": places.output + 2 * program.output_stride}, 5, writing),
        ("result beyond the memory", changed(program, store, offset=1 << 30), {}, 5, writing),
        ("a wait for ever", changed(program, compute, wait_store=1), {"watchdog": 3000}, 6, still),
        ("weights missing", replace(program, weights=program.weights[: segments[-1]]), {"watchdog": 3000}, 6, still),
        ("too few beats", changed(program, 1, beats=1), {"watchdog": 3000}, 6, still),
    ]  # fmt: skip


def test_errors() -> None:
    """Each error has its code and its sentence, stops the engine, and is gone after a reset."""
    e = residual()
    cases = [case for case in broken(e.program) if case[3]]
    runs = []
    for _, program, about, _, _ in cases:
        runs += [
            Run(program=program, codes=e.codes, **about),  # type: ignore[arg-type]
            Run(
                program=e.program,
                codes=e.codes,
                reset=False,
                script=(("write", "control", 1), ("read", "status")),
            ),
            Run(program=e.program, codes=e.codes),
        ]
    outcomes = run(runs)
    for number, (what, program, about, code, sentence) in enumerate(cases):
        stopped, halted, after = outcomes[3 * number : 3 * number + 3]
        assert stopped.error is not None, what
        assert sentence in str(stopped.error), f"{what}: {stopped.error}"
        assert (stopped.error.code, stopped.status) == (code, code << 8), what
        assert halted.answers == [code << 8], f"{what}: an engine that has met an error starts no more"
        e.check(after, 3, f"after {what}")
        if not any(name.endswith("_error") for name in about):
            memory, registers = program.image(e.codes)
            with pytest.raises(EngineError) as caught:
                list(InstructionSetSimulator(program.config, memory).run(registers))
            assert caught.value.code == code or what == "weights missing", what


def test_without_a_watchdog() -> None:
    """Only the driver's patience ends a wait for ever."""
    e = residual()
    program = changed(e.program, 2, wait_store=1)
    stopped, after = run(
        [Run(program=program, codes=e.codes, watchdog=0, timeout=9000), Run(program=e.program, codes=e.codes)]
    )
    assert "not done after 9000 cycles" in str(stopped.error)
    assert stopped.status == 1  # busy
    e.check(after, 3)


# Registers -----------------------------------------------------------------------------------------


def start(program: Program, images: int = 1, **others: int) -> tuple[tuple[str, str, int], ...]:
    """The writes that start a batch."""
    settings = program.registers(max(images, 1)) | {"images": images, "watchdog": 0, "irq_enable": 1} | others
    return (*(("write", name, value) for name, value in settings.items()), ("write", "control", 1))


def test_registers_read_back() -> None:
    e = residual()
    writable = [r for r in MAP if r.access == "rw"]
    values = {
        r.name: int(v)
        for r, v in zip(writable, np.random.default_rng(2).integers(0, 1 << 32, 99), strict=False)
    }
    readable = [r.name for r in MAP if r.access == "ro"]
    script = [
        *(("write", name, value) for name, value in values.items()),
        *(("poke", r.address, 0xFFFFFFFF) for r in MAP if r.access == "ro"),
        *(("read", name) for name in values),
        *(("read", name) for name in readable),
    ]
    (outcome,) = run([Run(program=e.program, codes=e.codes, script=tuple(script))])
    held = {r.name: values[r.name] & ((1 << r.bits(e.program.config)) - 1) for r in writable}
    assert dict(zip(values, outcome.answers, strict=False)) == held
    found = dict(zip(readable, outcome.answers[len(values) :], strict=True))
    config = SMALL
    geometry = config.rows | config.cols << 8 | config.act_width << 16 | config.wgt_width << 24
    known = {"id": IDENTITY, "hash": config.hash, "geometry": geometry}
    assert found == dict.fromkeys(readable, 0) | known


def test_busy_engine_keeps_its_registers() -> None:
    """A write while the engine works, a second start among them, changes nothing."""
    e = residual()
    names = [r.name for r in MAP if r.access == "rw"]
    script = (
        *start(e.program, 3),
        *(("write", name, 1) for name in names if name != "irq_enable"),
        ("write", "control", 1),
        ("wait", 100_000),
        *(("read", name) for name in (*names, "status", "cycles", "computes")),
    )
    plain = (*start(e.program, 3), ("wait", 100_000), ("read", "cycles"))
    busy, alone = run([Run(program=e.program, codes=e.codes, script=s) for s in (script, plain)])
    told = e.program.registers(3) | {"watchdog": 0, "irq_enable": 1}
    assert busy.answers == [1, *(told[name] for name in names), 2, alone.answers[1], 3 * e.program.n_compute]


def test_interrupt() -> None:
    """irq is high while done or in error and enabled; a start takes it back."""
    e = residual()
    script = (
        *start(e.program, irq_enable=0), ("wait", 20_000), ("read", "status"),
        ("write", "irq_enable", 1), ("wait", 20),
        ("write", "irq_enable", 0), ("wait", 20),
        *start(e.program), ("wait", 10), ("read", "status"), ("wait", 20_000), ("read", "status"),
    )  # fmt: skip
    refused = changed(e.program, 0, hash=1)
    failing = (*start(refused), ("wait", 1000), ("read", "status"))
    none = (*start(e.program, images=0), ("wait", 100), ("read", "status"), ("read", "computes"))
    outcomes = run(
        [Run(program=p, codes=e.codes[:1], script=s) for p, s in ((e.program, script), (refused, failing),
                                                                 (e.program, none))]
    )  # fmt: skip
    assert outcomes[0].answers == [0, 2, 1, 0, 0, 1, 1, 2]
    assert outcomes[1].answers == [1, 2 << 8]
    assert outcomes[2].answers == [1, 2, 0]


def test_network_has_what_it_should() -> None:
    """The tests above run a program worth it."""
    program = residual().program
    found = computes(program)
    assert program.n_compute > len({info.layer for info in program.computes})
    assert any(v["res"] for v in found) and len(program.outputs) > 1
    assert pixels(program) > 500
    assert {layer.kind for layer in residual().network.layers} >= {"conv", "maxpool", "add"}
