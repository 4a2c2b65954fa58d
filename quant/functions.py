"""Functions of one real value: what an activation function computes before a table holds its codes.

``f(x) = op(operands(x))`` with x at the leaves: ``x * Sigmoid(x)`` is Mul of x and of Sigmoid of x

``FORMULAS`` is the list of operators by their ONNX names; constants are one number, or one a channel [C].
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .arithmetic import FloatArray

__all__ = ["FORMULAS", "OPERANDS", "Function", "X", "apply", "clamp", "constant", "defaults"]

_SQRT_HALF = math.sqrt(0.5)
_TANH_GELU = math.sqrt(2.0 / math.pi)


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _softplus(x: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))))


def _erf(x: FloatArray) -> FloatArray:
    """Exact in double; in float32 within 1.5e-7 (Abramowitz and Stegun, 7.1.26), as fast as exp."""
    if x.dtype != np.float32:
        return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x))
    size = np.abs(x)
    t = 1.0 / (1.0 + 0.3275911 * size)
    sums = t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))
    return np.asarray(
        np.copysign(1.0 - t * (0.254829592 + t * (sums - 0.284496736)) * np.exp(-size * size), x)
    )


def _gelu_tanh(x: FloatArray) -> FloatArray:
    return np.asarray(0.5 * x * (1.0 + np.tanh(_TANH_GELU * (x + 0.044715 * x * x * x))))


def _elu(x: FloatArray, alpha: float = 1.0) -> FloatArray:
    return np.where(x < 0.0, alpha * np.expm1(np.minimum(x, 0.0)), x)


def _celu(x: FloatArray, alpha: float = 1.0) -> FloatArray:
    return np.where(x < 0.0, alpha * np.expm1(np.minimum(x, 0.0) / alpha), x)


def _selu(
    x: FloatArray, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875
) -> FloatArray:
    return gamma * _elu(x, alpha)


def _shrink(x: FloatArray, bias: float = 0.0, lambd: float = 0.5) -> FloatArray:
    return np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0.0))


def _where(condition: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    return np.where(condition != 0.0, x, y)


FORMULAS: dict[str, Callable[..., FloatArray]] = {
    "Abs": np.abs,
    "Ceil": np.ceil,
    "Celu": _celu,
    "Cos": np.cos,
    "Elu": _elu,
    "Erf": _erf,
    "Exp": np.exp,
    "Floor": np.floor,
    "Gelu": lambda x: 0.5 * x * (1.0 + _erf(x * _SQRT_HALF)),
    "GeluTanh": _gelu_tanh,
    "HardSigmoid": lambda x, alpha=0.2, beta=0.5: np.clip(alpha * x + beta, 0.0, 1.0),
    "HardSwish": lambda x: x * np.clip(x / 6.0 + 0.5, 0.0, 1.0),
    "LeakyRelu": lambda x, alpha=0.01: np.where(x < 0.0, alpha * x, x),
    "Log": np.log,
    "Mish": lambda x: x * np.tanh(_softplus(x)),
    "Reciprocal": np.reciprocal,
    "Relu": lambda x: np.maximum(x, 0.0),
    "Round": np.rint,
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": _sigmoid,
    "Sign": np.sign,
    "Sin": np.sin,
    "Softplus": _softplus,
    "Softsign": lambda x: x / (1.0 + np.abs(x)),
    "Sqrt": np.sqrt,
    "Swish": lambda x, alpha=1.0: x * _sigmoid(alpha * x),
    "Tanh": np.tanh,
    "ThresholdedRelu": lambda x, alpha=1.0: np.where(x > alpha, x, 0.0),
    # of two operands, one of them a constant or both functions of x
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Max": np.maximum,
    "Min": np.minimum,
    "Pow": np.power,
    "PRelu": lambda x, slope: np.where(x < 0.0, slope * x, x),
    # truth is 1, anything but 0 is true
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Equal": np.equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
    "Not": np.logical_not,
    "Where": _where,
}
"""By ONNX name, in the type of x (float32 or float64); arguments with a default are attributes, the others operands."""

OPERANDS = ("x0", "x1", "x2")
"""Leaves of a function of several values."""


def defaults(op: str) -> dict[str, float]:
    """The attributes of a formula and what they are where a node does not say."""
    formula = FORMULAS[op]
    if isinstance(formula, np.ufunc):
        return {}
    parameters = inspect.signature(formula).parameters.values()
    return {p.name: float(p.default) for p in parameters if p.default is not inspect.Parameter.empty}


@dataclass(frozen=True, eq=False)
class Function:
    """One operator and what it is applied to. Call it with values [..., C] to have f of them, in their type."""

    op: str
    """``x``, ``constant``, one of ``OPERANDS`` or one of ``FORMULAS``."""
    operands: tuple[Function, ...] = ()
    attributes: Mapping[str, float] = field(default_factory=dict)
    values: FloatArray | None = None
    """constant only: [1] or [C]."""

    def __call__(self, x: FloatArray) -> FloatArray:
        """f(x), in the type of ``x``; infinite or no number where the formula is."""
        with np.errstate(all="ignore"):
            value = self._value(x)
            fits = value.shape == x.shape and value.dtype == x.dtype and value is not x
            return value if fits else np.array(np.broadcast_to(value, x.shape), x.dtype)

    def _value(self, x: FloatArray) -> FloatArray:
        if self.op == "x":
            return x
        if self.values is not None:
            return self.values.astype(x.dtype)
        found = FORMULAS[self.op](*(operand._value(x) for operand in self.operands), **self.attributes)
        return found.astype(x.dtype) if found.dtype == bool else found

    def of(self, inner: Function) -> Function:
        """The composition f(inner(x))."""
        return self.with_leaves({"x": inner})

    def with_leaves(self, leaves: Mapping[str, Function]) -> Function:
        """The same with other functions in place of its leaves, by their name."""
        if not self.operands:
            return leaves.get(self.op, self)
        inside = tuple(operand.with_leaves(leaves) for operand in self.operands)
        return Function(self.op, inside, self.attributes)

    @property
    def channels(self) -> int:
        """1 where all channels have the same function, else how many there are."""
        own = 1 if self.values is None else len(self.values)
        return max(own, *(operand.channels for operand in self.operands), 1)

    @property
    def never_negative(self) -> bool:
        """Is no value of f below 0, on a grid of 4000 values from -2**20 to 2**20?"""
        values = self._on_grid(1.0)
        return bool(np.all(np.nan_to_num(values) >= 0.0))

    @property
    def homogeneous(self) -> bool:
        """Is f(s x) = s f(x) for every s > 0 (on the same grid): LeakyRelu, PRelu, Abs?"""
        one = self._on_grid(1.0)
        return all(
            np.allclose(self._on_grid(s), s * one, rtol=1e-9, atol=0.0, equal_nan=True) for s in (0.3, 7.0)
        )

    def _on_grid(self, factor: float) -> FloatArray:
        size = np.exp2(np.linspace(-20.0, 20.0, 2000))
        grid = np.concatenate([-size[::-1], [0.0], size]) * factor
        return self(np.repeat(grid[:, None], self.channels, axis=1))

    def __str__(self) -> str:
        """In words for people: ``Mul(x, Sigmoid(x))``."""
        if self.values is not None:
            low, high = float(self.values.min()), float(self.values.max())
            return f"{low:.4g}" if low == high else f"{low:.4g}..{high:.4g} by channel"
        own = [
            f"{key}={value:.4g}" for key, value in self.attributes.items() if value != defaults(self.op)[key]
        ]
        inside = ", ".join([*map(str, self.operands), *own])
        return f"{self.op}({inside})" if inside else self.op


X = Function("x")
"""The value itself."""


def constant(values: Any) -> Function:
    """A number, or one a channel [C]; equal ones become one."""
    each = np.asarray(values, np.float64).reshape(-1)
    return Function("constant", values=each[:1].copy() if np.all(each == each[0]) else each)


def apply(op: str, *operands: Function, **attributes: float) -> Function:
    """The operator of that ONNX name. Raises ValueError for one that is not in the list."""
    if op not in FORMULAS:
        raise ValueError(f"function must be one of {', '.join(FORMULAS)}, not {op!r}")
    return Function(op, operands or (X,), {**defaults(op), **attributes})


def clamp(inner: Function, lo: float, hi: float) -> Function:
    """min(max(inner, lo), hi); either bound may be infinite."""
    if lo > -math.inf:
        inner = apply("Max", inner, constant(lo))
    return apply("Min", inner, constant(hi)) if hi < math.inf else inner
