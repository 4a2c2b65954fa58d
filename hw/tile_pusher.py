"""``TilePusher``: weight rows from the stream into the array, a tile ahead of the pixels."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from .block_fifo import BlockFifo
from .config import EngineConfig
from .delay import delay
from .diagonal_tile import DiagonalTile
from .interfaces import RowStream

__all__ = ["TilePusher"]


class TilePusher(Component):
    """for each block of the stream (param_rows parameter rows or a tile of rows rows): tag 1, 2, ... with each row

    A block is pushed without gaps, once it is whole in the row memory: a tile as soon as the tile before it has been
    switched to (``entered_tile``), parameters as soon as the instruction before has taken its own
    (``entered_instr``). Both announce themselves in time for the sequencer to start at the earliest cycle that
    is correct (``tile_ready``, ``param_ready``); see SystolicArray for the bound.

    The tiles of a product come from a vector (``DiagonalTile``) that is there once its parameters have been pushed.
    They go before all that is in the row memory; those of the product before have been pushed by then.

    Latency: entered_tile at s + 1, the first pixel of a pass that started at s (later if a bank conflict holds it
    back): the next tile's first row is on ``wgt`` at s + 6, tile_ready is counted at s + 6 + max(0, rows - 6). So
    short passes follow each other every max(rows, 6) cycles.
    """

    switch_delay = 4
    """Cycles from entered_tile to the push of the next tile's first row."""

    param_delay = 12
    """Cycles from entered_instr, when column 0 has its parameters, to the push of the next ones."""

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        least = 4 * config.rows + 2 * config.param_rows
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
        m.submodules.fifo = fifo = BlockFifo(width=config.cols * config.wgt_width + 1, depth=self.depth)
        row = fifo.o.payload
        m.d.comb += [
            fifo.i.payload.eq(self.i.stream.payload),
            fifo.i.valid.eq(self.i.stream.valid),
            self.i.stream.ready.eq(fifo.i.ready),
        ]
        # A decision in two steps: whether either kind of block may begin, and which kind comes.
        begin_tile, begin_params, begin, pushing = Signal(), Signal(), Signal(), Signal()
        busy, still_busy, last, param = Signal(), Signal(), Signal(), Signal()
        begin_own, own, will = Signal(), Signal(), Signal()  # a tile of the vector
        index = Signal(range(max(rows, config.param_rows) + 1))
        m.d.comb += [
            param.eq(row[-1] & ~own),
            begin.eq(Mux(row[-1], begin_params, begin_tile)),
            pushing.eq(begin | begin_own | busy),
            last.eq(index == Mux(param, config.param_rows - 1, rows - 1)),
            still_busy.eq(pushing & ~last),
            fifo.o.ready.eq(pushing & ~own),
            self.tile_ready.eq(pushing & ~param & (index == max(0, rows - 6))),
            self.param_ready.eq(pushing & param & last),
        ]
        m.d.sync += [busy.eq(still_busy), self.tag.eq(0), self.wgt.eq(row[:-1])]
        with m.If(pushing):
            m.d.sync += [self.tag.eq(Mux(param, rows + 1, 1) + index), index.eq(Mux(last, 0, index + 1))]
        whole = self._whole_blocks(m, fifo, begin)
        shadow_free = self._credit(
            m, self.entered_tile, self.switch_delay, begin_own | (begin & ~row[-1]), "shadow"
        )
        params_free = self._credit(m, self.entered_instr, self.param_delay, begin & row[-1], "params")
        if config.products:
            self._own(m, begin_own, own, will, still_busy, shadow_free)
        next_block = ~still_busy & whole & ~will
        m.d.sync += [begin_tile.eq(next_block & shadow_free), begin_params.eq(next_block & params_free)]
        return m

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
        with m.If(own):
            m.d.sync += self.wgt.eq(diagonal.row)

    def _whole_blocks(self, m: Module, fifo: BlockFifo, begin: Signal) -> Signal:
        """Will a whole block be in the row memory, all of its rows so far that they leave it without gaps?"""
        config = self.config
        index = Signal(range(max(config.rows, config.param_rows) + 1))
        written, last = Signal(), Signal()
        m.d.comb += [
            written.eq(fifo.i.valid & fifo.i.ready),
            last.eq(index == Mux(self.i.stream.payload.param, config.param_rows - 1, config.rows - 1)),
        ]
        with m.If(written):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
        arrived = delay(m, written & last, fifo.latency - 1, name="arrived")
        blocks, some, will = Signal(range(self.depth + 18)), Signal(), Signal()
        m.d.sync += [blocks.eq(blocks + arrived - begin), some.eq(will)]
        m.d.comb += will.eq(arrived | Mux(begin, blocks[1:].any(), some))
        return will

    def _credit(self, m: Module, returned: Signal, cycles: int, taken: Any, name: str) -> Signal:
        """One credit, back ``cycles`` cycles after ``returned``: will it be there?"""
        free, will = Signal(init=1, name=f"{name}_free"), Signal(name=f"{name}_will_be_free")
        m.d.comb += will.eq(delay(m, returned, cycles - 1, name=f"{name}_returned") | (free & ~taken))
        m.d.sync += free.eq(will)
        return will
