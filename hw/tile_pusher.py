"""``TilePusher``: weight rows from the stream into the array, a tile ahead of the pixels."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .delay import delay
from .diagonal_tile import DiagonalTile
from .in_flight import InFlight
from .interfaces import RowStream
from .memory import Memory1R1W

__all__ = ["TilePusher"]


class TilePusher(Component):
    """for each block of the stream (param_rows parameter rows or a tile of rows rows): tag 1, 2, ... with each row

    A block is pushed without gaps, once it is whole in the row memory: a tile as soon as the tile before it has been
    switched to (``entered_tile``), parameters as soon as the instruction before has taken its own
    (``entered_instr``). Both announce themselves in time for the sequencer to start at the earliest cycle that
    is correct (``tile_ready``, ``param_ready``); see SystolicArray for the bound.

    The tiles of a product come from a vector (``DiagonalTile``) that is there once its parameters have been pushed.
    They go before all that is in the row memory; those of the product before have been pushed by then.

    Latency: entered_tile at s + 2, where the first pixel of a pass that started at s is read (later if a bank conflict
    holds it back): the next tile's first row is on ``wgt`` at s + 7, tile_ready is high at s + 6 + max(0, rows - 7).
    So short passes follow each other every max(rows, 7) cycles; all a cycle less without ``bank_stages``.
    """

    push_latency = 1 + Memory1R1W.latency
    """Cycles from a push to ``wgt``."""

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self.switch_delay = config.operand_latency - 4
        """Cycles from entered_tile to the push of the next tile's first row."""
        self.param_delay = config.operand_latency + 4
        """Cycles from entered_instr, when column 0 has its parameters, to the push of the next ones."""
        self.early = max(0, config.rows - config.operand_latency - 1)
        """The row of a tile with whose push it is announced."""
        least = 4 * config.rows + 2 * config.param_rows + 16
        self.depth = max(64, 1 << (least - 1).bit_length())
        super().__init__(
            {
                "i": In(RowStream(config)),
                "entered_tile": In(1),
                "entered_instr": In(1),
                "tile_ready": Out(1),
                "param_ready": Out(1),
                "vector": In(config.cols * config.wgt_width),
                "vector_valid": In(1),
                "wgt": Out(config.cols * config.wgt_width),
                "tag": Out((config.rows + config.param_rows).bit_length()),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, rows = self.config, self.config.rows
        self._arrives = Signal(name="arrives")  # the last row of a block
        # A decision in two steps: whether either kind of block may begin, and which kind comes.
        begin_tile, begin_params, begin, pushing = Signal(), Signal(), Signal(), Signal()
        busy, still_busy, last, param, of_params = Signal(), Signal(), Signal(), Signal(), Signal()
        begin_own, own, will = Signal(), Signal(), Signal()  # a tile of the vector
        index = Signal(range(max(rows, config.param_rows) + 1))
        kind, row = self._rows(m, pushing & ~own, begin)
        m.d.comb += [
            param.eq(Mux(busy, of_params, kind & ~begin_own)),
            begin.eq(Mux(kind, begin_params, begin_tile)),
            pushing.eq(begin | begin_own | busy),
            last.eq(index == Mux(param, config.param_rows - 1, rows - 1)),
            still_busy.eq(pushing & ~last),
        ]
        m.d.sync += [
            busy.eq(still_busy),
            of_params.eq(param),
            self.tile_ready.eq(pushing & ~param & (index == self.early)),
            self.param_ready.eq(pushing & param & last),
        ]
        with m.If(pushing):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
        self._output(m, pushing, param, index, row)
        whole = self._whole_blocks(m, begin)
        shadow_free = self._credit(
            m, self.entered_tile, self.switch_delay, begin_own | (begin & ~kind), "shadow"
        )
        params_free = self._credit(m, self.entered_instr, self.param_delay, begin & kind, "params")
        if config.products:
            self._own(m, begin_own, own, will, still_busy, shadow_free)
        # A block of one row is over before the kind of the next one is known.
        next_block = ~still_busy & whole & ~will
        if rows == 1:
            next_block &= ~(begin | begin_own)
        m.d.sync += [begin_tile.eq(next_block & shadow_free), begin_params.eq(next_block & params_free)]
        return m

    def _rows(self, m: Module, push: Any, begin: Signal) -> tuple[Signal, Signal]:
        """The row memory: the kind of the next block; of the row pushed now, what it holds ``latency`` cycles later."""
        config, given = self.config, self.i.stream
        m.submodules.memory = memory = Memory1R1W(width=config.cols * config.wgt_width, depth=self.depth)
        blocks = -(-self.depth // min(config.rows, config.param_rows))
        m.submodules.kinds = kinds = InFlight(width=1, depth=max(2, 1 << (blocks - 1).bit_length()))
        stored, last = Signal(range(self.depth + 1)), Signal(name="last_written")
        index = Signal(range(max(config.rows, config.param_rows) + 1), name="written_index")
        put = Signal(name="put")
        m.d.comb += [
            given.ready.eq(~stored[-1]),
            put.eq(given.valid & given.ready),
            last.eq(index == Mux(given.payload.param, config.param_rows - 1, config.rows - 1)),
            memory.wen.eq(put),
            memory.wdata.eq(given.payload.data),
            kinds.item.eq(given.payload.param),
            kinds.put.eq(put & last),
            kinds.take.eq(begin),
            self._arrives.eq(put & last),
        ]
        m.d.sync += stored.eq(stored + put - push)
        with m.If(put):
            m.d.sync += [memory.waddr.eq(memory.waddr + 1), index.eq(Mux(last, 0, index + 1))]
        with m.If(push):
            m.d.sync += memory.raddr.eq(memory.raddr + 1)
        return delay(m, kinds.o, 1, name="kind"), memory.rdata

    def _output(self, m: Module, pushing: Any, param: Any, index: Any, row: Any) -> None:
        """Rows of the memory, ``push_latency`` cycles after their push."""
        tag = Signal.like(self.tag, name="tag_pushed")
        m.d.sync += [tag.eq(0), self.wgt.eq(row)]
        with m.If(pushing):
            m.d.sync += tag.eq(Mux(param, self.config.rows + 1, 1) + index)
        m.d.comb += self.tag.eq(delay(m, tag, self.push_latency - 1, name="tag"))

    def _own(
        self, m: Module, begin: Signal, own: Signal, will: Signal, still_busy: Signal, free: Signal
    ) -> None:
        """Tiles of the vector, before all that is in the row memory."""
        m.submodules.diagonal = diagonal = DiagonalTile(config=self.config)
        busy = Signal(name="own_busy")
        m.d.comb += [
            own.eq(begin | busy),
            will.eq(diagonal.will),
            diagonal.valid.eq(self.vector_valid),
            diagonal.vector.eq(self.vector),
            diagonal.begin.eq(begin),
            diagonal.advance.eq(own),
        ]
        m.d.sync += [busy.eq(own & still_busy), begin.eq(~still_busy & will & free)]
        row = delay(m, diagonal.row, Memory1R1W.latency, name="diagonal_row")
        with m.If(delay(m, own, Memory1R1W.latency, name="own")):
            m.d.sync += self.wgt.eq(row)

    def _whole_blocks(self, m: Module, begin: Signal) -> Signal:
        """Will a whole block be in the row memory?"""
        arrived = delay(m, self._arrives, 1, name="arrived")
        blocks, some, will = Signal(range(self.depth + 2)), Signal(), Signal()
        m.d.sync += [blocks.eq(blocks + arrived - begin), some.eq(will)]
        m.d.comb += will.eq(arrived | Mux(begin, blocks[1:].any(), some))
        return will

    def _credit(self, m: Module, returned: Signal, cycles: int, taken: Any, name: str) -> Signal:
        """One credit, back ``cycles`` cycles after ``returned``: will it be there?"""
        free, will = Signal(init=1, name=f"{name}_free"), Signal(name=f"{name}_will_be_free")
        m.d.comb += will.eq(delay(m, returned, cycles - 1, name=f"{name}_returned") | (free & ~taken))
        m.d.sync += free.eq(will)
        return will
