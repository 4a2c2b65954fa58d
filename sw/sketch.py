"""``sketch``: all that decides how many cycles a network takes, without a record or a weight encoded.

sketch.plan == plan(compile_network(network, config)), sketch.sizes likewise, in a part of the time
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..hw.config import EngineConfig
from ..hw.isa import INSTRUCTIONS, ranges, record_words
from ..quant.network import QuantizedNetwork
from .compiler import compile_network
from .cycle_model.plan import Plan, plan_steps
from .layout import lay_out
from .operations import Operation
from .program import Outline, Sizes
from .step import Step

__all__ = ["Sketch", "sketch"]


@dataclass(frozen=True, kw_only=True)
class Sketch(Outline):
    """A network on an engine as the cycle model wants it."""

    plan: Plan
    found: Sizes

    @property
    def sizes(self) -> Sizes:
        """Those of the program."""
        return self.found


def sketch(network: QuantizedNetwork, config: EngineConfig) -> Sketch:
    """Raises ``ValueError`` where ``compile_network`` does, and the same."""
    laid = lay_out(network, config)
    if not (_encodable(laid.steps, config) and all(_storable(op, config) for op in laid.ops)):
        compile_network(network, config)  # names what does not fit
        raise AssertionError("a field or a parameter does not fit, and is encoded all the same")
    records = (len(laid.steps) + 1) * record_words(config) * config.port_bytes
    blocks = [(step.weights, step.values["keep"]) for step in laid.steps if step.weights is not None]
    planned = plan_steps(
        [(step.instruction, step.values) for step in laid.steps],
        [(block.width, 0 if keep else block.rows) for block, keep in blocks],
        config,
    )
    result = Sketch(**laid.outline, plan=planned, found=Sizes(records, sum(laid.segments), len(laid.tables)))
    result.memory_map()  # refuses what the engine cannot address
    return result


def _encodable(steps: Iterable[Step], config: EngineConfig) -> bool:
    """Does every value fit its field?"""
    every = {kind.name: ranges(kind, config) for kind in INSTRUCTIONS.values()}
    for step in steps:
        fields = every[step.instruction.name]
        for name, value in step.values.items():
            low, high = fields[name]
            if not low <= value <= high:
                return False
    return True


def _storable(op: Operation, config: EngineConfig) -> bool:
    """Do parameters fit theirs?"""
    half = 1 << config.acc_width - 1
    shifts = (1 << config.shift_width) - config.max_left_shift
    return (
        -half <= int(op.bias.min()) <= int(op.bias.max()) < half
        and int(op.shift.max()) < shifts
        and 0 <= int(op.res_shift.min()) <= int(op.res_shift.max()) < 1 << config.res_shift_width
    )
