"""``SystolicArray``: rows x cols PEs, weight stationary."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from .config import FIR_COLUMNS, EngineConfig
from .delay import delay
from .pe import PE

__all__ = ["SystolicArray"]


class SystolicArray(Component):
    """psum[c](t + latency + c) = sum_r act[r](t) * tile[r][c]

    ``act`` enters unskewed; rows are delayed by one cycle each on the way in. Results leave skewed, column c
    ``c`` cycles after column 0, as they are needed. ``switch`` comes with the first activation that uses the
    next tile. Weight rows enter at the top, one a cycle, tagged ``row + 1`` (0: none); tags above ``rows`` come
    out at the bottom for the columns' parameters.

    A tile whose first row enters at cycle p may be switched to from p + rows + 1 on; the first row of the tile
    after it may enter one cycle before that switch. So tiles follow each other every ``rows`` cycles.

    With ``fir`` (depthwise, see ``Taps`` and ``RowRing``) bit 0 of act[r](t) is a mask, and in the first 3 * fir_lines
    rows psum[c](t + latency + c) = sum_r (line[r // 3][c](t + 1 + r) if act[r](t) else 0) * tile[r][c].

    Latency: rows + 5 cycles to column 0.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        self.latency = config.rows - 1 + PE.latency
        tag_width = (config.rows + config.param_rows).bit_length()
        codes = data.ArrayLayout(signed(config.act_width + 1), config.cols)
        fir = {"fir": In(1), "line": In(data.ArrayLayout(codes, config.fir_lines))}
        super().__init__(
            (fir if config.fir_lines else {})
            | {
                "act": In(data.ArrayLayout(signed(config.act_width + 1), config.rows)),
                "switch": In(1),
                "wgt": In(data.ArrayLayout(signed(config.wgt_width), config.cols)),
                "tag": In(tag_width),
                "psum": Out(data.ArrayLayout(signed(config.psum_width), config.cols)),
                "wgt_o": Out(data.ArrayLayout(signed(config.wgt_width), config.cols)),
                "tag_o": Out(data.ArrayLayout(tag_width, config.cols)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows, cols = self.config.rows, self.config.cols
        pes = [[PE(config=self.config, row=r) for _ in range(cols)] for r in range(rows)]
        switch: Any = self.switch
        tag: Any = self.tag
        for r in range(rows):
            first = pes[r][0]
            m.d.comb += first.act_i.eq(delay(m, _signal(m, self.act[r], f"act_{r}"), r, name=f"act_skew_{r}"))
            m.d.comb += first.switch_i.eq(switch)
            switch = delay(m, switch, 1, name=f"switch_skew_{r}")
        for c in range(cols):
            top, bottom = pes[0][c], pes[-1][c]
            m.d.comb += top.wgt_i.eq(delay(m, _signal(m, self.wgt[c], f"wgt_{c}"), c, name=f"wgt_skew_{c}"))
            m.d.comb += top.tag_i.eq(tag)
            tag = delay(m, tag, 1, name=f"tag_skew_{c}")
            m.d.comb += [
                self.psum[c].eq(bottom.psum_o),
                self.wgt_o[c].eq(bottom.wgt_o),
                self.tag_o[c].eq(bottom.tag_o),
            ]
        self._lines(m, pes)
        for r in range(rows):
            for c in range(cols):
                m.submodules[f"pe_{r}_{c}"] = pe = pes[r][c]
                if c:
                    left = pes[r][c - 1]
                    m.d.comb += [pe.act_i.eq(left.act_o), pe.switch_i.eq(left.switch_o)]
                    if pe.taps:
                        m.d.comb += pe.fir_i.eq(left.fir_o)
                if r:
                    above = pes[r - 1][c]
                    m.d.comb += [
                        pe.wgt_i.eq(above.wgt_o),
                        pe.tag_i.eq(above.tag_o),
                        pe.psum_i.eq(above.psum_o),
                    ]
        return m

    def _lines(self, m: Module, pes: list[list[PE]]) -> None:
        """A column's code of each line goes to the three rows of a kernel row, ``fir`` to the first column's PEs."""
        if not self.config.fir_lines:
            return
        fir: Any = self.fir
        for r, row in enumerate(pes[: FIR_COLUMNS * self.config.fir_lines]):
            m.d.comb += row[0].fir_i.eq(fir)
            fir = delay(m, fir, 1, name=f"fir_skew_{r}")
        for line in range(self.config.fir_lines):
            for c in range(self.config.cols):
                code = _signal(m, self.line[line][c], f"line_{line}_{c}")
                code = delay(m, code, c, name=f"line_skew_{line}_{c}")
                for r in range(line * FIR_COLUMNS, (line + 1) * FIR_COLUMNS):
                    m.d.comb += pes[r][c].line.eq(code)


def _signal(m: Module, value: Any, name: str) -> Signal:
    result = Signal.like(value, name=name)
    m.d.comb += result.eq(value)
    return result
