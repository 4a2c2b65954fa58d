"""``SerialEngine``: the program's records, one after the other."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, Out, connect, flipped

from .byte_memory import ByteMemory
from .byte_reader import ByteReader
from .config import EngineConfig
from .control_port import ControlPort
from .interfaces import EnginePorts, record_layout
from .isa import COMPUTE, CONFIG, INSTRUCTIONS, LOAD, REGIONS, STORE, record_words
from .regions import Regions
from .serial_compute import SerialCompute
from .serial_mover import SerialMover

__all__ = ["SerialEngine"]


class SerialEngine(Component):
    """for image: for record of the program: load | compute | store, to its end

    The ports of ``Engine``, its instructions, and the order of the instruction-set simulator. Whatever a record waits
    for is done: thresholds are not looked at. Memory is asked for a byte a burst.

    Latency: a record takes record_words + 2 cycles, and the memory's, besides its instruction's; an image 1, and 2
    more cycles at start and end (``sw.cycle_model.serial``).

    Parameters
    ----------
    config : the engine, ``serial``.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(EnginePorts(config))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        self._record = Signal(8 * record_words(config), name="record", reset_less=True)
        self._opcode = self._record[:4]
        m.submodules.control = self.control = control = ControlPort(config=config)
        m.submodules.regions = self.regions = regions = Regions(config=config)
        m.submodules.reader = self.reader = ByteReader(config=config)
        m.submodules.mover = self.mover = SerialMover(config=config)
        m.submodules.compute = self.compute = SerialCompute(config=config)
        connect(m, flipped(self.ctl), control.bus)
        m.d.comb += [self.irq.eq(control.irq), regions.start.eq(control.start)]
        for port in regions.signature.members:
            if port.endswith(("_addr", "_stride")):
                m.d.comb += getattr(regions, port).eq(getattr(control, port))
        self._scratchpad(m)
        self._memory(m)
        self._records(m)
        return m

    def _scratchpad(self, m: Module) -> None:
        m.submodules.scratchpad = pad = ByteMemory(depth=self.config.words * self.config.word_bytes)
        users = (self.mover, self.compute)
        for user in users:
            m.d.comb += user.pad_rdata.eq(pad.rdata)
        for name in ("addr", "en", "wen", "wdata"):
            ours = [getattr(user, f"pad_{name}") for user in users]
            m.d.comb += getattr(pad, name).eq(Mux(self._moving, *ours))

    @property
    def _moving(self) -> Any:
        return self._opcode != COMPUTE.opcode

    def _memory(self, m: Module) -> None:
        """The port's channels: reads are the reader's, for whoever asks; writes are the mover's."""
        reader, mover, axi = self.reader, self.mover, self.axi
        for name, member in axi.signature.members.items():
            inner = getattr(reader if name[0] == "r" or name.startswith("ar") else mover, name)
            outer = getattr(axi, name)
            m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
        self._fetching = Signal(name="fetching")
        control, config = self.control, self.config
        pc, weight = (
            Signal(config.memory_width, name="program_at"),
            Signal(config.memory_width, name="weight_at"),
        )
        self._left = Signal(config.memory_width, name="program_left")
        self._image = Signal(name="image")  # one begins
        for user in (mover, self.compute):
            m.d.comb += [user.valid.eq(reader.valid), user.data.eq(reader.data)]
        m.d.comb += [
            mover.step.eq(reader.step),
            reader.ask.eq(Mux(self._moving, mover.ask, self.compute.ask)),
            reader.count.eq(Mux(self._moving, mover.count, self.compute.count)),
            reader.addr.eq(Mux(self._fetching, pc, Mux(self._moving, mover.addr, weight))),
        ]
        with m.If(self._image):
            m.d.sync += [pc.eq(control.program_addr), weight.eq(control.weight_addr)]
            m.d.sync += self._left.eq(control.program_beats)
        with m.Elif(reader.step):
            with m.If(self._fetching):
                m.d.sync += [pc.eq(pc + 1), self._left.eq(self._left - 1)]
            with m.Elif(~self._moving):
                m.d.sync += weight.eq(weight + 1)

    def _records(self, m: Module) -> None:
        """Fetch, and hand the record to whom it is for."""
        control, reader, words = self.control, self.reader, record_words(self.config)
        come, images = Signal(range(words)), Signal(self.config.count_width)
        configured, begin = Signal(), Signal()
        config = self._views(m, begin)
        known = Cat(self._opcode == i.opcode for i in (LOAD, COMPUTE, STORE)).any()
        is_config = self._opcode == CONFIG.opcode
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [images.eq(control.images), configured.eq(0)]
                with m.If(control.start):
                    m.next = "IMAGE"
            with m.State("IMAGE"):
                m.d.comb += self._image.eq(1)
                m.next = "ASK"
                with m.If(images == 0):
                    m.d.comb += control.finished.eq(1)
                    m.next = "IDLE"
            with m.State("ASK"):
                m.d.comb += [self._fetching.eq(1), reader.ask.eq(1), reader.count.eq(words)]
                m.d.sync += come.eq(0)
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += self._fetching.eq(1)
                with m.If(reader.valid):
                    m.d.sync += [self._record.eq(Cat(self._record, reader.data)[8:]), come.eq(come + 1)]
                    with m.If(come == words - 1):
                        m.next = "DECODE"
            with m.State("DECODE"):
                m.d.comb += [
                    control.bad_opcode.eq(~known & ~is_config),
                    control.bad_config.eq(
                        Mux(is_config, config.hash != self.config.hash, known & ~configured)
                    ),
                    begin.eq(known & configured),
                ]
                m.d.sync += configured.eq(configured | is_config)
                m.next = "RUN"
                with m.If(is_config):
                    m.next = "NEXT"
                with m.If(control.bad_opcode | control.bad_config):
                    m.next = "HALT"
            with m.State("RUN"), m.If(self.mover.done | self.compute.done):
                m.next = "NEXT"
            with m.State("NEXT"):
                m.next = "ASK"
                with m.If(self._left == 0):
                    m.d.comb += self.regions.advance.eq(1)
                    m.d.sync += images.eq(images - 1)
                    m.next = "IMAGE"
                with m.If(control.halt):
                    m.next = "HALT"
            with m.State("HALT"):
                pass  # until the reset

    def _views(self, m: Module, begin: Signal) -> Any:
        """The record, for each unit as it knows it."""
        views = {i: data.View(layout := record_layout(i, self.config), self._record[: layout.size])
                 for i in INSTRUCTIONS.values()}  # fmt: skip
        mover, compute, control, axi = self.mover, self.compute, self.control, self.axi
        m.d.comb += [
            mover.load.eq(views[LOAD]),
            mover.store.eq(views[STORE]),
            mover.storing.eq(self._opcode == STORE.opcode),
            mover.start.eq(begin & self._moving),
            compute.record.eq(views[COMPUTE]),
            compute.start.eq(begin & ~self._moving),
            control.bad_weights.eq(compute.error),
            control.bad_read.eq(self.reader.error),
            control.bad_write.eq(mover.error),
        ]
        with m.Switch(Mux(mover.storing, views[STORE].region, views[LOAD].region)):
            for code, region in enumerate(REGIONS):
                with m.Case(code):
                    m.d.comb += mover.region.eq(getattr(self.regions, region))
        m.d.sync += control.activity.eq(
            Cat(compute.pixel, axi.rvalid, axi.wvalid & axi.wready, axi.bvalid).any()
        )
        return views[CONFIG]
