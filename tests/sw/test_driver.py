"""The host driver against a board made of a dictionary."""

from dataclasses import replace

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.registers import IDENTITY, MAP
from systolith.quant.formats import QFormat
from systolith.sw.driver import ControlPort, Driver, EngineError
from systolith.sw.program import OutputInfo, Program, TensorInfo

CONFIG = EngineConfig(rows=4, cols=4, port_width=32)
ADDRESS = {register.name: register.address for register in MAP}
NAME = {register.address: register.name for register in MAP}


class Board(ControlPort):
    """Copies images to results when started."""

    def __init__(self, program: Program) -> None:
        config = program.config
        self.program = program
        self.memory = bytearray(1 << 16)
        self.registers = dict.fromkeys(ADDRESS, 0) | {"id": IDENTITY, "hash": config.hash}
        self.registers["geometry"] = (
            config.rows | config.cols << 8 | config.act_width << 16 | config.wgt_width << 24
        )
        self.status = 2
        self.raised = True

    def read_register(self, address: int) -> int:
        return self.registers[NAME[address]]

    def write_register(self, address: int, value: int) -> None:
        self.registers[NAME[address]] = value
        if NAME[address] == "control" and value == 1:
            get, size = self.registers, self.program.output_bytes
            for i in range(get["images"]):
                start, to = (
                    get["input_addr"] + i * get["input_stride"],
                    get["output_addr"] + i * get["output_stride"],
                )
                self.memory[to : to + size] = self.memory[start : start + size]
            self.registers |= {"status": self.status, "cycles": 77}

    def write_memory(self, address: int, data: bytes) -> None:
        self.memory[address : address + len(data)] = data

    def read_memory(self, address: int, size: int) -> bytes:
        return bytes(self.memory[address : address + size])

    def wait(self, timeout: int) -> bool:
        return self.raised


@pytest.fixture
def board() -> Board:
    tensors = {
        name: TensorInfo(
            name=name, shape=(2, 3, 4), format=QFormat(8, 0, True), base=0, block_step=0, blocks=1
        )
        for name in ("in", "out")
    }
    program = Program(name="copy", config=CONFIG, records=b"r" * 64, weights=b"w" * 32, n_load=1, n_compute=1,
                      n_store=1, input="in", tensors=tensors, computes=(),
                      outputs=(OutputInfo(tensor="out", offset=0, pixels=6, blocks=1),))  # fmt: skip
    return Board(program)


def test_batch(board: Board) -> None:
    codes = np.random.default_rng(1).integers(-128, 128, (3, 2, 3, 4))
    driver = Driver(board, base=4096)
    driver.load(board.program)
    batch = driver.run(board.program, codes, watchdog=9)
    assert [np.array_equal(out["out"], image) for out, image in zip(batch.outputs, codes, strict=True)] == [
        True
    ] * 3
    assert batch.cycles == 77
    assert board.memory[4096 : 4096 + 64] == b"r" * 64
    assert board.memory[8192 : 8192 + 32] == b"w" * 32
    assert (board.registers["images"], board.registers["watchdog"], board.registers["irq_enable"]) == (
        3,
        9,
        1,
    )


def test_no_engine(board: Board) -> None:
    board.registers["id"] = 0xFFFFFFFF
    with pytest.raises(
        EngineError, match="no Systolith engine: its ID register reads 0xffffffff, not 0x53595354"
    ):
        Driver(board)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (replace(CONFIG, rows=8), "rows is 4 here and 8 there"),
        (replace(CONFIG, acc_depth=64), "widths, depths or the instruction set differ"),
    ],
)
def test_other_engine(board: Board, config: EngineConfig, message: str) -> None:
    with pytest.raises(EngineError, match=f"another engine: .*{message}"):
        Driver(board).load(replace(board.program, config=config))


@pytest.mark.parametrize(
    ("status", "raised", "message", "code"),
    [
        (0x302, True, "the engine stopped: the weight stream is out of step with the program", 3),
        (0xEE00, True, "error 238, which this driver does not know", 238),
        (1, False, "the engine is not done after 5 cycles", 0),
        (0, True, "the engine is not done", 0),
    ],
)
def test_stopped(board: Board, status: int, raised: bool, message: str, code: int) -> None:
    board.status, board.raised = status, raised
    driver = Driver(board)
    with pytest.raises(EngineError, match=message) as caught:
        driver.run(board.program, np.zeros((2, 3, 4), int), timeout=5)
    assert caught.value.code == code


def test_registers(board: Board) -> None:
    driver = Driver(board)
    with pytest.raises(ValueError, match="register hash is read-only"):
        driver.write("hash", 1)
    with pytest.raises(ValueError, match="register images must fit in 32 bits"):
        driver.write("images", 1 << 32)
