"""``Ice40``: multipliers as primitives of Lattice's iCE40 UltraPlus, queues in its block RAM, which is inferred."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, signed

from .block_queue import block_queue, small_queue

if TYPE_CHECKING:
    from .block_fifo import BlockFifo
    from .byte_memory import ByteMemory
    from .multiplier import Multiplier
    from .small_fifo import SmallFifo

__all__ = ["Ice40"]

_BITS = 16
_REGISTERS = ("A_REG", "B_REG", "TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG", "PIPELINE_16x16_MULT_REG1",
              "PIPELINE_16x16_MULT_REG2")  # fmt: skip
_FEWEST = 8
"""Items for which a queue takes a block RAM."""

_SPRAM = 1 << 15
"""Bytes of a large RAM."""

_PRODUCT = 3
"""Both halves of the output are the product's, after its last register."""


class Ice40:
    """The iCE40 UltraPlus family as the ``platform`` of ``elaborate``; to be mixed into a board's platform, too.

    ``Memory1R1W`` stays generic: the block RAM (256x16) has no output register, and the large RAM (SB_SPRAM256KA) has a
    single port, where it reads and writes in one cycle. ``ByteMemory`` is made of large RAMs.
    """

    family = "ice40"

    def lower_small_fifo(self, fifo: SmallFifo) -> Module | None:
        """There is no distributed RAM; a few items are registers, more of them lie in a block RAM."""
        return small_queue(fifo) if fifo.depth >= _FEWEST else None

    def lower_block_fifo(self, fifo: BlockFifo) -> Module:
        """One RAM, without a queue behind it."""
        return block_queue(fifo)

    def lower_byte_memory(self, memory: ByteMemory) -> Module:
        """SB_SPRAM256KA, 16,384 words of two bytes each. Raises ValueError for contents, which they cannot have."""
        if memory.init:
            raise ValueError(
                "memory of this device cannot have contents when it is configured; leave the program out, it comes "
                "over the link (driver.load)"
            )
        m = Module()
        parts = -(-memory.depth // _SPRAM)
        part, high, found = Signal(range(parts + 1)), Signal(), []
        number = memory.addr[_SPRAM.bit_length() - 1 :]
        with m.If(memory.en & ~memory.wen):
            m.d.sync += [part.eq(number), high.eq(memory.addr[0])]
        for i in range(parts):
            word = Signal(_BITS, name=f"word_{i}")
            m.submodules[f"spram_{i}"] = Instance(
                "SB_SPRAM256KA",
                i_CLOCK=ClockSignal(),
                i_ADDRESS=Cat(memory.addr, Const(0, _BITS))[1 : _SPRAM.bit_length() - 1],
                i_DATAIN=Cat(memory.wdata, memory.wdata),
                i_MASKWREN=Cat((~memory.addr[0]).replicate(2), memory.addr[0].replicate(2)),
                i_WREN=memory.wen,
                i_CHIPSELECT=memory.en & (number == i),
                i_STANDBY=Const(0),
                i_SLEEP=Const(0),
                i_POWEROFF=Const(1),
                o_DATAOUT=word,
            )
            found.append(word)
        with m.Switch(part):
            for i, word in enumerate(found):
                with m.Case(i):
                    m.d.comb += memory.rdata.eq(Mux(high, word[8:], word[:8]))
        return m

    def lower_multiplier(self, multiplier: Multiplier) -> Module | None:
        """One SB_MAC16; operands of up to 16 bits."""
        if max(len(multiplier.a), len(multiplier.b)) > _BITS:
            return None
        m = Module()
        a, b = Signal(signed(_BITS)), Signal(signed(_BITS))
        product = Signal(2 * _BITS)
        m.d.comb += [a.eq(multiplier.a), b.eq(multiplier.b), multiplier.p.eq(product)]
        idle = ("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT",
                "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN")  # fmt: skip
        m.submodules.dsp = Instance(
            "SB_MAC16",
            **{f"p_{name}": Const(1) for name in (*_REGISTERS, "A_SIGNED", "B_SIGNED")},
            p_TOPOUTPUT_SELECT=Const(_PRODUCT, 2),
            p_BOTOUTPUT_SELECT=Const(_PRODUCT, 2),
            **{f"i_{name}": Const(0) for name in idle},
            i_CLK=ClockSignal(),
            i_CE=Const(1),
            i_A=a,
            i_B=b,
            i_C=Const(0, _BITS),
            i_D=Const(0, _BITS),
            o_O=product,
        )
        return m
