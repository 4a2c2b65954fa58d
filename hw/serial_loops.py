"""``SerialLoops``: where a COMPUTE is, pass by pass and pixel by pixel."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from .config import EngineConfig
from .interfaces import record_layout
from .isa import COMPUTE
from .loop_nest import LOOPS

__all__ = ["SerialLoops"]


class SerialLoops(Component):
    """for kb in 0..kb_last: for ky in 0..ky_last: for kx in 0..kx_last: for oy, ox, wy, wx in 0..*_last: a pixel

    ``start``: the first pass; ``next_pass``: the next one; ``enter``: its first pixel; ``next_pixel``: the next one.
    Positions and flags are those of the pixel at hand, from the cycle after on.

    Parameters
    ----------
    config : the engine.

    Members
    -------
    record : the COMPUTE.
    first_pass, last_pass : of the pass. last : its last pixel. inside : the pixel lies in the map. window_first,
    window_last : wx and wy are at their start, their end. addr, res : words of pixel and residual. number : its
    accumulator.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {"record": In(record_layout(COMPUTE, config))}
            | {name: In(1) for name in ("start", "next_pass", "enter", "next_pixel")}
            | {
                name: Out(1)
                for name in ("first_pass", "last_pass", "last", "inside", "window_first", "window_last")
            }
            | {
                "addr": Out(config.addr_width),
                "res": Out(config.addr_width),
                "number": Out(range(config.acc_depth)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, f = self.config, self.record
        self._x, self._y = (Signal(signed(config.coord_width), name=f"pass_{n}") for n in "xy")
        self._addr = Signal(config.addr_width, name="pass_addr")
        self._passes(m)
        self._pixels(m)
        x, y = (Signal(signed(config.coord_width), name=n) for n in "xy")
        m.d.comb += self.inside.eq((x.as_unsigned() < f.in_width) & (y.as_unsigned() < f.in_height))
        for position, first, step in (
            (x, self._x, "x_step"),
            (y, self._y, "y_step"),
            (self.addr, self._addr, "addr_step"),
            (self.res, f.res_base, "res_step"),
        ):
            amount: Any = f[f"{step}_{LOOPS[-1]}"]
            for i, loop in reversed(list(enumerate(LOOPS[:-1]))):
                amount = Mux(self._ended[i], amount, f[f"{step}_{loop}"])
            with m.If(self.enter):
                m.d.sync += position.eq(first)
            with m.Elif(self.next_pixel):
                m.d.sync += position.eq(position + amount)
        return m

    def _passes(self, m: Module) -> None:
        f = self.record
        kx, ky, kb = Signal(4), Signal(4), Signal.like(f.kb_last)  # left
        base = Signal(self.config.addr_width)
        m.d.comb += self.last_pass.eq((kx == 0) & (ky == 0) & (kb == 0))
        with m.If(self.start):
            m.d.sync += [kx.eq(f.kx_last), ky.eq(f.ky_last), kb.eq(f.kb_last), self.first_pass.eq(1)]
            m.d.sync += [self._x.eq(f.x0), self._y.eq(f.y0), self._addr.eq(f.in_base), base.eq(f.in_base)]
        with m.If(self.next_pass):
            m.d.sync += self.first_pass.eq(0)
            with m.If(kx != 0):
                m.d.sync += [kx.eq(kx - 1), self._x.eq(self._x + f.kx_x_step)]
                m.d.sync += self._addr.eq(self._addr + f.kx_addr_step)
            with m.Elif(ky != 0):
                m.d.sync += [kx.eq(f.kx_last), ky.eq(ky - 1), self._x.eq(f.x0)]
                m.d.sync += [self._y.eq(self._y + f.ky_y_step), self._addr.eq(self._addr + f.ky_addr_step)]
            with m.Else():
                m.d.sync += [kx.eq(f.kx_last), ky.eq(f.ky_last), kb.eq(kb - 1)]
                m.d.sync += [self._x.eq(f.x0), self._y.eq(f.y0)]
                m.d.sync += [self._addr.eq(base + f.in_block_step), base.eq(base + f.in_block_step)]

    def _pixels(self, m: Module) -> None:
        """Turns of each loop; ``_ended``: it is at its end."""
        counts = [Signal(self.config.coord_width - 1, name=f"{loop}_count") for loop in LOOPS]
        self._ended = Signal(len(LOOPS))
        m.d.comb += [
            self._ended.eq(
                Cat(n == self.record[f"{loop}_last"] for n, loop in zip(counts, LOOPS, strict=True))
            ),
            self.last.eq(self._ended.all()),
            self.window_first.eq((counts[0] == 0) & (counts[1] == 0)),
            self.window_last.eq(self._ended[:2].all()),
        ]
        with m.If(self.enter):
            m.d.sync += [*(n.eq(0) for n in counts), self.number.eq(0)]
        with m.Elif(self.next_pixel):
            m.d.sync += self.number.eq(self.number + 1)
            for i, n in enumerate(counts):
                with m.If(self._ended[:i].all()):
                    m.d.sync += n.eq(Mux(self._ended[i], 0, n + 1))
