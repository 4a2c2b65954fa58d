"""``PixelStage``: a pixel between the loops and the pipeline, where a bank conflict holds it."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from .accumulator import Accumulator
from .config import EngineConfig
from .interfaces import record_layout
from .isa import COMPUTE, POOL_MAX, POOL_MEAN, POOL_SUM
from .pixel import Flags, Outputs, Place, Read, Slot, rot_width

__all__ = ["PixelStage"]


class PixelStage(Component):
    """With ``go`` the pixel at the loops comes here, and the one that is here leaves: it is read, its flags are valid.

    What leaves says so by its valid bits (``read``, ``residual``, ``flags``, ``switch``, ``entered_*``), registers that
    are low without ``go``, for ``goes`` said a cycle before whether it would be high. ``held`` and ``early`` belong to
    the pixel that is here, whether it leaves or not.

    Latency: 1 cycle from the loops.

    Members
    -------
    go, goes : nothing holds the pixel back, now and in the next cycle. active : there is a pixel at the loops; x ..
    row_first: its loops (``LoopNest``). started, started_instr : a pass begins after it, the first one of the
    instruction ``record``; ``rot``, ``takes_tile``, ``fresh`` and ``last_pass`` are that pass's. fields : the COMPUTE
    of the pixel at the loops.
    residual : the read of its residual, valid if it has one. early : it is one of the first ``Accumulator.reuse`` - 1
    of its pass. adds : it has a residual, or the one at the loops. ends : an
    instruction's last pixel leaves the loops. mean_ends : the last pixel of an instruction with
    pool MEAN leaves.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        record, addr = record_layout(COMPUTE, config), config.addr_width
        ones = ("go", "goes", "active", "started", "started_instr", "takes_tile", "fresh", "last_pass")
        loops = ("last", "window_first", "window_last", "row_first")
        super().__init__(
            {name: In(1) for name in ones + loops}
            | {name: In(addr) for name in ("addr", "next", "res_addr", "res_next")}
            | {
                "x": In(signed(config.coord_width)),
                "y": In(signed(config.coord_width)),
                "rot": In(rot_width(config)),
            }
            | {"record": In(record), "fields": In(record)}
            | {"read": Out(Read(config)), "residual": Out(Read(config)), "held": Out(Place(config))}
            | {"flags": Out(Flags), "slot": Out(Slot(config)), "outputs": Out(Outputs(config))}
            | {
                name: Out(1)
                for name in ("switch", "entered_tile", "entered_instr", "early", "mean_ends", "adds", "ends")
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._inside(m)
        # Of the pass at the loops.
        rot, pass_first, switch = Signal.like(self.rot), Signal(), Signal()
        first_pass, last_pass = Signal(), Signal()
        first_ones = Signal(Accumulator.reuse - 1)
        with m.If(self.started):
            m.d.sync += [rot.eq(self.rot), pass_first.eq(1), switch.eq(self.takes_tile), first_ones.eq(-1)]
            m.d.sync += [first_pass.eq(self.fresh), last_pass.eq(self.last_pass)]
        with m.Elif(self.active & self.go):
            m.d.sync += [pass_first.eq(0), first_ones.eq(first_ones >> 1)]
        adds = self.active & first_pass & self.fields.res
        with m.If(self.go):
            self._read(m, rot)
            self._flags(m, pass_first, first_pass, last_pass)
            m.d.sync += self.early.eq(first_ones[0])
            self._slot(m)
        # Until the first pixel of a pass goes, tile and parameters before are in use.
        first = self.active & pass_first
        ends = self.active & self.last & last_pass
        adding = self._leaves(m, self.residual.valid, adds, "residual")
        self._leaves(m, self.read.valid, self.active & self._here, "read")
        self._leaves(m, self.entered_tile, first & switch, "tile")
        self._leaves(m, self.entered_instr, first & first_pass, "instr")
        self._leaves(m, self.flags.instr_last, ends, "last")
        if self.config.means:
            self._leaves(m, self.mean_ends, ends & (self.fields.pool == POOL_MEAN), "mean")
        here = self._leaves(m, self.flags.valid, self.active, "pixel")
        m.d.comb += [
            self.flags.instr_first.eq(self.entered_instr),
            self.switch.eq(self.entered_tile),
            self.adds.eq(adding | adds),
            self.ends.eq(ends & self.go),
            self.held.valid.eq(here),
            self.held.addr.eq(self.read.addr),
            self.held.next.eq(self.read.next),
        ]
        return m

    def _leaves(self, m: Module, out: Any, comes: Any, name: str) -> Signal:
        """``out`` is high while a pixel leaves that has what ``comes`` says; the result while it is here."""
        here, following = Signal(name=f"{name}_here"), Signal(name=f"{name}_following")
        m.d.comb += following.eq(Mux(self.go, comes, here))
        m.d.sync += [here.eq(following), out.eq(following & self.goes)]
        return here

    def _read(self, m: Module, rot: Signal) -> None:
        fields, read, residual = self.fields, self.read, self.residual
        m.d.sync += [
            read.addr.eq(self.addr),
            read.next.eq(self.next),
            read.rot.eq(rot),
            read.signed.eq(fields.in_signed),
            residual.addr.eq(self.res_addr),
            residual.next.eq(self.res_next),
            residual.signed.eq(fields.res_signed),
        ]
        with m.Switch(fields.out_rot):
            for group in range(self.config.groups):
                with m.Case(group * self.config.group_lanes):
                    m.d.sync += residual.rot.eq(group)

    def _inside(self, m: Module) -> None:
        """Is the pixel inside of the map, is its column?"""
        height = Signal(self.config.coord_width)  # rows that are read
        if self.config.fir_lines:
            with m.If(self.started_instr):
                m.d.sync += height.eq(self.record.in_height + self.record.ahead)
        else:
            m.d.comb += height.eq(self.fields.in_height)
        self._column, self._here = Signal(name="column_inside"), Signal(name="inside")
        m.d.comb += [
            self._column.eq(self.x.as_unsigned() < self.fields.in_width),
            self._here.eq((self.y.as_unsigned() < height) & self._column),
        ]

    def _flags(self, m: Module, pass_first: Signal, first_pass: Signal, last_pass: Signal) -> None:
        fields, flags = self.fields, self.flags
        is_sum, is_max, is_mean = Signal(), Signal(), Signal()
        m.d.comb += [
            is_sum.eq(fields.pool == POOL_SUM),
            is_max.eq(fields.pool == POOL_MAX),
            is_mean.eq((fields.pool == POOL_MEAN) & int(self.config.means)),
        ]
        m.d.sync += [
            flags.pass_first.eq(pass_first),
            flags.first_pass.eq(first_pass),
            flags.last_pass.eq(last_pass),
            flags.sum_first.eq(self.window_first | ~is_sum),
            flags.sum_last.eq(self.window_last | ~is_sum),
            flags.max_first.eq(Mux(is_mean, pass_first, self.window_first | ~is_max)),
            flags.max_last.eq(self.window_last | ~is_max),
            flags.mean.eq(is_mean),
            flags.skip.eq(~self._here & fields.skip & is_max),
        ]

    def _slot(self, m: Module) -> None:
        """The outputs' counts and steps as ``Taps`` wants them."""
        fields = self.fields
        m.d.sync += [
            self.slot.fir.eq(fields.fir),
            self.slot.row_first.eq(self.row_first),
            self.slot.inside.eq(self._column),
            self.slot.y.eq(self.y),
            self.outputs.height.eq(fields.in_height),
            self.outputs.row_last.eq(fields.ox_last),
            self.outputs.y_first.eq(fields.y_step_wx - 1),
            self.outputs.y_step.eq(fields.y_step_wy - 2),
            self.outputs.y_last.eq(fields.wy_last - 1),
            self.outputs.x_first.eq(fields.x_step_wy - 1),
            self.outputs.x_step.eq(fields.x_step_wx - 2),
            self.outputs.x_last.eq(fields.wx_last - 1),
        ]
