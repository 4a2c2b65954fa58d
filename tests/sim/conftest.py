"""A program for the stub engine, and a build cache of the session's own."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.verilog import to_verilog
from systolith.quant.formats import QFormat
from systolith.sw.program import OutputInfo, Program, TensorInfo

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # engine_bench, for the tests and for cocotb's Python
sys.path.append(str(HERE.parent / "sw"))  # node_runs, ONNX's own node tests


def stub_engine() -> ModuleType:
    """The module beside this file."""
    spec = importlib.util.spec_from_file_location("stub_engine", Path(__file__).parent / "stub_engine.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stub_program(config: EngineConfig, pixels: int, burst: int) -> Program:
    """What makes the stub copy ``pixels`` words of the scratchpad's size in bursts of ``burst`` beats."""
    beats = pixels * config.word_bytes // config.port_bytes
    tensors = {
        name: TensorInfo(name=name, shape=(1, pixels, config.lanes), format=QFormat(8, 0, True), base=0,
                         block_step=0, blocks=1)
        for name in ("in", "out")
    }  # fmt: skip
    return Program(
        name="copy", config=config, records=bytes(beats * config.port_bytes), weights=bytes(burst * config.port_bytes),
        n_load=1, n_compute=1, n_store=1, input="in", tensors=tensors, computes=(),
        outputs=(OutputInfo(tensor="out", offset=0, pixels=pixels, blocks=1),),
    )  # fmt: skip


@pytest.fixture(scope="session")
def copy_program() -> Callable[[EngineConfig, int, int], Program]:
    return stub_program


@pytest.fixture(scope="session")
def stub_verilog() -> Callable[[EngineConfig], str]:
    return lambda config: to_verilog(stub_engine().StubEngine(config), "engine")
