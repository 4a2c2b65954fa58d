"""What travels with a pixel through the compute pipeline."""

from __future__ import annotations

from amaranth.hdl import signed
from amaranth.lib import data

from .config import EngineConfig

__all__ = ["Bounds", "Flags", "MeanFields", "Outputs", "Place", "Read", "Slot", "Tail", "rot_width"]


def rot_width(config: EngineConfig) -> int:
    """Bits of a rotation counted in lane groups."""
    return max(1, (config.groups - 1).bit_length())


Flags = data.StructLayout(
    {
        "valid": 1,
        "pass_first": 1,  # accumulator address 0
        "first_pass": 1,  # acc = bias + residual + ...
        "last_pass": 1,  # on to the requantizer
        "sum_first": 1,  # a window of pool SUM starts (1 where there is none)
        "sum_last": 1,
        "max_first": 1,  # a window of pool MAX, or the pass of pool MEAN, starts (1 where there is none)
        "max_last": 1,
        "mean": 1,  # pool MEAN: the code is added, not written
        "skip": 1,  # outside of the map: counts as the least code
        "instr_first": 1,
        "instr_last": 1,
    }
)
"""One pixel's part in its pass, window and instruction. All 0 is a bubble."""


class Slot(data.StructLayout):
    """A pixel's part in a depthwise pass, where pixels are slots."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(
            {
                "fir": 1,  # of a depthwise instruction: what follows means something
                "row_first": 1,  # a row of slots starts
                "inside": 1,  # its column lies in the map
                "y": config.coord_width,
            }
        )


class Outputs(data.StructLayout):
    """Which slots of a depthwise instruction make outputs.

    In rows (y) and columns (x) of slots: first + 1, then every step + 2, last + 2 of them: their signs are what counts.
    """

    def __init__(self, config: EngineConfig) -> None:
        coord = config.coord_width
        super().__init__(
            {
                "height": coord,  # of the map
                "row_last": coord - 1,  # slots of a row - 1
                **{f"{axis}_{what}": signed(coord) for axis in "yx" for what in ("first", "step", "last")},
            }
        )


class Read(data.StructLayout):
    """A pixel's word in the scratchpad: block and next block, the first lane's group, signedness."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(
            {
                "valid": 1,
                "addr": config.addr_width,
                "next": config.addr_width,
                "rot": rot_width(config),
                "signed": 1,
            }
        )


class Place(data.StructLayout):
    """Where a pixel will be read, if there is one."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__({"valid": 1, "addr": config.addr_width, "next": config.addr_width})


class Bounds(data.StructLayout):
    """Saturation bounds of an instruction."""

    def __init__(self, config: EngineConfig) -> None:
        bound = signed(config.act_width + 1)
        super().__init__({"lo": bound, "hi": bound})


class MeanFields(data.StructLayout):
    """What pool MEAN makes of an instruction's sums."""

    def __init__(self, config: EngineConfig) -> None:
        bound = signed(config.act_width + 1)
        super().__init__(
            {"weight": signed(config.wgt_width), "shift": config.shift_width, "lo": bound, "hi": bound}
        )


class Tail(data.StructLayout):
    """What the end of the pipeline needs to know of an instruction."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__({"base": config.addr_width, "next": config.addr_width, "rot": rot_width(config)})
