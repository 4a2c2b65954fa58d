"""The instruction-set simulator: executes encoded programs and weight streams exactly as ``hw.isa`` says.

    for image: for record of the program: load | compute | store, one after the other, in program order

It shares with the engine only the contract: memory, registers, records, segments. The compiler's debug tables
are unknown to it. Program order is one of the orders the engine may take; ``sim.disorder`` tries the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..hw.config import EngineConfig
from ..hw.isa import (
    COMPUTE,
    CONFIG,
    FOLD_CHANNELS,
    POOL_MAX,
    POOL_MEAN,
    POOL_SUM,
    REGIONS,
    decode,
    record_words,
)
from ..hw.registers import ERRORS
from ..quant.arithmetic import requantize
from ..quant.network import IntArray
from ..sw.weights import Segment, decode_segment
from .folded_words import folded_words
from .iss_fir import Fir, FirError
from .iss_product import ProductError, diagonal_tiles
from .iss_tables import TableError, Tables
from .loops import walks

__all__ = ["ComputeTrace", "EngineError", "InstructionSetSimulator"]

UNITS = ("load", "compute", "store")


class EngineError(Exception):
    """What would stop the engine; ``code`` as in STATUS.error (``hw.registers.ERRORS``)."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(f"{ERRORS[code]}: {detail}")
        self.code = code


@dataclass(frozen=True, eq=False)
class ComputeTrace:
    """The writes of one COMPUTE: ``codes`` [n, cols], not rotated, low act_width bits, to ``addr`` [n]."""

    iteration: int
    index: int
    """which of the iteration's COMPUTEs."""
    addr: IntArray
    codes: IntArray


@dataclass(frozen=True, eq=False)
class Command:
    """A fetched instruction. ``index`` counts in its unit and iteration; ``at`` is its record's number."""

    name: str
    values: dict[str, int]
    iteration: int
    index: int
    at: int
    segment: Segment | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.index} (record {self.at}, iteration {self.iteration})"


class InstructionSetSimulator:
    """An engine in front of ``memory``, bytes from address ``base`` on, changed in place.

    ``scratchpad`` [words, lanes] holds each lane's low act_width bits, ``tile`` the weights in the array.
    """

    def __init__(
        self, config: EngineConfig, memory: bytearray | npt.NDArray[np.uint8], base: int = 0
    ) -> None:
        self.config, self.base = config, base
        self.memory = memory if isinstance(memory, np.ndarray) else np.frombuffer(memory, np.uint8)
        self.scratchpad: IntArray = np.zeros((config.words, config.lanes), np.int64)
        self.tile: IntArray = np.zeros((config.rows, config.cols), np.int64)
        self.tables = Tables(config)
        self.line: IntArray = np.zeros((2, config.fold_width, FOLD_CHANNELS), np.int64)  # the newest row last
        self.fir = Fir(config)
        self.counts = dict.fromkeys(UNITS, 0)

    # The engine --------------------------------------------------------------------------------

    def run(self, registers: Mapping[str, int]) -> Iterator[ComputeTrace]:
        """Execute ``images`` iterations; yields the writes of each COMPUTE. Raises ``EngineError``."""
        completed = dict.fromkeys(UNITS, 0)
        for command in self.fetch(registers):
            self.check_waits(command, completed)
            if command.name == "load":
                self.write(*self.load(command, registers))
            elif command.name == "store":
                self.store(command, registers)
            else:
                trace = self.compute(command)
                self.write_codes(command, trace)
                yield trace
            completed[command.name] += 1

    def fetch(self, registers: Mapping[str, int]) -> Iterator[Command]:
        """The instructions of all iterations in program order, COMPUTEs with their segments."""
        config = self.config
        size = record_words(config) * config.port_bytes
        length = registers["program_beats"] * config.port_bytes
        stream_bytes = registers["weight_beats"] * config.port_bytes
        for iteration in range(registers["images"]):
            stream = self._read(registers["weight_addr"], stream_bytes)
            seen, position = dict.fromkeys(UNITS, 0), 0
            for at in range(length // size):
                record = self._read(registers["program_addr"] + at * size, size).tobytes()
                try:
                    instruction, values = decode(record, config)
                except ValueError as error:
                    raise EngineError(1, f"record {at}: {error}") from None
                if instruction is CONFIG:
                    self._configure(values)
                    continue
                if at == 0:
                    raise EngineError(2, f"the program begins with {instruction.name}, not with config")
                segment = None
                if instruction is COMPUTE:
                    try:
                        segment, taken = decode_segment(stream[position:], config)
                    except ValueError as error:
                        raise EngineError(3, f"COMPUTE {seen['compute']} (record {at}): {error}") from None
                    self._check_rows(values, segment, at)
                    position += taken
                yield Command(instruction.name, values, iteration, seen[instruction.unit], at, segment)
                seen[instruction.unit] += 1
            if seen != self.counts:
                raise EngineError(1, f"CONFIG announces {self.counts} instructions, the program has {seen}")
            if position != stream_bytes:
                raise EngineError(3, f"{stream_bytes - position} bytes of the weight stream are left over")

    def _configure(self, values: Mapping[str, int]) -> None:
        if values["hash"] != self.config.hash:
            raise EngineError(2, f"hash {values['hash']:#010x}, the engine has {self.config.hash:#010x}")
        self.counts = {unit: values[f"n_{unit}"] for unit in UNITS}

    def _check_rows(self, values: Mapping[str, int], segment: Segment, at: int) -> None:
        passes = (values["kb_last"] + 1) * (values["ky_last"] + 1) * (values["kx_last"] + 1)
        rows = 0 if values["product"] else (passes - values["keep"]) * self.config.rows
        if len(segment.tiles) != rows:
            raise EngineError(
                3, f"record {at} needs {rows} rows of tiles, the segment has {len(segment.tiles)}"
            )

    def check_waits(self, command: Command, completed: Mapping[str, int]) -> None:
        """Raises if the command could never start, for what it waits for comes after it."""
        for unit in UNITS:
            needed = command.iteration * self.counts[unit] + command.values[f"wait_{unit}"]
            if completed[unit] < needed:
                raise EngineError(
                    6,
                    f"{command} waits for {needed} {unit} instructions of {completed[unit]} before: deadlock",
                )

    # Memory --------------------------------------------------------------------------------------

    def _slice(self, address: int, size: int, error: int) -> slice:
        low = address - self.base
        if low < 0 or low + size > len(self.memory):
            raise EngineError(error, f"{size} bytes at {address:#x} lie outside of the memory")
        return slice(low, low + size)

    def _read(self, address: int, size: int) -> npt.NDArray[np.uint8]:
        return self.memory[self._slice(address, size, 4)]

    def _region(self, command: Command, registers: Mapping[str, int]) -> int:
        region = REGIONS[command.values["region"]]
        address = registers[f"{region}_addr"] + command.values["offset"]
        if region in ("input", "output"):
            address += command.iteration * registers[f"{region}_stride"]
        return address & 0xFFFFFFFF

    def _words(self, command: Command) -> IntArray:
        """[blocks, pixels] word addresses of a LOAD or STORE."""
        v = command.values
        words = (
            v["base"] + np.arange(v["pixels"])[None, :] + np.arange(v["blocks"])[:, None] * v["block_step"]
        )
        return words % self.config.words

    # Instructions ----------------------------------------------------------------------------------

    def load(self, command: Command, registers: Mapping[str, int]) -> tuple[IntArray, IntArray, IntArray]:
        """LOAD: the scratchpad, word addresses [pixels, blocks], their lanes [pixels, blocks, lanes]; or of tables."""
        v, config = command.values, self.config
        raw = self._read(self._region(command, registers), v["beats"] * config.port_bytes)
        elements = raw.copy().view("<u1" if config.lane_bytes == 1 else "<u2").astype(np.int64)[v["skip"] :]
        channels = v["tail"] if v["fold"] else (v["blocks"] - 1) * config.lanes + v["tail"]
        if len(elements) < v["pixels"] * channels:
            raise EngineError(
                6, f"{command} reads {len(elements)} elements and needs {v['pixels'] * channels}"
            )
        pixels = (
            elements[: v["pixels"] * channels].reshape(v["pixels"], channels) & (1 << config.act_width) - 1
        )
        try:
            if v["table"]:
                return self.tables.entries, *self.tables.load(v, pixels)
            if v["fold"]:
                return self.scratchpad, *folded_words(v, pixels, self.line, config)
        except ValueError as error:
            raise EngineError(6, f"{command}: {error}") from None
        lanes = np.zeros((v["pixels"], v["blocks"] * config.lanes), np.int64)
        lanes[:, :channels] = pixels
        return self.scratchpad, self._words(command).T, lanes.reshape(v["pixels"], v["blocks"], config.lanes)

    def write(self, target: IntArray, words: IntArray, lanes: IntArray) -> None:
        """Put whole words where they belong, one after the other: of several at one address the last one stays."""
        target[words] = lanes

    def store(self, command: Command, registers: Mapping[str, int]) -> None:
        """STORE: words to memory, padded to whole beats."""
        config = self.config
        lanes = self.scratchpad[self._words(command).ravel()]
        raw = lanes.astype("<u1" if config.lane_bytes == 1 else "<u2").view(np.uint8)
        beats = np.zeros((len(raw), config.word_beats * config.port_bytes), np.uint8)
        beats[:, : config.word_bytes] = raw
        place = self._slice(self._region(command, registers), beats.size, 5)
        self.memory[place] = beats.ravel()

    def compute(self, command: Command) -> ComputeTrace:
        """COMPUTE, but for its writes: see ``write_codes``."""
        v, config, segment = command.values, self.config, command.segment
        assert segment is not None
        tiles = self._tiles(command, segment)
        if v["fir"]:
            return self._depthwise(command, segment, tiles)
        y, x, addr, res = walks(v, "y_step", "x_step", "addr_step", "res_step")
        acc = np.zeros((len(y), config.cols), np.int64) + segment.bias
        if v["res"]:
            acc += self._residual(v, v["res_base"] + res) << segment.res_shift
        inside = np.zeros(len(y), bool)
        for tile, (start_y, start_x, start, rot) in zip(tiles, self._passes(v), strict=True):
            at_y, at_x = _wrap(start_y + y, config.coord_width), _wrap(start_x + x, config.coord_width)
            inside = (at_y >= 0) & (at_y < v["in_height"]) & (at_x >= 0) & (at_x < v["in_width"])
            act = self._lanes(start + addr, v["in_block_step"], rot, config.rows, v["in_signed"])
            # Products of 17 and 16 bits, at most 128 rows: float64 is exact.
            sums = np.where(inside[:, None], act, 0).astype(np.float64) @ tile.astype(np.float64)
            acc += sums.astype(np.int64)
        return self._trace(command, self._outputs(v, _wrap(acc, config.acc_width), segment, inside))

    def _tiles(self, command: Command, segment: Segment) -> IntArray:
        """[passes, rows, cols]; the last one stays in the array."""
        v, config = command.values, self.config
        tiles = segment.tiles.reshape(-1, config.rows, config.cols)
        if v["keep"]:
            tiles = np.concatenate([self.tile[None], tiles])
        elif v["product"]:
            try:
                tiles = diagonal_tiles(v, self._residual(v, np.array([v["res_base"]]))[0], config)
            except ProductError as error:
                raise EngineError(6, f"{command}: {error}") from None
        self.tile = tiles[-1]
        return tiles

    def _trace(self, command: Command, codes: IntArray) -> ComputeTrace:
        words = (command.values["out_base"] + np.arange(len(codes))) % self.config.words
        try:
            codes = self.tables.look_up(command.values, codes)
        except TableError as error:
            raise EngineError(6, f"{command}: {error}") from None
        return ComputeTrace(
            command.iteration, command.index, words, codes & ((1 << self.config.act_width) - 1)
        )

    def _depthwise(self, command: Command, segment: Segment, tiles: IntArray) -> ComputeTrace:
        v, config = command.values, self.config

        def lanes(addr: IntArray, block_step: int, rot: int) -> IntArray:
            return self._lanes(addr, block_step, rot, config.cols, v["in_signed"])

        try:
            acc = segment.bias + self.fir.sums(v, tiles, self._passes(v), lanes)
        except FirError as error:
            raise EngineError(6, f"{command}: {error}") from None
        codes = requantize(_wrap(acc, config.acc_width), segment.shift, v["lo"], v["hi"])
        return self._trace(command, codes)

    def _passes(self, v: Mapping[str, int]) -> Iterator[tuple[int, int, int, int]]:
        """y, x, word address and rotation at the start of every pass."""
        base, rot = v["in_base"], v["in_rot"]
        for _ in range(v["kb_last"] + 1):
            y, addr = v["y0"], base
            for ky in range(v["ky_last"] + 1):
                if ky:
                    y, addr = y + v["ky_y_step"], addr + v["ky_addr_step"]
                x = v["x0"]
                for kx in range(v["kx_last"] + 1):
                    if kx:
                        x, addr = x + v["kx_x_step"], addr + v["kx_addr_step"]
                    yield y, x, addr, rot
            blocks, rot = divmod(rot + self.config.rows, self.config.lanes)
            base += v["in_block_step"] * blocks

    def _lanes(self, addr: IntArray, block_step: int, rot: int, count: int, signed: int) -> IntArray:
        """[n, count] codes from lane ``rot`` of words ``addr`` on, running over into the next block."""
        config = self.config
        lanes = rot + np.arange(count)
        words = addr[:, None] + (lanes // config.lanes)[None, :] * block_step
        codes = self.scratchpad[words % config.words, lanes % config.lanes]
        return _wrap(codes, config.act_width) if signed else codes

    def _residual(self, v: Mapping[str, int], addr: IntArray) -> IntArray:
        return self._lanes(addr, v["res_block_step"], v["out_rot"], self.config.cols, v["res_signed"])

    def _outputs(
        self, v: Mapping[str, int], acc: IntArray, segment: Segment, inside: npt.NDArray[np.bool_]
    ) -> IntArray:
        window = (v["wx_last"] + 1) * (v["wy_last"] + 1)
        if v["pool"] == POOL_SUM:
            acc = _wrap(acc.reshape(-1, window, self.config.cols).sum(axis=1), self.config.acc_width)
        codes = requantize(acc, segment.shift, v["lo"], v["hi"])
        if v["pool"] == POOL_MAX:
            if v["skip"]:
                codes = np.where(inside[:, None], codes, v["lo"])
            codes = codes.reshape(-1, window, self.config.cols).max(axis=1)
        if v["pool"] == POOL_MEAN:
            total = _wrap(codes.sum(axis=0, keepdims=True) * v["mean_weight"], self.config.acc_width)
            shift = v["mean_shift"] - self.config.max_left_shift
            codes = requantize(total, shift, v["mean_lo"], v["mean_hi"])
        return codes

    def write_codes(self, command: Command, trace: ComputeTrace) -> None:
        """Put a COMPUTE's codes into its lanes of the scratchpad."""
        v, config = command.values, self.config
        lanes = v["out_rot"] + np.arange(config.cols)
        words = trace.addr[:, None] + (lanes // config.lanes)[None, :] * v["out_block_step"]
        self.scratchpad[words % config.words, lanes % config.lanes] = trace.codes


def _wrap(values: IntArray, bits: int) -> IntArray:
    """The low bits as two's complement."""
    return (values + (1 << bits - 1) & (1 << bits) - 1) - (1 << bits - 1)
