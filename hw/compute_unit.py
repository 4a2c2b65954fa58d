"""``ComputeUnit``: the sequencer, the array and the columns in their rigid pipeline."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from .array import SystolicArray
from .columns import Columns
from .config import EngineConfig
from .delay import delay
from .in_flight import InFlight
from .interfaces import LoadWrite, RowStream, ScratchpadRead, record_layout
from .isa import COMPUTE
from .mean import Mean
from .operand import Operand
from .row_ring import RowRing
from .scratchpad import Scratchpad
from .sequencer import Events, Sequencer
from .stream_buffer import StreamBuffer
from .tables import Tables
from .taps import Taps
from .tile_pusher import TilePusher
from .writeback import Writeback

__all__ = ["ComputeUnit"]


class ComputeUnit(Component):
    """COMPUTE instructions and weight rows in, scratchpad words in and out: see ``isa.COMPUTE``.

    A pixel issued at cycle t: its word enters the array at t + operand_latency = t + 6 (5 without ``bank_stages``),
    column 0 accumulates from e = t + rows + 7 on, the code is written at e + 14 + cols - 1 + 2, ``Tables.latency``
    cycles later on an engine with tables. Nothing in between ever stops. The word of a pool MEAN goes past the tables:
    it is written ``Mean.behind`` cycles, more than they take, after the codes of its last pixel would have been; the
    sequencer keeps the next ones away.
    """

    tails = 4
    """Instructions that may be in the pipeline at a time."""

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self.columns = Columns(config=config)
        self.mean = Mean(config=config) if config.means else None
        self.writeback = Writeback(config=config)
        super().__init__(
            {
                "i": In(stream.Signature(record_layout(COMPUTE, config))),
                "weights": In(RowStream(config)),
                "load": In(LoadWrite(config)),
                "store": In(ScratchpadRead(config)),
                "done": Out(1),
                "events": Out(Events),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.sequencer = sequencer = Sequencer(config=config)
        m.submodules.pusher = pusher = TilePusher(config=config)
        m.submodules.scratchpad = scratchpad = Scratchpad(config=config)
        count = max(config.rows, config.cols) if config.fir_lines else config.rows
        m.submodules.activations = activations = Operand(config=config, count=count)
        m.submodules.residuals = residuals = Operand(config=config, count=config.cols)
        m.submodules.array = array = SystolicArray(config=config)
        m.submodules.columns = columns = self.columns
        m.submodules.writeback = writeback = self.writeback
        connect(m, flipped(self.i), sequencer.i)
        connect(m, flipped(self.weights), pusher.i)
        # The scratchpad's arbitration ends in registers here; the answers come a cycle later for it.
        m.submodules.store_request = request = StreamBuffer(shape=self.store.request.payload.shape())
        connect(m, flipped(self.store.request), request.i)
        connect(m, request.o, scratchpad.store.request)
        m.d.comb += [self.store.valid.eq(scratchpad.store.valid), self.store.data.eq(scratchpad.store.data)]
        m.d.comb += [
            # Weights to the array, a tile ahead of the pixels.
            pusher.entered_tile.eq(sequencer.entered_tile),
            pusher.entered_instr.eq(sequencer.entered_instr),
            sequencer.tile_ready.eq(pusher.tile_ready),
            sequencer.param_ready.eq(pusher.param_ready),
            array.wgt.eq(pusher.wgt),
            array.tag.eq(pusher.tag),
            # Pixels: scratchpad, operand, array.
            scratchpad.pixel.eq(sequencer.read),
            activations.read.eq(sequencer.read),
            activations.word.eq(scratchpad.pixel_data),
            array.switch.eq(delay(m, sequencer.switch, config.operand_latency, name="switch")),
            # Residuals meet the sums at the columns.
            scratchpad.residual.eq(sequencer.residual),
            scratchpad.residual.valid.eq(sequencer.residual.valid | sequencer.vector),
            residuals.read.eq(sequencer.residual),
            residuals.word.eq(scratchpad.residual_data),
            # So does the vector of a product, which becomes a tile.
            pusher.vector_valid.eq(delay(m, sequencer.vector, config.scratchpad_latency, name="vector")),
            pusher.vector.eq(Cat(_narrow(residuals.codes[c], config.wgt_width) for c in range(config.cols))),
            columns.res.eq(residuals.out),
            columns.psum.eq(array.psum),
            columns.wgt.eq(array.wgt_o),
            columns.tag.eq(array.tag_o),
            # Codes back to the scratchpad.
            scratchpad.output.eq(writeback.output),
            self.done.eq(writeback.done),
            self.events.eq(sequencer.events),
        ]
        self._taps(m, sequencer, activations, array, columns)
        self._tables(m, sequencer, columns, writeback)
        self._loaded(m, scratchpad)
        self._tails(m, sequencer, columns, writeback)
        if self.mean is not None:
            self._means(m, self.mean, sequencer, columns, writeback)
        return m

    def _means(
        self, m: Module, mean: Mean, sequencer: Sequencer, columns: Columns, writeback: Writeback
    ) -> None:
        """The columns' sums to the write-back; fields wait for them, fewer than the tails, so there is room."""
        m.submodules.mean = mean
        fields = m.submodules.mean_fields = InFlight(width=len(mean.fields.as_value()), depth=self.tails)
        m.d.comb += [
            mean.end.eq(columns.mean_end),
            mean.sums.eq(columns.sums),
            writeback.mean.eq(mean.codes),
            writeback.mean_valid.eq(mean.valid),
            fields.put.eq(sequencer.popped_mean),
            fields.item.eq(sequencer.mean),
            mean.fields.eq(fields.o),
            fields.take.eq(mean.valid),
        ]

    def _taps(
        self, m: Module, sequencer: Sequencer, activations: Operand, array: SystolicArray, columns: Columns
    ) -> None:
        """Operands and flags on their ways to the array and the columns, through what depthwise passes make of them."""
        config = self.config
        latency = config.rows + config.operand_latency
        if not config.fir_lines:
            m.d.comb += array.act.eq(activations.out)
            m.d.comb += columns.flags.eq(delay(m, sequencer.flags, latency, name="flags"))
            return
        m.submodules.taps = taps = Taps(config=config)
        m.submodules.ring = ring = RowRing(config=config)
        slot = sequencer.slot
        m.d.comb += [
            taps.slot.eq(slot),
            taps.outputs.eq(sequencer.outputs),
            taps.flags_i.eq(sequencer.flags),
            columns.flags.eq(delay(m, taps.flags, latency - Taps.latency, name="flags")),
            ring.valid.eq(sequencer.flags.valid & slot.fir),
            ring.row_last.eq(sequencer.outputs.row_last),
            array.line.eq(ring.line),
            array.fir.eq(taps.fir),
            array.act.eq(taps.act_o),
        ]
        m.d.comb += [taps.act_i[r].eq(activations.out[r]) for r in range(config.rows)]
        m.d.comb += [ring.code[c].eq(activations.out[c]) for c in range(config.cols)]

    def _tables(self, m: Module, sequencer: Sequencer, columns: Columns, writeback: Writeback) -> None:
        """The columns' codes to the write-back, through the tables if there are any; means go past them."""
        if not self.config.tables:
            m.d.comb += [
                getattr(writeback, name).eq(getattr(columns, name)) for name in ("codes", "valid", "last")
            ]
            return
        m.submodules.tables = tables = Tables(config=self.config)
        about = m.submodules.table = InFlight(width=len(tables.about.as_value()), depth=self.tails)
        load, record = self.load.stream, self.i.payload
        m.d.comb += [
            *(getattr(tables, name).eq(getattr(columns, name)) for name in ("codes", "valid", "last")),
            *(
                getattr(writeback, name).eq(getattr(tables, f"{name}_o"))
                for name in ("codes", "valid", "last")
            ),
            tables.write.eq(load.valid & load.ready & load.payload.table),
            tables.word.eq(load.payload),
            # Leaves before the instruction's tail, so there is room.
            about.put.eq(sequencer.popped),
            about.item.eq(Cat(record.table, record.slot)),
            about.take.eq(columns.last),
            tables.about.eq(about.o),
        ]

    def _loaded(self, m: Module, scratchpad: Scratchpad) -> None:
        """What LOAD makes, to the scratchpad; an entry of a table goes past it, in the same cycle."""
        load, word = self.load.stream, scratchpad.load.stream
        entry = load.payload.table if self.config.tables else Const(0)
        m.d.comb += [
            word.payload.addr.eq(load.payload.addr),
            word.payload.data.eq(load.payload.data),
            word.valid.eq(load.valid & ~entry),
            load.ready.eq(word.ready),
        ]

    def _tails(self, m: Module, sequencer: Sequencer, columns: Columns, writeback: Writeback) -> None:
        """Bounds and output addresses wait beside the pipeline for the pixels they belong to."""
        bounds = m.submodules.bounds = InFlight(width=len(sequencer.bounds.as_value()), depth=self.tails)
        tail = m.submodules.tail = InFlight(width=len(sequencer.tail.as_value()), depth=self.tails)
        m.d.comb += [
            sequencer.tail_room.eq(bounds.room & tail.room),
            bounds.put.eq(sequencer.popped),
            bounds.item.eq(sequencer.bounds),
            columns.bounds.eq(bounds.o),
            bounds.take.eq(columns.bounds_take),
            tail.put.eq(sequencer.popped),
            tail.item.eq(sequencer.tail),
            writeback.tail.eq(tail.o),
            tail.take.eq(writeback.tail_take),
        ]


def _narrow(code: Any, width: int) -> Any:
    """The low bits, the sign repeated where there are fewer."""
    bits = Value.cast(code)
    return bits[:width] if len(bits) >= width else Cat(bits, bits[-1].replicate(width - len(bits)))
