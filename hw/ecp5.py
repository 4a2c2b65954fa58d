"""``Ecp5``: the engine's memories and multipliers as primitives of Lattice's ECP5."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, ResetSignal, Signal

from .delay import delay
from .ecp5_multiplier import logic_multiplier
from .replicas import replicas

if TYPE_CHECKING:
    from .memory import Memory1R1W
    from .multiplier import Multiplier

__all__ = ["Ecp5", "block_contents", "block_geometry"]

_GEOMETRIES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Words and bits of a DP16KD, the widest first."""

_ADDRESS = 14
_HALF = 18
_NINE = 9
_LINE = 32
_TOGETHER = 2
"""Block RAMs behind one address register."""


def block_geometry(*, width: int, depth: int) -> tuple[int, int, int] | None:
    """(block RAMs, words of each, bits of each) of a memory, or None if no block is that deep."""
    for words, bits in _GEOMETRIES:
        if depth <= words:
            return ceil(width / bits), words, bits
    return None


def block_contents(*, width: int, depth: int, init: Sequence[int]) -> list[list[int]]:
    """What each block RAM of a memory holds after configuration, as 2048 numbers of 9 bits, the way ecppack has them.

    number[word * bits / 9] = 9 bits of a word, the lowest first; narrow words share the lower 8 bits of a number.
    Raises ValueError for a memory that no blocks hold.
    """
    geometry = block_geometry(width=width, depth=depth)
    if geometry is None:
        raise ValueError(f"depth must be at most {_GEOMETRIES[-1][0]} for block RAM, not {depth}")
    count, _, bits = geometry
    blocks = [[0] * (1 << _ADDRESS + 1 - 4) for _ in range(count)]
    numbers, shared = max(bits // _NINE, 1), max((_NINE - 1) // bits, 1)
    for block, values in enumerate(blocks):
        for word, whole in enumerate(init):
            part = whole >> block * bits & (1 << bits) - 1
            for i in range(numbers):
                piece = part >> i * _NINE & (1 << _NINE) - 1
                values[word * numbers // shared + i] |= piece << word % shared * bits
    return blocks


class Ecp5:
    """The ECP5 family as the ``platform`` of ``elaborate``; to be mixed into a board's platform, too.

    Methods answer None where the family has nothing better than the generic description.
    """

    family = "ecp5"
    distributed_words = 16
    """Of a TRELLIS_DPR16X4."""
    multipliers: int | None = None
    """DSPs that there are; multipliers beyond become carry chains (``ecp5_multiplier``). None: no limit."""

    def lower_memory(self, memory: Memory1R1W) -> Module | None:
        """Slices of block RAM, each with its output register: clock to data falls from 5.8 to about 1 ns.

        ``stages``: two block RAMs share an address register, which yosys keeps.
        """
        geometry = block_geometry(width=memory.width, depth=memory.depth)
        if geometry is None:
            return None
        count, words, bits = geometry
        m = Module()
        contents = (
            block_contents(width=memory.width, depth=memory.depth, init=memory.init) if memory.init else None
        )
        wdata = delay(m, memory.wdata, memory.stages, name="wdata")
        asked = [Cat(memory.raddr, memory.waddr, memory.wen)] * ceil(count / _TOGETHER)
        if memory.stages:
            asked = list(replicas(m, asked[0], len(asked), self, name="asked"))
        for i in range(count):
            part = slice(i * bits, min((i + 1) * bits, memory.width))
            data = Signal(bits, name=f"data_{i}")
            m.d.comb += memory.rdata[part].eq(data)
            m.submodules[f"block_{i}"] = _block(
                asked[i // _TOGETHER], words, bits, wdata[part], data, contents[i] if contents else []
            )
        return m

    def lower_register(self, value: Any, copy: Any, enable: Any, init: int) -> Instance:
        """One flip-flop that yosys does not merge with others of the same value."""
        return Instance(
            "TRELLIS_FF",
            p_GSR="DISABLED",
            p_CEMUX="CE",
            p_CLKMUX="CLK",
            p_LSRMUX="LSR",
            p_REGSET="SET" if init else "RESET",
            p_SRMODE="LSR_OVER_CE",
            i_CLK=ClockSignal(),
            i_LSR=ResetSignal(),
            i_CE=enable,
            i_DI=value,
            o_Q=copy,
        )

    def lower_reset(self, reset: Any, everywhere: Any) -> Instance:
        """The reset in a clock network: thousands of registers listen to it, and fabric is for what moves."""
        return Instance("DCCA", i_CLKI=reset, i_CE=Const(1), o_CLKO=everywhere)

    def lower_multiplier(self, multiplier: Multiplier) -> Module | None:
        """One MULT18X18D; operands of up to 18 bits, as far as there are DSPs.

        They stand in the high bits: zeros below are settings of the DSP, signs above would be wires, 19 of them for a
        product of 9 and 8 bits, where wires are fewest. What nextpnr has no settings for comes from two look-up tables
        beside each DSP: constants of its own would reach all of them from one place, across the device.
        """
        if max(len(multiplier.a), len(multiplier.b)) > _HALF:
            return None
        self.built = getattr(self, "built", 0) + 1
        if self.multipliers is not None and self.built > self.multipliers:
            m, product = logic_multiplier(multiplier.a, multiplier.b)
            m.d.comb += multiplier.p.eq(product)
            return m
        m = Module()
        zero, one = (_constant(m, name, value) for name, value in (("zero", 0), ("one", 0xFFFF)))
        a, b = (Cat(Const(0, _HALF - len(value)), value) for value in (multiplier.a, multiplier.b))
        p = Signal(2 * _HALF)
        m.d.comb += multiplier.p.eq(p[len(p) - len(multiplier.p) :])
        registers = {f"p_REG_{name}_CLK": "CLK0" for name in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")}
        m.submodules.dsp = Instance(
            "MULT18X18D",
            **registers,
            p_GSR="DISABLED",
            i_CLK0=ClockSignal(),
            i_CE0=one,
            i_RST0=zero,
            i_SIGNEDA=one,
            i_SIGNEDB=one,
            i_SOURCEA=zero,
            i_SOURCEB=zero,
            **_pins("i_A", a),
            **_pins("i_B", b),
            **_pins("i_C", Const(0, _HALF)),
            **_pins("o_P", p),
        )
        return m


def _constant(m: Module, name: str, table: int) -> Signal:
    """The output of a look-up table that ends where it starts: yosys merges constants, not these."""
    value = Signal(name=name)
    inputs = {f"i_{pin}": Const(0) for pin in "ABCD"}
    m.submodules[name] = Instance("LUT4", p_INIT=Const(table, 16), **inputs, o_Z=value)
    return value


def _pins(prefix: str, value: Any) -> dict[str, Any]:
    return {f"{prefix}{i}": value[i] for i in range(len(value))}


def _initial(values: Sequence[int]) -> dict[str, Const]:
    """A block's contents as parameters: 16 words of 18 bits each, on 20 bits."""
    pairs = [low | high << _NINE for low, high in zip(values[::2], values[1::2], strict=True)]
    lines = [pairs[i : i + _LINE // 2] for i in range(0, len(pairs), _LINE // 2)]
    return {
        f"p_INITVAL_{number:02X}": Const(sum(pair << 20 * i for i, pair in enumerate(line)), 20 * len(line))
        for number, line in enumerate(lines)
    }


def _block(asked: Any, words: int, bits: int, wdata: Any, rdata: Signal, contents: Sequence[int]) -> Instance:
    """One DP16KD: writes on port A, reads on port B; at 36 bits each port lends its data pins to the other.

    Addresses end at pin 13; in words of 18 and 36 bits pins 0 up enable the bytes of a write. At 36 bits
    the write enable is fixed and the byte enables gate.
    """
    width = len(asked) // 2
    given_raddr, given_waddr, wen = asked[:width], asked[width : 2 * width], asked[-1]
    low = _ADDRESS - (words - 1).bit_length()
    spare = _ADDRESS - low - width
    wide = bits == 2 * _HALF
    enables = wen.replicate(4) if wide else Const(0b11, 2)
    bytes_ = Cat(enables, Const(0, low))[:low]
    waddr = Cat(bytes_, given_waddr, Const(0, spare))
    raddr = Cat(Const(0, low), given_raddr, Const(0, spare))
    written = Cat(wdata, Const(0, 2 * _HALF))[: 2 * _HALF]
    ports = {
        **_pins("i_ADA", waddr),
        **_pins("i_ADB", raddr),
        **_pins("i_DIA", written[:_HALF]),
        **_pins("i_DIB", written[_HALF:]),
        **_pins("o_DOA" if wide else "o_DOB", rdata[:_HALF]),
        **(_pins("o_DOB", rdata[_HALF:]) if wide else {}),
        "i_WEA": Const(1) if wide else wen,
        "i_WEB": Const(0),
    }
    for port in "AB":
        ports |= {f"i_CLK{port}": ClockSignal(), f"i_CE{port}": Const(1), f"i_OCE{port}": Const(1)}
        ports |= {f"i_RST{port}": Const(0), **_pins(f"i_CS{port}", Const(0, 3))}
    return Instance(
        "DP16KD",
        p_DATA_WIDTH_A=bits,
        p_DATA_WIDTH_B=bits,
        p_REGMODE_A="OUTREG",
        p_REGMODE_B="OUTREG",
        p_RESETMODE="SYNC",
        p_GSR="DISABLED",
        **_initial(contents),
        **ports,
    )
