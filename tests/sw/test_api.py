"""The Python API: its results, and verification when an engine misbehaves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systolith.sim import rtl
from systolith.sim.memory_image import Trace
from systolith.sim.rtl import RtlResult, SimulationError
from systolith.sw import api
from systolith.sw.api_files import fresh_file, fresh_folder
from systolith.sw.api_models import cycle_limit, reason, run_iss
from systolith.sw.driver import EngineError
from systolith.sw.program import Program
from systolith.sw.verify import Ledger, layer_range


@pytest.fixture(scope="module")
def model(tiny: Any) -> api.QuantizedModel:
    return api.load_quantized(tiny.quantized)


def test_results_are_json(tiny: Any, model: api.QuantizedModel) -> None:
    check, program = api.check(tiny.model), api.compile(model, tiny.config)
    evaluation = api.evaluate(model, tiny.images, count=4)
    for result in (check, program, evaluation):
        document = result.to_json()
        assert json.loads(json.dumps(document, allow_nan=False)).keys() == document.keys()
    assert check.macs == program.program.macs == api.read_model(tiny.model).macs
    assert program.path is None and evaluation.images == 4
    assert len(list(api.disassemble(program.program))) > 5


def test_images_in_memory(tiny: Any, model: api.QuantizedModel) -> None:
    images = api.load_images(tiny.images)
    assert api.evaluate(model, images).images == len(images)
    with pytest.raises(ValueError, match="holds its preprocessing"):
        api.evaluate(model, images, preprocessing=tiny.preprocessing)


def test_testbench_needs_output(tiny: Any) -> None:
    with pytest.raises(ValueError, match="needs an output"):
        api.verilog(tiny.config, testbench=True)


# Verification with engines that misbehave ----------------------------------------------------------


def verify(tiny: Any, model: api.QuantizedModel, tmp_path: Path, **options: Any) -> api.Verification:
    verilog = tmp_path / "engine.v"
    verilog.write_text("module engine ();\nendmodule\n")
    return api.verify(model, tiny.images, config=tiny.config, verilog=verilog, **options)


def test_equal(tiny: Any, model: api.QuantizedModel, fake: Any, tmp_path: Path) -> None:
    lines: list[str] = []
    result = verify(tiny, model, tmp_path, count=3, progress=lines.append, mem_latency=7)
    assert result.ok and len(result.cycles) == 3 and result.cycles_total is not None
    assert [job.mem_latency for job in fake.jobs] == [7] * 4 and lines
    assert all(job.timeout is not None and job.timeout > result.cycles_total for job in fake.jobs)
    assert json.loads(json.dumps(result.to_json(), allow_nan=False))["ok"]
    assert "0 mismatches" in result.verdict() and "fused into" in result.to_text()


def test_wrong_code(tiny: Any, model: api.QuantizedModel, fake: Any, tmp_path: Path) -> None:
    def spoil(number: int, result: RtlResult) -> RtlResult:
        if number == 1:
            result.trace.codes[3, 2] ^= 1
        return result

    fake.spoil = spoil
    result = verify(tiny, model, tmp_path, count=2)
    first = result.first_mismatch
    assert not result.ok and result.mismatches == {"onnxruntime": 0, "iss": 0, "rtl": 1} and first is not None
    assert (first.model, first.tensor, first.n) == ("rtl", model.network.layers[0].output, 1)
    assert (first.y, first.x, first.channel, first.cycle, first.run) == (0, 3, 2, 4, "alone")
    assert first.got is not None and abs(first.got - first.expected) == 1
    assert verify(tiny, model, tmp_path, count=2, layers="1:").ok  # only what was asked for


def test_wrong_back_to_back(tiny: Any, model: api.QuantizedModel, fake: Any, tmp_path: Path) -> None:
    def spoil(number: int, result: RtlResult) -> RtlResult:
        if number == 2:
            for codes in result.outputs[1].values():
                codes[0, 0, 1] += 1
        return result

    fake.spoil = spoil
    first = verify(tiny, model, tmp_path, count=2).first_mismatch
    assert first is not None and (first.n, first.channel, first.run) == (1, 1, "back to back")
    assert first.tensor == model.network.outputs[0]


def test_one_image_runs_twice(tiny: Any, model: api.QuantizedModel, fake: Any, tmp_path: Path) -> None:
    result = verify(tiny, model, tmp_path)
    assert result.ok and [np.asarray(job.codes).ndim for job in fake.jobs] == [3, 4]
    assert result.cycles_total == result.cycles[0] and result.utilization == result.utilization_stream

    def spoil(number: int, result: RtlResult) -> RtlResult:
        if number == 1:
            result.trace.codes[-1, 0] ^= 1
        return result

    fake.spoil = spoil
    first = verify(tiny, model, tmp_path).first_mismatch
    assert first is not None and (first.n, first.run) == (0, "back to back")


def test_wrong_address(tiny: Any, model: api.QuantizedModel, fake: Any, tmp_path: Path) -> None:
    def spoil(number: int, result: RtlResult) -> RtlResult:
        result.trace.addr[5] += 1
        return result

    fake.spoil = spoil
    first = verify(tiny, model, tmp_path).first_mismatch
    assert first is not None and first.got is None and (first.y, first.x) == (0, 5)


def test_hangs(tiny: Any, model: api.QuantizedModel, fake: Any, tmp_path: Path) -> None:
    def spoil(number: int, result: RtlResult) -> RtlResult:
        trace = result.trace.split([40])[0]
        return RtlResult(result.counters, [], trace, EngineError("the engine is not done after 9 cycles"))

    fake.spoil = spoil
    result = verify(tiny, model, tmp_path, count=2)
    assert result.cycles == (None, None) and result.cycles_total is None and result.utilization is None
    first = result.first_mismatch
    assert first is not None and first.got is None and first.cycle is None
    assert first.tensor == model.network.layers[0].output
    assert "not done after 9 cycles" in result.verdict() and "got nothing" in result.verdict()


def test_simulation_fails(
    tiny: Any, model: api.QuantizedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise SimulationError("the simulation failed:\n  blah\n  x.EngineError: there is no engine\n  more")

    monkeypatch.setattr(rtl, "run_jobs", fail)
    result = verify(tiny, model, tmp_path)
    assert not result.ok and result.errors == ("rtl: x.EngineError: there is no engine",)
    assert result.mismatches == {"onnxruntime": 0, "iss": 0, "rtl": 0} and result.compared["rtl"] == 0


def test_corrupt_instruction(
    tiny: Any, model: api.QuantizedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "program"
    program = api.compile(model, tiny.config, path).program
    content = bytearray(path.read_bytes())
    at = len(content) - len(program.weights) - len(program.records)
    size = len(program.records) // (1 + program.n_load + program.n_compute + program.n_store)
    content[at + size] |= 0xFF  # the opcode of the second instruction
    path.write_bytes(content)
    nothing = Trace(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4), np.int64))
    stopped = RtlResult({}, [], nothing, EngineError("the engine stopped: unknown opcode", 1))
    monkeypatch.setattr(rtl, "run_jobs", lambda program, jobs, **_: [stopped] * len(jobs))
    result = verify(tiny, model, tmp_path, program=path)
    assert not result.ok and any(error.startswith("iss: ") for error in result.errors)
    assert any("records differ from byte" in error for error in result.errors)
    assert any("unknown opcode" in error and error.startswith("rtl") for error in result.errors)


# Parts ---------------------------------------------------------------------------------------------


def test_cycle_limit_is_generous(tiny: Any, model: api.QuantizedModel) -> None:
    program = api.compile(model, tiny.config).program
    assert program.macs // 16 < cycle_limit(program, 30) < cycle_limit(program, 200) < 1 << 32


def test_iss_stops(tiny: Any, model: api.QuantizedModel) -> None:
    program = api.compile(model, tiny.config).program
    broken = Program(**{**vars(program), "weights": program.weights[: len(program.weights) // 2]})
    codes = np.zeros((1, *model.network.tensors[model.network.input].shape), np.int64)
    images, addresses, error = run_iss(broken, codes)
    assert error is not None and addresses is None and len(images) == 1 and not images[0].results


def test_layer_range() -> None:
    assert layer_range(None, 5) == range(5)
    assert layer_range("1:3", 5) == range(1, 3)
    assert layer_range(":2", 5) == range(2) and layer_range("3:", 5) == range(3, 5)
    for text in ("", "2", "a:b", "3:3", "-1:2", "0:6"):
        with pytest.raises(ValueError, match="layers must be A:B"):
            layer_range(text, 5)


def test_ledger_counts_a_code_once(model: api.QuantizedModel) -> None:
    layer = model.network.layers[0]
    expected = {layer.output: np.zeros((1, 2, 2, 2), np.int64)}
    wrong = np.zeros((2, 2, 2), np.int64)
    wrong[1, 0, 1] = 5
    ledger = Ledger([layer], expected)
    ledger.enter("rtl", 0, {layer.output: np.zeros((2, 2, 2), np.int64)})
    ledger.enter("rtl", 0, {layer.output: wrong}, run="back to back")
    ledger.enter("rtl", 0, {layer.output: wrong}, run="back to back")
    assert ledger.count("rtl", layer.output) == (8, 1) and ledger.count("iss", layer.output) == (0, 0)
    first = ledger.first()
    assert first is not None and (first.y, first.x, first.channel, first.got) == (1, 0, 1, 5)
    assert "expected 0, got 5, back to back" in str(first)


def test_reason() -> None:
    text = "it does not build:\nblah\n%Error: /tmp/c/build-ab12/engine.v:2:3: syntax error, bad"
    assert reason(SimulationError(text)) == "%Error: engine.v:2:3: syntax error, bad"
    assert reason(SimulationError("nothing to see:\nhere")) == "nothing to see"


def test_files_are_whole(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), fresh_file(target) as scratch:
        scratch.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]

    def fill(folder: Path) -> None:
        (folder / "mark").write_text("new")

    def fail(folder: Path) -> None:
        fill(folder)
        raise RuntimeError

    folder = tmp_path / "folder"
    assert fresh_folder(folder, fill, mark="mark") == folder
    with pytest.raises(RuntimeError):
        fresh_folder(folder, fail, mark="mark")
    assert (folder / "mark").read_text() == "new"
    fresh_folder(folder, fill, mark="mark")
    (folder / "mark").unlink()
    (folder / "other").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        fresh_folder(folder, fill, mark="mark")
    with pytest.raises(ValueError, match="is a file"):
        fresh_folder(target, fill, mark="mark")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.txt", "folder"]
