"""``SerialWeights``: the weight stream of an engine that does one thing after the other."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .block_memory import BlockMemory
from .config import EngineConfig
from .isa import MAGIC

__all__ = ["SerialWeights"]

_HEADER = 4
"""Bytes of a segment's header: magic, width and number of rows."""


class SerialWeights(Component):
    """segment: header, then params[c] = bytes c of param_rows rows;  tile: tile[r][c] for the next rows rows

    A byte of the stream is a plane: bit c for column c. Planes are shifted into a byte a column, the sign after them.

    Latency: of a segment 8 + param_rows * 17 cycles and 1 + param_rows times the memory's, of a tile rows * 10 and rows
    times the memory's (``sw.cycle_model.serial``).

    Parameters
    ----------
    config : the engine.

    Members
    -------
    segment, tile : one cycle, to begin; ``done`` : one cycle, in the end.
    ask, count, valid, data : of the ``ByteReader``.
    row : of the tile; ``weights`` are its, a cycle later. column : of the parameters, likewise.
    error : the stream is out of step: a header without its magic, or a width outside of 2..wgt_width; stays until
        reset, and there is no ``done``.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "segment": In(1),
                "tile": In(1),
                "done": Out(1),
                "error": Out(1),
                "ask": Out(1),
                "count": Out(4),
                "valid": In(1),
                "data": In(8),
                "row": In(range(config.rows)),
                "weights": Out(data.ArrayLayout(signed(config.wgt_width), config.cols)),
                "column": In(range(config.cols)),
                "bias": Out(signed(config.acc_width)),
                "shift": Out(config.shift_width),
                "res_shift": Out(config.res_shift_width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, cols = self.config, self.config.cols
        width, plane, row = Signal(range(config.wgt_width + 1)), Signal(range(8)), Signal(range(16))
        of_params, column = Signal(), Signal(range(cols))
        values = [Signal(config.wgt_width, name=f"value_{c}", reset_less=True) for c in range(cols)]
        planes, shift, rotate, save = Signal(range(9)), Signal(), Signal(), Signal()
        m.d.comb += [planes.eq(Mux(of_params, config.wgt_width, width)), self.count.eq(planes)]
        for c, value in enumerate(values):
            bit = Mux(plane < planes, self.data[c], value[-1])
            with m.If(shift):
                m.d.sync += value.eq(Cat(value[1:], bit))
            with m.Elif(rotate):
                m.d.sync += value.eq(values[(c + 1) % cols])
        self._memories(m, Cat(values), row, column, save & ~of_params, rotate)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [row.eq(0), plane.eq(0), column.eq(0)]
                with m.If(self.segment):
                    m.d.comb += [self.ask.eq(1), self.count.eq(_HEADER)]
                    m.next = "HEADER"
                with m.If(self.tile):
                    m.d.sync += of_params.eq(0)
                    m.next = "ASK"
            with m.State("HEADER"):
                with m.If(self.valid):
                    m.d.sync += plane.eq(plane + 1)
                    wrong = Mux(plane == 0, self.data != MAGIC, (plane == 1) & _bad(self.data[:5], config))
                    m.d.sync += self.error.eq(self.error | wrong)
                    with m.If(plane == 1):
                        m.d.sync += width.eq(self.data[:5])
                    with m.If((plane == _HEADER - 1) & ~self.error):
                        m.d.sync += of_params.eq(1)
                        m.next = "ASK"
            with m.State("ASK"):
                m.d.comb += self.ask.eq(1)
                m.d.sync += plane.eq(0)
                m.next = "PLANES"
            with m.State("PLANES"):
                m.d.comb += shift.eq(self.valid | (plane >= planes))
                with m.If(shift):
                    m.d.sync += plane.eq(plane + 1)
                    with m.If(plane == config.wgt_width - 1):
                        m.next = "SAVE"
            with m.State("SAVE"):
                m.d.comb += [save.eq(1), rotate.eq(of_params)]
                m.d.sync += column.eq(column + of_params)
                with m.If(~of_params | (column == cols - 1)):
                    m.d.sync += row.eq(row + 1)
                    m.next = "ASK"
                    with m.If(row == Mux(of_params, config.param_rows - 1, config.rows - 1)):
                        m.d.comb += self.done.eq(1)
                        m.next = "IDLE"
        return m

    def _memories(self, m: Module, row: Any, index: Signal, column: Signal, tile: Any, param: Any) -> None:
        """A row of the tile is a word; a column's parameters are one, written byte by byte."""
        config, width = self.config, self.config.wgt_width
        m.submodules.tile_rows = tile_rows = BlockMemory(width=config.cols * width, depth=config.rows)
        m.d.comb += [tile_rows.waddr.eq(index), tile_rows.wdata.eq(row), tile_rows.wen.eq(tile)]
        m.d.comb += [tile_rows.raddr.eq(self.row), self.weights.eq(tile_rows.rdata)]
        found = []
        for i in range(config.param_rows):
            m.submodules[f"params_{i}"] = params = BlockMemory(width=width, depth=config.cols)
            m.d.comb += [
                params.waddr.eq(column),
                params.wdata.eq(row[:width]),
                params.wen.eq(param & (index == i)),
            ]
            m.d.comb += params.raddr.eq(self.column)
            found.append(params.rdata)
        block, shift_at = Cat(found), config.acc_width
        res_at = shift_at + config.shift_width
        m.d.comb += [
            self.bias.eq(block[:shift_at]),
            self.shift.eq(block[shift_at:res_at]),
            self.res_shift.eq(block[res_at : res_at + config.res_shift_width]),
        ]


def _bad(width: Any, config: EngineConfig) -> Any:
    return (width < 2) | (width > config.wgt_width)
