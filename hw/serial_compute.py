"""``SerialCompute``: COMPUTE, a row of a tile a cycle, then a column a cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import record_layout
from .isa import COMPUTE, POOL_MAX, POOL_SUM
from .serial_array import SerialArray
from .serial_columns import SerialColumns
from .serial_loops import SerialLoops
from .serial_weights import SerialWeights

__all__ = ["SerialCompute"]


class SerialCompute(Component):
    """for each pass: tile; for each pixel: for r in 0..rows-1: sums[c] += act[r] * tile[r][c]; then its columns

    Latency: a pixel takes ``pixel_cycles``, in the last pass ``last_cycles``, where every column's code is written
    before the next pixel; a pass takes 2 cycles besides, and its tile's; an instruction its segment's.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    record : the instruction, from ``start`` to ``done``, one cycle each. pixel : one is at work.
    ask .. data : of the ``ByteReader``. error : the weight stream is out of step.
    pad_* : the scratchpad's bytes.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self.columns = SerialColumns(config=config)
        self.pixel_cycles = config.rows + config.cols + 2
        self.last_cycles = config.rows + self.columns.turns
        lanes = (config.lanes - 1).bit_length()
        super().__init__(
            {"record": In(record_layout(COMPUTE, config))}
            | {"start": In(1), "done": Out(1), "pixel": Out(1), "error": Out(1)}
            | {"ask": Out(1), "count": Out(4), "valid": In(1), "data": In(8)}
            | {"pad_addr": Out(config.addr_width + lanes), "pad_en": Out(1), "pad_wen": Out(1)}
            | {"pad_wdata": Out(8), "pad_rdata": In(8)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.loops = loops = SerialLoops(config=config)
        m.submodules.weights = weights = SerialWeights(config=config)
        m.submodules.array = array = SerialArray(config=config)
        m.submodules.columns = columns = self.columns
        self._window_last = Signal(name="window_last")
        row, turn = Signal(range(config.rows)), Signal(range(columns.turns))
        reading, summing = Signal(), Signal()  # a row's activation is asked for, the columns have their turns
        m.d.comb += [
            loops.record.eq(self.record),
            loops.start.eq(self.start),
            weights.segment.eq(self.start),
            *(getattr(weights, name).eq(getattr(self, name)) for name in ("valid", "data")),
            *(getattr(self, name).eq(getattr(weights, name)) for name in ("ask", "count", "error")),
            weights.row.eq(row),
            weights.column.eq(turn),
            array.weights.eq(weights.weights),
            array.clear.eq(reading & (row == 0)),
            self.pixel.eq(summing & (turn == 0)),
        ]
        m.d.sync += array.valid.eq(reading)
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.next = "SEGMENT"
            with m.State("SEGMENT"), m.If(weights.done):
                m.next = "PASS"
            with m.State("PASS"):
                m.d.comb += [loops.enter.eq(1), weights.tile.eq(~(loops.first_pass & self.record.keep))]
                m.next = "ROWS"
                with m.If(weights.tile):
                    m.next = "TILE"
            with m.State("TILE"), m.If(weights.done):
                m.next = "ROWS"
            with m.State("ROWS"):
                m.d.comb += reading.eq(1)
                m.d.sync += [row.eq(row + 1), turn.eq(0)]
                with m.If(row == config.rows - 1):
                    m.next = "COLUMNS"
            with m.State("COLUMNS"):
                m.d.comb += summing.eq(1)
                m.d.sync += turn.eq(turn + 1)
                with m.If(turn == Mux(loops.last_pass, columns.turns - 1, config.cols + 1)):
                    m.d.comb += loops.next_pixel.eq(1)
                    m.next = "ROWS"
                    with m.If(loops.last):
                        m.next = "NEXT"
            with m.State("NEXT"):
                m.d.comb += loops.next_pass.eq(1)
                m.next = "PASS"
                with m.If(loops.last_pass):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
        self._operands(m, loops, array, columns, row, turn, reading, summing)
        self._columns(m, loops, weights, array, columns, turn, summing)
        return m

    def _operands(self, m: Module, loops: Any, array: Any, columns: Any, row: Signal, turn: Signal, reading: Signal,
                  summing: Signal) -> None:  # fmt: skip
        """The scratchpad's bytes: activations, residuals, codes that are written."""
        f, code = self.record, self.pad_rdata[: self.config.act_width]
        out, output, lane = Signal(self.config.addr_width), Signal(), Signal(len(row))
        m.d.comb += [
            lane.eq((turn - columns.latency)[: len(lane)]),
            self.pad_en.eq(
                reading | (summing & f.res & loops.first_pass & (turn < self.config.cols)) | output
            ),
            self.pad_wen.eq(output),
            self.pad_wdata.eq(columns.out[: self.config.act_width]),
            self.pad_addr.eq(Cat(row, loops.addr)),
            array.act.eq(Mux(loops.inside, Cat(code, code[-1] & f.in_signed).as_signed(), 0)),
            columns.res.eq(Mux(f.res & loops.first_pass, Cat(code, code[-1] & f.res_signed).as_signed(), 0)),
            output.eq(columns.valid & self._window_last),
        ]
        with m.If(summing):
            m.d.comb += self.pad_addr.eq(Cat(turn[: len(row)], loops.res))
        with m.If(output):
            m.d.comb += self.pad_addr.eq(Cat(lane, out))
        last = lane == self.config.cols - 1
        with m.If(self.start):
            m.d.sync += out.eq(f.out_base)
        with m.Elif(output & last):
            m.d.sync += out.eq(out + 1)
        # What benches see.
        valid, addr = Signal(name="trace_valid"), Signal(len(out), name="trace_addr")
        codes = Signal(self.config.cols * self.config.act_width, name="trace_codes", reset_less=True)
        m.d.sync += [valid.eq(output & last), addr.eq(out)]
        with m.If(output):
            m.d.sync += codes.eq(Cat(codes, self.pad_wdata[: self.config.act_width])[self.config.act_width :])

    def _columns(self, m: Module, loops: Any, weights: Any, array: Any, columns: Any, turn: Signal,
                 summing: Signal) -> None:  # fmt: skip
        f = self.record
        is_sum, is_max = f.pool == POOL_SUM, f.pool == POOL_MAX
        m.d.comb += [
            columns.turn.eq(turn),
            columns.active.eq(summing),
            columns.addr.eq(loops.number),
            columns.sums.eq(array.sums),
            columns.lo.eq(f.lo),
            columns.hi.eq(f.hi),
            columns.first_pass.eq(loops.first_pass),
            columns.last_pass.eq(loops.last_pass),
            columns.sum_first.eq(loops.window_first | ~is_sum),
            columns.sum_last.eq(loops.window_last | ~is_sum),
            columns.max_first.eq(loops.window_first | ~is_max),
            columns.least.eq(~loops.inside & f.skip & is_max),
            self._window_last.eq(loops.window_last | ~is_max),
            *(getattr(columns, name).eq(getattr(weights, name)) for name in ("bias", "shift", "res_shift")),
        ]
