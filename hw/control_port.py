"""``ControlPort``: the registers of ``registers.MAP`` on AXI4-Lite, and the engine's state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delay
from .interfaces import AxiLite
from .registers import ERRORS, IDENTITY, MAP
from .replicas import replicas

__all__ = ["ControlPort"]

_OWN = ("id", "hash", "status", "cycles", "geometry")
_FAULTS = ("bad_opcode", "bad_config", "bad_weights", "bad_read", "bad_write")
_GROUP = 8


class ControlPort(Component):
    """control.start: busy until all images are done, or until the first error, which is kept until reset.

    ``cycles`` counts the cycles in which the engine is busy: from the one after ``start`` to the one in which
    ``finished`` shows.

    Latency: a write takes effect 2 cycles after both its address and its data are offered; a read answers 4
    cycles after its address is. ``start`` is high 1 cycle after its write takes effect; ``busy`` 1 after that.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    bus : AXI4-Lite, subordinate; one access of each direction at a time, never an error.
    program_addr ... irq_enable : the rw registers of the map, by name.
    pixels ... stores : the ro registers that the engine counts, by name.
    start : one cycle. busy, done. halt : an error has been met.
    finished : all is done; read while busy, from the cycle after ``start`` on.
    bad_opcode, bad_config, bad_weights, bad_read, bad_write : errors 1 to 5; the lowest of the first cycle wins.
    activity : something moved; error 6 shows 2 cycles after ``watchdog`` cycles without it; 0: never.
    irq : done or error, if enabled; low 1 cycle after ``start``, before the write that caused it can be known.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        outputs = {r.name: Out(r.bits(config)) for r in MAP if r.access == "rw"}
        inputs = {r.name: In(r.bits(config)) for r in MAP if r.access == "ro" and r.name not in _OWN}
        super().__init__(
            {
                "bus": In(AxiLite()),
                "start": Out(1),
                "busy": Out(1),
                "done": Out(1),
                "halt": Out(1),
                "irq": Out(1),
            }
            | outputs
            | inputs
            | {name: In(1) for name in ("finished", "activity", *_FAULTS)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        error, cycles = Signal(8), Signal(config.count_width)
        self._write(m)
        sizes = (config.rows, config.cols, config.act_width, config.wgt_width)
        values = {
            "id": IDENTITY,
            "hash": config.hash,
            "status": Cat(self.busy, self.done, Signal(6), error),
            "cycles": cycles,
            "geometry": sum(size << 8 * i for i, size in enumerate(sizes)),
        }
        self._read(m, platform, {r.address: values.get(r.name, getattr(self, r.name, 0)) for r in MAP})
        expired = self._watchdog(m)
        m.d.sync += self.irq.eq(self.irq_enable[0] & (self.done | self.halt) & ~self.start)
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), self.done.eq(0), cycles.eq(0)]
        with m.Elif(self.busy):
            m.d.sync += cycles.eq(cycles + 1)
            with m.If(self.finished):
                m.d.sync += [self.busy.eq(0), self.done.eq(1)]
            faults = [getattr(self, name) for name in _FAULTS] + [expired]
            for code, fault in reversed(list(enumerate(faults, start=1))):
                assert code in ERRORS
                with m.If(fault):
                    m.d.sync += [self.busy.eq(0), self.done.eq(0), self.halt.eq(1), error.eq(code)]
        return m

    def _write(self, m: Module) -> None:
        """Address and data are taken together, the cycle after both are seen; a register has them two cycles later.

        No write is taken before, so `start` finds all that was written. `irq_enable` has them at once: who is told
        that it was written finds ``irq`` as it shall be.
        """
        bus, take = self.bus, Signal()
        m.d.comb += [bus.awready.eq(take), bus.wready.eq(take)]
        m.d.sync += [take.eq(bus.awvalid & bus.wvalid & ~bus.bvalid & ~take)]
        with m.If(take):
            m.d.sync += bus.bvalid.eq(1)
        with m.Elif(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        given, strobes = delay(m, bus.wdata, 1, name="given"), delay(m, bus.wstrb, 1, name="strobes")
        for register in MAP:
            if register.access != "rw" and register.name != "control":
                continue
            selected = Signal(name=f"{register.name}_selected")
            m.d.sync += selected.eq(bus.awaddr[2:] == register.address >> 2)
            written = take & selected & ~self.busy & ~self.start
            if register.name == "control":
                m.d.sync += self.start.eq(written & bus.wdata[0] & bus.wstrb[0] & ~self.halt)
                continue
            value = getattr(self, register.name)
            if register.name == "irq_enable":
                with m.If(written & bus.wstrb[0]):
                    m.d.sync += value.eq(bus.wdata)
                continue
            with m.If(delay(m, written, 1, name=f"{register.name}_written")):
                for i in range((len(value) + 7) // 8):
                    with m.If(strobes[i]):
                        m.d.sync += value[8 * i : 8 * i + 8].eq(given.word_select(i, 8))

    def _read(self, m: Module, platform: Any, values: dict[int, Any]) -> None:
        """Address; a value of each group; the group's; on the bus."""
        bus, take = self.bus, Signal()
        m.d.comb += bus.arready.eq(take)
        groups = max(values) // (4 * _GROUP) + 1
        word, stages = bus.araddr[2:], Signal(2)
        low = (_GROUP - 1).bit_length()
        # One bit each: the place in its group, for each of them; the group.
        group, chosen_place = Signal(groups), Cat(word[:low] == i for i in range(_GROUP))
        place = replicas(m, chosen_place, groups, platform, enable=take, name="place")
        m.d.sync += [
            take.eq(bus.arvalid & ~bus.rvalid & ~take & ~stages.any()),
            stages.eq(Cat(take, stages)),
        ]
        with m.If(take):
            m.d.sync += [
                group.eq(Cat(word[low:] == i for i in range(groups))),
            ]
        chosen = [Signal(32, name=f"group_{i}", reset_less=True) for i in range(groups)]
        for i, value in enumerate(chosen):
            members = (values.get(4 * (i * _GROUP + j), 0) for j in range(_GROUP))
            m.d.sync += value.eq(_choose(place[i], members))
        with m.If(stages[-1]):
            m.d.sync += [bus.rvalid.eq(1), bus.rdata.eq(_choose(group, chosen))]
        with m.Elif(bus.rready):
            m.d.sync += bus.rvalid.eq(0)

    def _watchdog(self, m: Module) -> Signal:
        """High once `watchdog` cycles passed without activity."""
        width = signed(self.config.count_width + 1)
        left, less = Signal(width), Signal(width)  # cycles left - 1: its sign ends the count
        active, expired = Signal(), Signal()
        m.d.comb += less.eq(left - 1)
        m.d.sync += [
            active.eq(self.activity | self.start | ~self.busy),
            expired.eq(~active & ~left[-1] & less[-1]),
        ]
        with m.If(active):
            m.d.sync += left.eq(self.watchdog - 1)
        with m.Elif(~left[-1]):
            m.d.sync += left.eq(less)
        return expired


def _choose(bits: Signal, values: Iterable[Any]) -> Any:
    """The value whose bit is set, 0 without any."""
    result: Any = 0
    for bit, value in zip(bits, values, strict=True):
        result = result | Mux(bit, value, 0)
    return result
