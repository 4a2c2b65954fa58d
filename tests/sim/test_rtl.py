"""The bench memory's contract, the build cache and the driver inside the simulator, with an engine that copies."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.sim import build
from systolith.sim.rtl import RtlJob, RtlResult, SimulationError, Stalls, run_jobs, run_rtl
from systolith.sw.driver import EngineError
from systolith.sw.program import Program

CONFIG = EngineConfig()

Copy = Callable[[EngineConfig, int, int], Program]
Verilog = Callable[[EngineConfig], str]


@pytest.fixture(scope="module")
def run(copy_program: Copy, stub_verilog: Verilog) -> Callable[..., tuple[np.ndarray, list[RtlResult]]]:
    """Copies ``pixels`` words in bursts of ``burst``; the codes and the results of the jobs, made from keywords."""
    text = stub_verilog(CONFIG)

    def runner(pixels: int, burst: int, *jobs: dict[str, object]) -> tuple[np.ndarray, list[RtlResult]]:
        codes = np.random.default_rng(pixels + burst).integers(-128, 128, (1, 1, pixels, CONFIG.lanes))
        program = copy_program(CONFIG, pixels, burst)
        return codes, run_jobs(program, [RtlJob(codes=codes, **job) for job in jobs], verilog=text)

    return runner


@pytest.mark.parametrize("burst", [1, 16, 256])
def test_latency_and_rate(run: Callable, burst: int) -> None:
    latencies = (1, 2, 30, 200)
    codes, results = run(600, burst, *({"mem_latency": latency} for latency in latencies))
    for latency, result in zip(latencies, results, strict=True):
        assert np.array_equal(result.outputs[0]["out"], codes[0])
        assert result.counters["pixels"] == latency  # from the first address to the first beat
        assert result.counters["stall_weight"] == 0  # one beat a cycle, over bursts too
        assert result.counters["stall_bank"] == latency  # from the last beat written to its response
        assert np.array_equal(np.diff(result.trace.cycle), np.ones(599))
    starts = [result.trace.cycle[0] for result in results]
    assert np.array_equal(np.diff(starts), np.diff(latencies))


def test_trace(run: Callable) -> None:
    codes, (result,) = run(300, 7, {})
    assert np.array_equal(result.trace.addr, np.arange(300))
    assert np.array_equal(result.trace.codes, codes[0, 0] & 255)
    assert [len(piece) for piece in result.trace.split([100, 150, 50])] == [100, 150, 50]
    assert np.array_equal(result.trace.split([100, 200])[1].codes, result.trace.codes[100:])


def test_stalls_are_seeded(run: Callable) -> None:
    def stalls(seed: int, **channels: int) -> dict[str, object]:
        return {"stalls": Stalls(seed=seed, **channels)}

    channels = ("read_address", "read_data", "write_address", "write_data", "response")
    everywhere = dict.fromkeys(channels, 90)
    each = [stalls(3, **{name: 200}) for name in channels]
    codes, results = run(
        500, 1, {}, *each, stalls(5, **everywhere), stalls(5, **everywhere), stalls(6, **everywhere)
    )
    assert all(np.array_equal(result.outputs[0]["out"], codes[0]) for result in results)
    cycles = [result.cycles for result in results]
    assert all(slow > cycles[0] for slow in cycles[1:])
    assert cycles[-3] == cycles[-2] != cycles[-1]


def test_errors_and_recovery(run: Callable) -> None:
    codes, results = run(500, 16, {"read_error": 4096 * 2 + 8}, {}, {"write_error": 4096 * 3 + 160}, {},
                         {"timeout": 50}, {}, {"reset_after": 123}, {"reset_after": 0})  # fmt: skip
    said = [str(result.error) for result in results]
    assert "the memory answered a read with an error" in said[0]
    assert "the memory answered a write with an error" in said[2]
    assert "not done after 50 cycles" in said[4]
    assert [result.error.code if result.error else 0 for result in results] == [4, 0, 5, 0, 0, 0, 0, 0]
    for number in (1, 3, 5, 6, 7):
        assert np.array_equal(results[number].outputs[0]["out"], codes[0])


def test_run_rtl_raises(copy_program: Copy, stub_verilog: Verilog) -> None:
    program = copy_program(CONFIG, 20, 4)
    codes = np.zeros((1, 20, CONFIG.lanes), int)
    other = replace(program, config=replace(CONFIG, rows=4))
    with pytest.raises(EngineError, match="rows is 8 here and 4 there"):
        run_rtl(other, codes, verilog=stub_verilog(CONFIG))
    assert run_rtl(program, codes, verilog=stub_verilog(CONFIG)).cycles > 20


def test_protocol_violation(run: Callable) -> None:
    with pytest.raises(SimulationError, match="broke the AXI protocol: a burst that crosses 4096 bytes"):
        run(1500, 200, {"watchdog": 0xAE})


def test_other_widths(copy_program: Copy, stub_verilog: Verilog) -> None:
    config = EngineConfig(rows=3, cols=5, act_width=6, port_width=128, scratchpad=4096, acc_depth=16)
    config = replace(config, rows=16, cols=5)
    codes = np.random.default_rng(1).integers(-32, 32, (2, 1, 100, 16))
    program = copy_program(config, 100, 9)
    result = run_rtl(program, codes[:1], verilog=stub_verilog(config), waves=None)
    assert np.array_equal(result.outputs[0]["out"], codes[0])
    assert np.array_equal(result.trace.addr[-1:], [99])


def test_cache(stub_verilog: Verilog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
               caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    text = stub_verilog(CONFIG)
    build.build_bench(CONFIG, text)
    with caplog.at_level(logging.INFO, "systolith.sim"):
        again = build.build_bench(CONFIG, text)
    assert "building" not in caplog.text
    assert again.executable.parent.parent == build.cache_folder()
    monkeypatch.setenv("SYSTOLITH_CACHE", str(tmp_path / "cache"))
    with pytest.raises(build.BuildError, match="does not build:\n(.|\n)*syntax error"):
        build.build_bench(CONFIG, "module engine; broken")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTOLITH_CACHE", "/somewhere")
    assert build.cache_folder() == Path("/somewhere")
    monkeypatch.delenv("SYSTOLITH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert build.cache_folder() == Path("/xdg/systolith")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Stalls(seed=0), "seed must be in"),
        (lambda: Stalls(seed=1, response=256), "response must be in 0..255, not 256"),
        (lambda: RtlJob(codes=[], mem_latency=0), "mem_latency must be in 1..200, not 0"),
    ],
)
def test_refuses(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
