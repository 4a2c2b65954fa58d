"""``Sequencer``: one pixel a cycle, pass after pass, instruction after instruction."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from .accumulator import Accumulator
from .config import EngineConfig
from .interfaces import record_layout
from .isa import COMPUTE, POOL_MEAN
from .loop_nest import LoopNest
from .mean import mean_latency
from .pass_generator import PassGenerator
from .pixel import Bounds, Flags, MeanFields, Outputs, Read, Slot, Tail
from .pixel_stage import PixelStage
from .replicas import replicas
from .residual_port import ResidualPort

__all__ = ["Events", "Sequencer"]

Events = data.StructLayout(
    {
        "pixel": 1,  # a pixel was issued
        "wait": 1,  # no instruction, or it waits for other units
        "weight": 1,  # no tile or no parameters
        "bank": 1,  # the residual uses the pixel's bank
        "short": 1,  # no pixel yet: the pass before was too short to prepare this one, or there was none
    }
)
"""What the sequencer did in a cycle; exactly one bit is set."""


class Sequencer(Component):
    """for each COMPUTE: for each pass: for each pixel: issue(pixel)

    A pass starts at cycle s (``started``) when the last pixel of the one before leaves the loops, its tile is on the
    way (``tile_ready`` counts up, a pass that takes a tile counts down), and, for an instruction's first pass, its
    record, its parameters (``param_ready``) and room behind the pipeline (``tail_room``) are there; the last three are
    said a cycle ahead. Pixels are at the loops from cycle s + 1, on ``read`` from s + 2 on (``PixelStage``), without
    gaps. Tiles come no faster than every 6 cycles (``TilePusher``), and a pass waits after bubbles in a short one, so
    an accumulator is never read again before ``Accumulator.reuse`` cycles have gone by.

    The last pass of an instruction behind one of pool MEAN starts no sooner than ``mean_latency`` cycles after the last
    pixel of that one was at the loops: its outputs and sums, whatever they are, come behind the mean's word.

    An instruction's record leaves the stream one cycle after ``started_instr``, with ``popped``, or without lookahead
    one cycle after its last pixel has left the loops; ``bounds``, ``tail`` and ``mean`` (with ``popped_mean``) belong
    to the cycle of ``popped``. The residual's word is read ``rows + 1`` cycles after its pixel, on ``residual``. If
    both would touch the same bank the pixel waits a cycle, and so do those behind it and a pass that would start. The
    word of a product's vector is read there, too, with ``vector`` (``ResidualPort``).
    """

    issue_latency = 2

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(record_layout(COMPUTE, config))),
                "tile_ready": In(1),
                "param_ready": In(1),
                "tail_room": In(1),
                "read": Out(Read(config)),
                "residual": Out(Read(config)),
                "vector": Out(1),
                "flags": Out(Flags),
                "slot": Out(Slot(config)),
                "outputs": Out(Outputs(config)),
                "switch": Out(1),
                "started": Out(1),
                "started_tile": Out(1),
                "started_instr": Out(1),
                "entered_tile": Out(1),
                "entered_instr": Out(1),
                "popped": Out(1),
                "bounds": Out(Bounds(config)),
                "tail": Out(Tail(config)),
                "popped_mean": Out(1),
                "mean": Out(MeanFields(config)),
                "events": Out(Events),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.passes = passes = PassGenerator(config=self.config)
        m.submodules.loops = loops = LoopNest(config=self.config)
        m.submodules.stage = stage = PixelStage(config=self.config)
        m.submodules.port = port = ResidualPort(config=self.config)
        taken, active = Signal(), Signal()
        free = Signal(init=1)  # no pixel, or the last one, is at the loops
        takes_tile = Signal()
        # Nothing holds the pixel at the stage back: one register would drive hundreds of inputs.
        go, *copies = replicas(m, ~port.conflict_next, 6, platform, init=1, name="go")
        known = Signal()
        late = self._late(m, stage, go)
        if self.config.means:
            late = late | self._behind_mean(m, passes, stage.fields, stage.mean_ends)
        drained = self._drained(m, stage.adds)
        begins = self._begins(m, platform, passes, takes_tile, free, loops.last_next, go, late, drained)
        starts = begins[3] & passes.fresh & copies[4]
        fields, steps, later = self._records(m, starts, begins[4] & passes.fresh, known, stage.ends)
        m.d.comb += [
            passes.record.eq(self.i.payload),
            passes.record_valid.eq(known),
            passes.fields.eq(later),
            passes.take.eq(taken),
            loops.fields.eq(steps),
            loops.start.eq(passes.start),
            loops.load.eq(Cat(begins[1:3])),
            loops.go.eq(Cat(copies[:2])),
        ]
        # The next pass is prepared from the cycle after the start on.
        m.d.sync += [self.popped.eq(self.started_instr), taken.eq(self.started)]
        with m.If(free & go):
            m.d.sync += active.eq(begins[0])
        with m.If(go):
            m.d.sync += free.eq(Mux(begins[0], passes.start.zero.all(), free | loops.last_next))
        m.d.comb += [
            takes_tile.eq(~(passes.fresh & self.i.payload.keep)),
            self.started.eq(begins[0] & copies[2]),
            self.started_tile.eq(self.started & takes_tile),
            self.started_instr.eq(begins[0] & passes.fresh & copies[2]),
        ]
        m.d.comb += [stage.go.eq(copies[3]), stage.goes.eq(~port.conflict_next)]
        self._stage(m, stage, passes, loops, fields, active, takes_tile)
        self._residual(m, port, stage, loops, active, go, known)
        self._tail(m)
        self._count(m, passes, stage, go)
        return m

    def _records(
        self, m: Module, starts: Any, begins: Any, known: Signal, ends: Signal
    ) -> tuple[Any, Any, Any]:
        """The COMPUTE in execution, for pixels, the loops' steps and passes to come: copies, or it stays."""
        record = self.i.payload
        if not self.config.lookahead:
            busy = Signal(name="executing")
            m.d.sync += [
                self.i.ready.eq(ends),
                busy.eq(self.started_instr | (busy & ~self.i.ready)),
                known.eq(self.i.valid & ~self.started_instr & ~busy),
            ]
            return record, record, record
        fields, steps, later = (Signal.like(record, name=name) for name in ("fields", "steps", "later"))
        m.d.comb += self.i.ready.eq(self.popped)
        m.d.sync += known.eq(self.i.valid & ~self.started_instr & ~self.popped)
        with m.If(starts):
            m.d.sync += fields.eq(record)
        # A start that is held back may load the steps: the last pixel of a pass makes none.
        with m.If(begins):
            m.d.sync += steps.eq(record)
        with m.If(self.popped):
            m.d.sync += later.eq(record)
        return fields, steps, later

    def _begins(self, m: Module, platform: Any, passes: PassGenerator, takes_tile: Signal, free: Signal, ends: Signal,
                go: Signal, late: Any, drained: Signal) -> list[Signal]:  # fmt: skip
        """Does a pass start unless a bank conflict holds it? In several copies.

        Registers: tiles and parameters are counted, and what they allow is decided a cycle ahead of its use.
        """
        some_tile, some_params, ready = Signal(), Signal(), Signal()
        _, tiles_next, self._starved_tile = self._credit(m, self.tile_ready, self.started_tile, "tiles")
        _, params_next, self._starved_params = self._credit(m, self.param_ready, self.started_instr, "params")
        m.d.sync += [some_tile.eq(tiles_next != 0), some_params.eq(params_next != 0)]
        self._starved = Signal(name="starved")
        m.d.comb += self._starved.eq(
            (takes_tile & self._starved_tile) | (passes.fresh & self._starved_params)
        )
        # Nothing starts between a cycle and the next in which a pass may start: what is there stays.
        tile, record = Signal(), Signal()
        m.d.comb += [
            tile.eq(~takes_tile | some_tile),
            record.eq(~passes.fresh | (ready & some_params)),
        ]
        m.d.sync += ready.eq(self.tail_room & (drained | ~self.i.payload.fir.any()))
        begin, before = Signal(), Signal()  # before: a pass begins now, whether it is held or not
        m.d.comb += begin.eq(passes.soon & tile & record & ~late & Mux(go, ~before & (free | ends), free))
        m.d.sync += before.eq(begin)
        return replicas(m, begin, 5, platform, name="begins")

    def _credit(self, m: Module, ready: Signal, started: Signal, name: str) -> tuple[Signal, Any, Signal]:
        """How many there are, will be; whether there were none but for what came a cycle ago."""
        count, came, none = Signal(2, name=name), Signal(name=f"{name}_came"), Signal(name=f"no_{name}")
        following = Signal(2, name=f"{name}_next")
        m.d.comb += [following.eq(count + ready - started), none.eq(count == came)]
        m.d.sync += [count.eq(following), came.eq(ready)]
        return count, following, none

    def _drained(self, m: Module, added: Any) -> Signal:
        """Will the last residual have been read when the pixels of a pass come that may start in the next cycle?

        A depthwise pass waits for it: its rows of slots must have no bubbles.
        """
        left, drained = Signal(range(max(self.config.rows, 3))), Signal()
        with m.If(added):
            m.d.sync += left.eq(max(self.config.rows - 2, 0))
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.comb += drained.eq(~added & (left <= 1))
        return drained

    def _late(self, m: Module, stage: PixelStage, go: Signal) -> Any:
        """Was one of the first pixels of the pass held back just now?

        Tiles keep the first pixels of two passes ``Accumulator.reuse`` cycles apart, but not those behind a bubble: if
        a pass is shorter than that, the next one starts no sooner than ``reuse`` - 2 cycles after the last bubble.
        """
        held, before = Signal(), Signal(Accumulator.reuse - 4)
        m.d.comb += held.eq(~go & stage.early)
        m.d.sync += before.eq(Cat(held, before))
        return held | before.any()

    def _behind_mean(self, m: Module, passes: PassGenerator, fields: Any, ends: Signal) -> Any:
        """Would the next pass send codes before the word of a pool MEAN has left the pipeline?

        ``busy`` from the start of the mean's last pass until so long after its end that what may start is late enough.
        """
        hold = mean_latency(self.config)
        busy, leaving = Signal(name="mean_busy"), Signal(name="mean_leaving")
        left = Signal(range(hold), name="mean_left")
        first = passes.fresh & (self.i.payload.pool == POOL_MEAN)
        with m.If(self.started & passes.last_pass):
            m.d.sync += busy.eq(first | (~passes.fresh & (fields.pool == POOL_MEAN)))
        with m.Elif(leaving & (left == 0)):
            m.d.sync += busy.eq(0)
        m.d.sync += [leaving.eq(ends | (leaving & (left != 0))), left.eq(left - 1)]
        with m.If(ends):
            m.d.sync += left.eq(hold - 4)
        return busy & passes.soon_last

    def _stage(self, m: Module, stage: PixelStage, passes: PassGenerator, loops: LoopNest, fields: Any,
               active: Signal, takes_tile: Signal) -> None:  # fmt: skip
        """What is at the loops, to the stage; what leaves it."""
        m.d.comb += [
            stage.active.eq(active),
            stage.started.eq(self.started),
            stage.started_instr.eq(self.started_instr),
            stage.takes_tile.eq(takes_tile),
            stage.record.eq(self.i.payload),
            stage.fields.eq(fields),
        ]
        for name in ("fresh", "last_pass", "rot"):
            m.d.comb += getattr(stage, name).eq(getattr(passes, name))
        for name in ("x", "y", "addr", "next", "res_addr", "res_next"):
            m.d.comb += getattr(stage, name).eq(getattr(loops, name))
        for name in ("last", "window_first", "window_last", "row_first"):
            m.d.comb += getattr(stage, name).eq(getattr(loops, name))
        for name in ("read", "flags", "slot", "outputs", "switch", "entered_tile", "entered_instr"):
            m.d.comb += getattr(self, name).eq(getattr(stage, name))

    def _residual(self, m: Module, port: ResidualPort, stage: PixelStage, loops: LoopNest, active: Signal,
                  go: Signal, known: Signal) -> None:  # fmt: skip
        m.d.comb += [
            port.record.eq(self.i.payload),
            port.residual.eq(stage.residual),
            port.pixel.valid.eq(active),
            port.pixel.addr.eq(loops.addr),
            port.pixel.next.eq(loops.next),
            port.held.eq(stage.held),
            port.conflict.eq(~go),
            port.known.eq(known & ~self._starved_params),
            port.started.eq(self.started_instr),
            self.residual.eq(port.read),
            self.vector.eq(port.vector),
        ]

    def _count(self, m: Module, passes: PassGenerator, stage: PixelStage, go: Signal) -> None:
        """What each cycle at the stage was; what is short of a pixel was so at the loops, a cycle before."""
        waiting, starved, idle = Signal(), Signal(), Signal()
        m.d.comb += idle.eq(~stage.held.valid)
        m.d.sync += [
            waiting.eq(passes.waiting),
            starved.eq(passes.valid & self._starved),
            self.events.pixel.eq(stage.held.valid & go),
            self.events.bank.eq(~go),
            self.events.wait.eq(idle & waiting),
            self.events.weight.eq(idle & starved),
            self.events.short.eq(idle & ~waiting & ~starved),
        ]

    def _tail(self, m: Module) -> None:
        r = self.i.payload
        m.d.comb += [
            self.bounds.lo.eq(r.lo),
            self.bounds.hi.eq(r.hi),
            self.tail.base.eq(r.out_base),
            self.tail.next.eq(r.out_base + r.out_block_step),
            self.popped_mean.eq(self.popped & (r.pool == POOL_MEAN)),
            *(self.mean[name].eq(r[f"mean_{name}"]) for name in ("weight", "shift", "lo", "hi")),
        ]
        with m.Switch(r.out_rot):
            for group in range(self.config.groups):
                with m.Case(group * self.config.group_lanes):
                    m.d.comb += self.tail.rot.eq(group)
