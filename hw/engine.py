"""``Engine``: the top. Units and their connections, nothing else."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .completion import Completion
from .compute_unit import ComputeUnit
from .config import EngineConfig
from .control_port import ControlPort
from .counters import COUNTED, Counters
from .fetch import Fetch
from .instruction_queue import InstructionQueue
from .interfaces import EnginePorts
from .isa import COMPUTE, LOAD, REGIONS, STORE
from .load_unit import LoadUnit
from .memory_reader import MemoryReader
from .regions import Regions
from .serial_engine import SerialEngine
from .store_unit import StoreUnit
from .stream_reader import StreamReader
from .weight_decoder import WeightDecoder

__all__ = ["Engine"]

_UNITS = ("load", "compute", "store")


class Engine(Component):
    """A systolic engine behind a memory port and a control port.

    ``axi``: AXI4 manager for program, weights, images and results. ``ctl``: AXI4-Lite subordinate with the registers
    of ``hw.registers``. ``irq`` is high while the engine is done or stopped by an error, if enabled. One clock, one
    synchronous reset that starts everything over at any cycle (memory side included).
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(EnginePorts(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        if config.serial:
            m.submodules.serial = serial = SerialEngine(config)
            for name in ("axi", "ctl"):
                connect(m, flipped(getattr(self, name)), getattr(serial, name))
            m.d.comb += self.irq.eq(serial.irq)
            return m
        m.submodules.control = self.control = ControlPort(config=config)
        m.submodules.completion = self.completion = Completion(config=config)
        m.submodules.counters = self.counters = Counters(config=config)
        m.submodules.reader = self.reader = MemoryReader(config=config, clients=3)
        m.submodules.program = self.program = StreamReader(config=config, depth=64)
        m.submodules.stream = self.stream = StreamReader(config=config, depth=config.fifo_depth)
        m.submodules.fetch = self.fetch = Fetch(config=config)
        m.submodules.decoder = self.decoder = WeightDecoder(config=config)
        m.submodules.load = self.load = LoadUnit(config=config, depth=config.fifo_depth)
        m.submodules.compute = self.compute = ComputeUnit(config=config)
        m.submodules.store = self.store = StoreUnit(config=config)
        self._host(m)
        self._memory(m)
        self._streams(m)
        for name, instruction in zip(_UNITS, (LOAD, COMPUTE, STORE), strict=True):
            queue = InstructionQueue(config=config, instruction=instruction, depth=self.config.fifo_depth)
            m.submodules[f"{name}_queue"] = queue
            self._unit(m, name, queue)
        connect(m, self.load.write, self.compute.load)
        connect(m, self.store.read, self.compute.store)
        return m

    def _host(self, m: Module) -> None:
        """Control port, counters, the end."""
        control, completion, counters = self.control, self.completion, self.counters
        connect(m, flipped(self.ctl), control.bus)
        m.d.comb += [
            self.irq.eq(control.irq),
            completion.start.eq(control.start),
            completion.images.eq(control.images),
            completion.configured.eq(self.fetch.configured),
            control.finished.eq(completion.finished),
            counters.start.eq(control.start),
            counters.busy.eq(control.busy),
            counters.events.eq(self.compute.events),
            control.bad_opcode.eq(self.fetch.bad_opcode),
            control.bad_config.eq(self.fetch.bad_config),
            control.bad_weights.eq(self.decoder.error),
            control.bad_read.eq(self.reader.error),
            control.bad_write.eq(self.store.error),
        ]
        for unit in _UNITS:
            m.d.comb += [
                getattr(completion, f"n_{unit}").eq(getattr(self.fetch, f"n_{unit}")),
                getattr(completion, f"{unit}_done").eq(getattr(self, unit).done),
                getattr(control, f"{unit}s").eq(
                    getattr(completion, f"{unit}s") if self.config.profile else 0
                ),
            ]
        for name in COUNTED.values() if self.config.profile else ():
            m.d.comb += getattr(control, name).eq(getattr(counters, name))
        axi = self.axi
        m.d.sync += control.activity.eq(
            Cat(self.compute.events.pixel, axi.rvalid, axi.wvalid & axi.wready, axi.bvalid).any()
        )

    def _memory(self, m: Module) -> None:
        """The read channels' three clients; the write channels are the store unit's.

        Turns need no reset: the first burst of every batch is the program's, nobody else asks before.
        """
        for index, client in enumerate((self.program.client, self.load.client, self.stream.client)):
            connect(m, client, self.reader.client[index])
        for name, member in self.axi.signature.members.items():
            inner = getattr(self.reader if name[0] in "r" or name.startswith("ar") else self.store, name)
            outer = getattr(self.axi, name)
            m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)

    def _streams(self, m: Module) -> None:
        """Program to the queues' router, weights to the array."""
        control = self.control
        # Weights are asked for when the first COMPUTE's record comes: the first LOAD's burst is ahead of theirs.
        asked = Signal()
        first = self.fetch.compute.valid & ~asked
        m.d.sync += asked.eq((asked | first) & ~control.start)
        for reader, name, start in ((self.program, "program", control.start), (self.stream, "weight", first)):
            m.d.comb += [
                reader.start.eq(start),
                reader.base.eq(getattr(control, f"{name}_addr")),
                reader.beats.eq(getattr(control, f"{name}_beats")),
                reader.repeats.eq(control.images),
            ]
        m.d.comb += self.fetch.start.eq(control.start)
        connect(m, self.program.o, self.fetch.i)
        connect(m, self.stream.o, self.decoder.i)
        connect(m, self.decoder.rows, self.compute.weights)

    def _unit(self, m: Module, name: str, queue: InstructionQueue) -> None:
        """A unit behind its queue; load and store know where the regions of their iteration are."""
        unit = getattr(self, name)
        connect(m, getattr(self.fetch, name), queue.i)
        connect(m, queue.o, unit.i)
        m.d.comb += [queue.start.eq(self.control.start), queue.halt.eq(self.control.halt)]
        for other in _UNITS:
            m.d.comb += [
                getattr(queue, f"n_{other}").eq(getattr(self.fetch, f"n_{other}")),
                getattr(queue.progress, other).eq(getattr(self.completion.progress, other)),
            ]
        if unit is self.compute:
            return
        m.submodules[f"{name}_regions"] = regions = Regions(config=self.config)
        m.d.comb += [regions.start.eq(self.control.start), regions.advance.eq(queue.iteration_end)]
        for port, member in regions.signature.members.items():
            if port in REGIONS:
                m.d.comb += getattr(unit, port).eq(getattr(regions, port))
            elif member.flow == In and port not in ("start", "advance"):
                m.d.comb += getattr(regions, port).eq(getattr(self.control, port))
