"""The host driver: runs programs on an engine behind a ``ControlPort``, a board or a simulated one.

identify -> load program -> for each batch: images in, start, wait, results and counters out
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy.typing as npt

from ..hw.config import EngineConfig
from ..hw.registers import ERRORS, IDENTITY, MAP
from ..quant.network import IntArray
from .program import Program

__all__ = ["COUNTERS", "BatchResult", "ControlPort", "Driver", "EngineError"]

_REGISTERS = {register.name: register for register in MAP}

COUNTERS = ("cycles", "pixels", "stall_wait", "stall_weight", "stall_bank", "stall_pass", "loads", "computes",
            "stores")  # fmt: skip
"""Registers read after every batch."""


class EngineError(RuntimeError):
    """The engine is not the one expected, stopped with an error, or did not finish: one sentence.

    ``code`` is STATUS.error, an index into ``hw.registers.ERRORS``; 0 if the engine reported none.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class ControlPort(ABC):
    """How a host reaches an engine: 32-bit registers and bytes of the memory that the engine sees."""

    @abstractmethod
    def read_register(self, address: int) -> int:
        """The register at a byte address."""

    @abstractmethod
    def write_register(self, address: int, value: int) -> None:
        """Write all 32 bits of the register at a byte address."""

    @abstractmethod
    def write_memory(self, address: int, data: bytes) -> None:
        """Copy bytes to the engine's memory."""

    @abstractmethod
    def read_memory(self, address: int, size: int) -> bytes:
        """Copy bytes from the engine's memory."""

    @abstractmethod
    def wait(self, timeout: int) -> bool:
        """Block until the interrupt, at most ``timeout`` cycles of the engine (0: forever). Whether it was raised."""


@dataclass(frozen=True)
class BatchResult:
    """A batch of images: every image's outputs by tensor name as codes [H, W, C], and the counters by name."""

    outputs: list[dict[str, IntArray]]
    counters: dict[str, int]

    @property
    def cycles(self) -> int:
        """Cycles from start to done."""
        return self.counters["cycles"]


class Driver:
    """Runs batches on the engine behind a port.

    Parameters
    ----------
    port : the way to the engine.
    base : first byte of memory that is the engine's to use, a multiple of 4096.

    Raises EngineError if there is no engine of this kind.
    """

    def __init__(self, port: ControlPort, *, base: int = 0) -> None:
        self.port = port
        self.base = base
        identity = self.read("id")
        if identity != IDENTITY:
            raise EngineError(
                f"there is no Systolith engine: its ID register reads {identity:#010x}, not {IDENTITY:#010x}"
            )

    def read(self, name: str) -> int:
        """A register by its name in ``hw.registers``."""
        return self.port.read_register(_REGISTERS[name].address)

    def write(self, name: str, value: int) -> None:
        """Set a register by its name in ``hw.registers``. Raises ValueError if it is read-only or too small."""
        register = _REGISTERS[name]
        if register.access == "ro":
            raise ValueError(f"register {name} is read-only")
        if not 0 <= value < 1 << 32:
            raise ValueError(f"register {name} must fit in 32 bits, not {value}")
        self.port.write_register(register.address, value)

    def require(self, config: EngineConfig) -> None:
        """Raises EngineError unless the engine has this configuration; says what is known to differ."""
        found, geometry = self.read("hash"), self.read("geometry")
        if found == config.hash:
            return
        names = ("rows", "cols", "act_width", "wgt_width")
        differ = [
            f"{name} is {here} here and {getattr(config, name)} there"
            for name, here in zip(names, geometry.to_bytes(4, "little"), strict=True)
            if here != getattr(config, name)
        ]
        raise EngineError(
            f"the program is for another engine: {', '.join(differ) or 'widths, depths or the instruction set differ'} "
            f"(hash {found:#010x} here, {config.hash:#010x} there); compiled for: {config.describe()}"
        )

    def load(self, program: Program) -> None:
        """Check that the program is for this engine, and copy it and its weights to memory."""
        self.require(program.config)
        for address, part in program.parts(self.base):
            if part:
                self.port.write_memory(address, part)

    def run(
        self, program: Program, codes: npt.ArrayLike, *, timeout: int = 0, watchdog: int = 0
    ) -> BatchResult:
        """Run a loaded program over codes [N, H, W, C] (or one image [H, W, C]), back to back.

        Parameters
        ----------
        timeout : cycles after which waiting is given up, 0: never.
        watchdog : cycles without progress that the engine takes for an error, 0: never.

        Raises EngineError with the engine's own reason, or when time runs out.
        """
        packed = program.pack_input(codes)
        images = len(packed) // program.input_stride
        places = program.memory_map(images, self.base)
        self.port.write_memory(places.input, packed)
        settings = program.registers(images, self.base) | {"watchdog": watchdog, "irq_enable": 1}
        for name, value in settings.items():
            self.write(name, value)
        self.write("control", 1)
        self.wait(timeout)
        stride = program.output_stride
        results = memoryview(self.port.read_memory(places.output, images * stride))
        outputs = [program.unpack_output(results[i * stride : (i + 1) * stride]) for i in range(images)]
        return BatchResult(outputs, self.counters())

    def counters(self) -> dict[str, int]:
        """The counters of the last batch."""
        return {name: self.read(name) for name in COUNTERS}

    def wait(self, timeout: int = 0) -> None:
        """Block until the batch is done. Raises EngineError if the engine stopped for another reason, or not at all."""
        raised = self.port.wait(timeout)
        status = self.read("status")
        code = status >> 8 & 0xFF
        if code:
            reason = ERRORS.get(code, f"error {code}, which this driver does not know")
            raise EngineError(f"the engine stopped: {reason} (after {self._progress()})", code)
        if not raised or not status & 2:
            raise EngineError(f"the engine is not done after {timeout} cycles (after {self._progress()})")

    def _progress(self) -> str:
        counted = self.counters()
        return ", ".join(f"{counted[name]} {name}" for name in ("loads", "computes", "stores", "cycles"))
