"""The allocator: bit widths of single layers that meet a budget at the least error.

``widths = argmin sum over layers of error[l][width_l]   subject to   cost(widths) <= limit``

Greedy from the widest: take the change of one layer to a smaller width with the least increase of the error per
cost saved, until the budget is met. Then revisit: give one layer another width, or two layers at once (one pays
for the other), as long as the error falls and the budget holds; from the narrowest widths up likewise, and the
better end is taken. The errors of single layers add up
(``sensitivity.Sensitivity.errors``), as the noise of different layers is nearly independent; HAWQ-V2 (Dong et
al., NeurIPS 2020, section 3.2) sums its sensitivities alike. Deterministic: the first layer in the network's
order, then the widest width, wins a tie.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .arithmetic import FloatArray

__all__ = ["Allocation", "Budget", "Cost", "allocate", "weight_bits"]

Cost = Callable[[Mapping[str, int]], float]
"""The cost of widths by layer, in any unit; wider never costs less."""

_NEVER = 1e30
"""Stands for an infinite error: more than any sum of finite ones."""

_LEAST = 1e-12
"""A revisit must lower the error by this part of it, so that there is an end."""


@dataclass(frozen=True)
class Budget:
    """``cost(widths) <= limit``.

    ``bits``   average bits of a weight, 2..16: sum count[l] * width[l] / sum count[l]
    ``bytes``  weight memory: sum count[l] * width[l] / 8
    ``cost``   what the function ``cost`` says
    """

    kind: Literal["bits", "bytes", "cost"]
    limit: float
    cost: Cost | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("bits", "bytes", "cost"):
            raise ValueError(f"kind must be bits, bytes or cost, not {self.kind!r}")
        if (
            isinstance(self.limit, bool)
            or not isinstance(self.limit, (int, float))
            or not 0 < self.limit < math.inf
        ):
            raise ValueError(f"limit must be a positive number, not {self.limit!r}")
        if (self.cost is not None) != (self.kind == "cost"):
            raise ValueError(f"cost must be a function for a budget of kind cost alone, not for {self.kind}")
        if self.kind == "bits" and not 2 <= self.limit <= 16:
            raise ValueError(f"average bits must be 2 to 16, not {self.limit:g}")

    def of(self, widths: Mapping[str, int], counts: Mapping[str, int]) -> float:
        """The cost of ``widths`` for layers of ``counts`` weights."""
        if self.cost is not None:
            return float(self.cost(dict(widths)))
        total = weight_bits(widths, counts)
        return total / sum(counts.values()) if self.kind == "bits" else total / 8

    def say(self, cost: float) -> str:
        """A cost in the budget's unit."""
        if self.kind == "bytes":
            return f"{math.ceil(cost):,} bytes of weights"
        return f"{cost:.4g} bits a weight" if self.kind == "bits" else f"a cost of {cost:g}"


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """Widths by layer, their cost in the budget's unit, the sum of their errors, bits of all weights together."""

    widths: Mapping[str, int]
    cost: float
    error: float
    bits: int


def weight_bits(widths: Mapping[str, int], counts: Mapping[str, int]) -> int:
    """``sum count[l] * width[l]``: the weight memory in bits, without biases and shifts."""
    return sum(count * widths[name] for name, count in counts.items())


def allocate(
    errors: Mapping[str, Mapping[int, float]], counts: Mapping[str, int], budget: Budget
) -> Allocation:
    """The widths that meet the budget.

    ``errors``: by layer and width, every layer with the same widths; ``counts``: weights of each layer, in the
    same order. An infinite error is a width that the layer cannot have. Raises ValueError where no widths
    meet the budget, and for errors that are no numbers.
    """
    narrow = _State(errors, counts, budget)
    narrow.narrowest()
    if narrow.cost > budget.limit:
        raise ValueError(_impossible(narrow, budget))
    state = _State(errors, counts, budget)
    while state.cost > budget.limit:
        step = state.cheapest()
        if step is None:  # a cost function that no single layer lowers
            state.narrowest()
        else:
            state.take(step)
    best = min((state, narrow), key=_State.revisited)
    widths = best.widths()
    for name, width in widths.items():
        if errors[name][width] == math.inf:
            raise ValueError(
                f"the budget of {budget.say(budget.limit)} needs layer {name!r} at {width} bits, which it cannot "
                "have: allow more"
            )
    return Allocation(widths=widths, cost=best.cost, error=best.error(), bits=weight_bits(widths, counts))


def _impossible(state: _State, budget: Budget) -> str:
    least = max(state.widths().values())
    return (
        f"the budget must be at least {budget.say(state.cost)} ({least} bits in every layer), "
        f"not {budget.say(budget.limit)}: allow more, or narrower widths"
    )


Step = tuple[tuple[int, int], ...]
"""(layer, column of its new width), for each layer that changes."""


class _State:
    """Columns of the chosen widths [L]; ``_error`` [L, W], columns from the widest to the narrowest."""

    def __init__(
        self, errors: Mapping[str, Mapping[int, float]], counts: Mapping[str, int], budget: Budget
    ) -> None:
        self._names, self._counts, self._budget = tuple(counts), counts, budget
        if not self._names or set(errors) != set(counts):
            raise ValueError(f"errors must name the layers {', '.join(counts)}, not {', '.join(errors)}")
        self._widths = sorted(errors[self._names[0]], reverse=True)
        for name in self._names:
            if sorted(errors[name], reverse=True) != self._widths:
                raise ValueError(f"errors of layer {name!r} must be of the widths {self._widths}")
        self._error: FloatArray = np.array(
            [[errors[n][w] for w in self._widths] for n in self._names], np.float64
        )
        self._error[self._error == math.inf] = _NEVER
        if not np.all(np.isfinite(self._error)):
            layer, column = (int(i) for i in np.argwhere(~np.isfinite(self._error))[0])
            raise ValueError(
                f"the error of layer {self._names[layer]!r} at {self._widths[column]} bits must be a number"
            )
        self._column = np.zeros(len(self._names), np.int64)
        self._linear: FloatArray | None = None
        if budget.cost is None:  # additive: the cost of one layer's width alone, [L, W]
            one = np.array([[counts[n] * w for w in self._widths] for n in self._names], np.float64)
            self._linear = one / (sum(counts.values()) if budget.kind == "bits" else 8)
        self.cost = budget.of(self.widths(), counts)

    def widths(self, step: Step = ()) -> dict[str, int]:
        """The chosen widths by layer, after ``step``."""
        column = self._column.copy()
        for layer, to in step:
            column[layer] = to
        return {name: self._widths[int(c)] for name, c in zip(self._names, column, strict=True)}

    def error(self) -> float:
        """The sum of the chosen widths' errors."""
        return float(np.sum(self._error[np.arange(len(self._names)), self._column]))

    def take(self, step: Step) -> None:
        """Change the widths."""
        for layer, to in step:
            self._column[layer] = to
        self.cost = self._budget.of(self.widths(), self._counts)

    def narrowest(self) -> None:
        """Take the narrowest width everywhere."""
        self.take(tuple((layer, len(self._widths) - 1) for layer in range(len(self._names))))

    def revisited(self) -> float:
        """Change layers as long as that helps; the error then."""
        while (step := self.better()) is not None:
            self.take(step)
        return self.error()

    def cheapest(self) -> Step | None:
        """The change to a smaller width with the least increase of the error per cost saved; None: none saves."""
        best: tuple[float, Step] | None = None
        for layer in range(len(self._names)):
            at = int(self._column[layer])
            for to in range(at + 1, len(self._widths)):
                step = ((layer, to),)
                saved = self.cost - self._budget.of(self.widths(step), self._counts)
                if saved <= 0.0:
                    continue
                ratio = float(self._error[layer, to] - self._error[layer, at]) / saved
                if best is None or ratio < best[0]:
                    best = ratio, step
        return None if best is None else best[1]

    def better(self) -> Step | None:
        """The change of one layer or of two that lowers the error most within the budget; None: none does."""
        least = -_LEAST * max(
            1e-300, float(np.sum(np.abs(self._error[np.arange(len(self._names)), self._column])))
        )
        for step, gain in self._falling(least):
            if gain < least and self._budget.of(self.widths(step), self._counts) <= self._budget.limit:
                return step
        return None

    def _falling(self, least: float) -> Iterator[tuple[Step, float]]:
        """Changes with an increase of the error below ``least`` that may fit the budget, the best first."""
        count, columns = self._error.shape
        layers = np.arange(count)
        rise = (self._error - self._error[layers, self._column][:, None]).ravel()
        of = np.repeat(layers, columns)
        moved = np.tile(np.arange(columns), count) != self._column[of]
        first, second = np.triu_indices(rise.size)
        both = rise[first] + np.where(first == second, 0.0, rise[second])
        fits = (both < least) & moved[first] & moved[second] & ((of[first] != of[second]) | (first == second))
        if self._linear is not None:
            cost = (self._linear - self._linear[layers, self._column][:, None]).ravel()
            added = cost[first] + np.where(first == second, 0.0, cost[second])
            fits &= added <= (self._budget.limit - self.cost) + 1e-9 * self._budget.limit
        chosen = np.flatnonzero(fits)
        for i in chosen[np.argsort(both[chosen], kind="stable")]:
            a, b = int(first[i]), int(second[i])
            step: Step = ((int(of[a]), a % columns),)
            yield (step if a == b else (*step, (int(of[b]), b % columns))), float(both[i])
