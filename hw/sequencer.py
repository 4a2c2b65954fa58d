"""``Sequencer``: one pixel a cycle, pass after pass, instruction after instruction."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from .accumulator import Accumulator
from .config import EngineConfig
from .interfaces import record_layout
from .isa import COMPUTE, POOL_MAX, POOL_MEAN, POOL_SUM
from .loop_nest import LoopNest
from .mean import mean_latency
from .pass_generator import PassGenerator
from .pixel import Bounds, Flags, MeanFields, Outputs, Read, Slot, Tail
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

    A pass starts at cycle s (``started``) when the one before it has issued its last pixel, its tile is on the way
    (``tile_ready`` counts up, a pass that takes a tile counts down), and, for an instruction's first pass, its record,
    its parameters (``param_ready``) and room behind the pipeline (``tail_room``, said a cycle ahead) are there. Pixels
    are on ``read`` from cycle s + 2 on, without gaps. Tiles come no faster than every 6 cycles (``TilePusher``), and a
    pass waits after bubbles in a short one, so an accumulator is never read again before ``Accumulator.reuse`` cycles
    have gone by.

    The last pass of an instruction behind one of pool MEAN starts no sooner than ``mean_latency`` cycles after the last
    pixel of that one is at the loops: its outputs and sums, whatever they are, come behind the mean's word.

    An instruction's record leaves the stream one cycle after ``started_instr``, with ``popped``, or without lookahead
    one cycle after its last pixel is at the loops; ``bounds``, ``tail`` and ``mean`` (with ``popped_mean``) belong to
    the cycle of ``popped``. The residual's word is read ``rows + 1`` cycles after its pixel, on ``residual``. If both
    would touch the same bank the pixel waits a cycle. A product's vector is read there, too (``ResidualPort``).
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
        taken, known = Signal(), Signal()
        active, conflict, first_pass, last_pass = Signal(), Signal(), Signal(), Signal()
        free = Signal(init=1)  # no pixel, or the last one, is at the loops
        free_next, takes_tile = Signal(), Signal()
        begins_instr = Signal()
        fields, steps, later = self._records(
            m, begins_instr, known, active & ~conflict & loops.last & last_pass
        )
        late = self._late(m, active, conflict)
        if self.config.means:
            late = late | self._behind_mean(m, passes, fields, loops.last & active & ~conflict)
        drained = self._drained(m, active & first_pass & fields.res)
        may_start, begins = self._begins(m, passes, takes_tile, free_next, late, drained, begins_instr)
        m.d.comb += [
            passes.record.eq(self.i.payload),
            passes.record_valid.eq(known),
            passes.fields.eq(later),
            passes.take.eq(taken),
            loops.fields.eq(steps),
            loops.counts.eq(passes.counts),
            loops.load.eq(begins),
            loops.advance.eq((active | may_start) & ~conflict),
            loops.start_y.eq(passes.y),
            loops.start_x.eq(passes.x),
            loops.start_addr.eq(passes.addr),
            loops.start_next.eq(passes.next),
        ]
        # The next pass is prepared from the cycle after the start on.
        m.d.sync += [self.popped.eq(self.started_instr), taken.eq(self.started)]
        with m.If(free & ~conflict):
            m.d.sync += active.eq(may_start)
        m.d.sync += free.eq(free_next)
        with m.If(self.started):
            m.d.sync += [first_pass.eq(passes.fresh), last_pass.eq(passes.last_pass)]
        m.d.comb += [
            takes_tile.eq(~(passes.fresh & self.i.payload.keep)),
            free_next.eq(Mux(conflict, free, (free & ~may_start) | loops.last_next)),
            self.started.eq(begins & ~conflict),
            self.started_tile.eq(self.started & takes_tile),
            self.started_instr.eq(begins_instr & ~conflict),
        ]
        self._issue(m, loops, fields, active & ~conflict, first_pass, last_pass, passes, takes_tile)
        self._residual(m, loops, fields, active, conflict, first_pass, known)
        self._tail(m)
        idle = Signal()
        m.d.comb += idle.eq(~active)
        m.d.sync += [
            self.events.pixel.eq(active & ~conflict),
            self.events.bank.eq(conflict),
            self.events.wait.eq(idle & passes.waiting),
            self.events.weight.eq(idle & passes.valid & self._starved),
            self.events.short.eq(idle & ~passes.waiting & ~(passes.valid & self._starved)),
        ]
        return m

    def _records(self, m: Module, begins: Signal, known: Signal, ends: Any) -> tuple[Any, Any, Any]:
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
        with m.If(self.started_instr):
            m.d.sync += fields.eq(record)
        # A start that is held back may load the steps: the last pixel of a pass makes none.
        with m.If(begins):
            m.d.sync += steps.eq(record)
        with m.If(self.popped):
            m.d.sync += later.eq(record)
        return fields, steps, later

    def _begins(self, m: Module, passes: PassGenerator, takes_tile: Signal, free_next: Signal, late: Any,
                drained: Signal, begins_instr: Signal) -> list[Signal]:  # fmt: skip
        """May a pass start; does one unless a bank conflict holds it; ``begins_instr``: is it an instruction's first?

        Registers: tiles and parameters are counted, and what they allow is decided a cycle ahead of its use.
        """
        tiles, params = Signal(2), Signal(2)
        m.d.sync += tiles.eq(tiles + self.tile_ready - self.started_tile)
        m.d.sync += params.eq(params + self.param_ready - self.started_instr)
        self._starved, self._params = Signal(name="starved"), params
        m.d.comb += self._starved.eq((takes_tile & (tiles == 0)) | (passes.fresh & (params == 0)))
        # Nothing starts between a cycle and the next in which a pass may start: what is there stays.
        tile, record = Signal(), Signal()
        m.d.comb += [
            tile.eq(~takes_tile | self.tile_ready | (tiles != 0)),
            record.eq(
                ~passes.fresh
                | (
                    self.tail_room
                    & (self.param_ready | (params != 0))
                    & (drained | ~self.i.payload.fir.any())
                )
            ),
        ]
        may_start, begins, allowed = Signal(), Signal(), Signal()
        m.d.comb += allowed.eq(passes.soon & ~self.started & tile & record & ~late)
        m.d.sync += [
            may_start.eq(allowed),
            begins.eq(allowed & free_next),
            begins_instr.eq(allowed & free_next & passes.fresh),
        ]
        return [may_start, begins]

    def _drained(self, m: Module, added: Any) -> Signal:
        """Will the last residual have been read when the pixels of a pass come that may start now?

        A depthwise pass waits for it: its rows of slots must have no bubbles.
        """
        left, drained = Signal(range(max(self.config.rows, 2))), Signal()
        with m.If(added):
            m.d.sync += left.eq(self.config.rows - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.comb += drained.eq(~added & (left == 0))
        return drained

    def _late(self, m: Module, active: Signal, conflict: Signal) -> Signal:
        """Was one of the first pixels of the pass held back just now?

        Tiles keep the first pixels of two passes ``Accumulator.reuse`` cycles apart, but not those behind a bubble: if
        a pass is shorter than that, the next one starts no sooner than ``reuse`` - 1 cycles after the last bubble.
        """
        early, late = Signal(Accumulator.reuse - 1), Signal()  # the pixel at the loops is one of the first
        with m.If(self.started):
            m.d.sync += early.eq(-1)
        with m.Elif(active & ~conflict):
            m.d.sync += early.eq(early >> 1)
        held, before = Signal(), Signal(Accumulator.reuse - 3)
        m.d.comb += [held.eq(conflict & early[0]), late.eq(held | before.any())]
        m.d.sync += before.eq(Cat(held, before))
        return late

    def _behind_mean(self, m: Module, passes: PassGenerator, fields: Any, ends: Any) -> Any:
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
        ends = busy & ends & ~leaving  # passes before the last may go on meanwhile
        m.d.sync += [leaving.eq(ends | (leaving & (left != 0))), left.eq(left - 1)]
        with m.If(ends):
            m.d.sync += left.eq(hold - 3)
        return busy & passes.soon_last

    def _issue(self, m: Module, loops: LoopNest, fields: Any, valid: Any, first_pass: Signal, last_pass: Signal,
               passes: PassGenerator, takes_tile: Signal) -> None:  # fmt: skip
        """The pixel's registers, one cycle behind the loops."""
        rot, pass_first, switch = Signal.like(passes.rot), Signal(), Signal()
        with m.If(self.started):
            m.d.sync += [rot.eq(passes.rot), pass_first.eq(1), switch.eq(takes_tile)]
        with m.Elif(valid):
            m.d.sync += pass_first.eq(0)
        # A conflict may hold the first pixel of a pass back: tile and parameters are in use until it goes.
        m.d.comb += [
            self.entered_tile.eq(valid & pass_first & switch),
            self.entered_instr.eq(valid & pass_first & first_pass),
        ]
        inside, column_inside = Signal(), Signal()
        height = Signal(self.config.coord_width)  # rows that are read
        if self.config.fir_lines:
            with m.If(self.started_instr):
                m.d.sync += height.eq(self.i.payload.in_height + self.i.payload.ahead)
        else:
            m.d.comb += height.eq(fields.in_height)
        is_sum, is_max, is_mean = Signal(), Signal(), Signal()
        m.d.comb += [
            column_inside.eq(loops.x.as_unsigned() < fields.in_width),
            inside.eq((loops.y.as_unsigned() < height) & column_inside),
            is_sum.eq(fields.pool == POOL_SUM),
            is_max.eq(fields.pool == POOL_MAX),
            is_mean.eq((fields.pool == POOL_MEAN) & int(self.config.means)),
        ]
        m.d.sync += [
            self.read.valid.eq(valid & inside),
            self.read.addr.eq(loops.addr),
            self.read.next.eq(loops.next),
            self.read.rot.eq(rot),
            self.read.signed.eq(fields.in_signed),
            self.switch.eq(self.entered_tile),
            self.flags.valid.eq(valid),
            self.flags.pass_first.eq(pass_first),
            self.flags.first_pass.eq(first_pass),
            self.flags.last_pass.eq(last_pass),
            self.flags.sum_first.eq(loops.window_first | ~is_sum),
            self.flags.sum_last.eq(loops.window_last | ~is_sum),
            self.flags.max_first.eq(Mux(is_mean, pass_first, loops.window_first | ~is_max)),
            self.flags.max_last.eq(loops.window_last | ~is_max),
            self.flags.mean.eq(is_mean),
            self.flags.skip.eq(~inside & fields.skip & is_max),
            self.flags.instr_first.eq(self.entered_instr),
            self.flags.instr_last.eq(valid & loops.last & last_pass),
        ]
        m.d.sync += [
            self.slot.fir.eq(fields.fir),
            self.slot.row_first.eq(loops.row_first),
            self.slot.inside.eq(column_inside),
            self.slot.y.eq(loops.y),
        ]
        self._outputs(m, fields)

    def _residual(self, m: Module, loops: LoopNest, fields: Any, active: Signal, conflict: Signal,
                  first_pass: Signal, known: Signal) -> None:  # fmt: skip
        m.submodules.port = port = ResidualPort(config=self.config)
        m.d.comb += [
            port.fields.eq(fields),
            port.record.eq(self.i.payload),
            port.valid.eq(active & ~conflict & first_pass & fields.res),
            port.addr.eq(loops.res_addr),
            port.next.eq(loops.res_next),
            port.active.eq(active),
            port.pixel_addr.eq(loops.addr),
            port.pixel_next.eq(loops.next),
            port.known.eq(known & self._params.any()),
            port.started.eq(self.started_instr),
            self.residual.eq(port.read),
            self.vector.eq(port.vector),
            conflict.eq(port.conflict),
        ]

    def _outputs(self, m: Module, fields: Any) -> None:
        """Those of the slot: counts and steps as ``Taps`` wants them."""
        m.d.sync += [
            self.outputs.height.eq(fields.in_height),
            self.outputs.row_last.eq(fields.ox_last),
            self.outputs.y_first.eq(fields.y_step_wx - 1),
            self.outputs.y_step.eq(fields.y_step_wy - 2),
            self.outputs.y_last.eq(fields.wy_last - 1),
            self.outputs.x_first.eq(fields.x_step_wy - 1),
            self.outputs.x_step.eq(fields.x_step_wx - 2),
            self.outputs.x_last.eq(fields.wx_last - 1),
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
