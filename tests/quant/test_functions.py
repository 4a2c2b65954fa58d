"""Functions of one value: the list, composition, what the quantizer asks of them."""

import math

import numpy as np
import pytest
from systolith.quant.functions import FORMULAS, Function, X, apply, clamp, constant, defaults

GRID = np.linspace(-9.0, 9.0, 361)[:, None]


def by_hand(name: str) -> list[float]:
    """The same in plain Python, value by value."""
    formulas = {
        "Sigmoid": lambda x: 1.0 / (1.0 + math.exp(-x)),
        "Softplus": lambda x: math.log(1.0 + math.exp(x)),
        "Gelu": lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2.0)),
        "GeluTanh": lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        "Mish": lambda x: x * math.tanh(math.log(1.0 + math.exp(x))),
        "HardSwish": lambda x: x * min(max(x + 3.0, 0.0), 6.0) / 6.0,
        "Elu": lambda x: x if x >= 0 else math.exp(x) - 1.0,
        "Celu": lambda x: max(0.0, x) + min(0.0, math.exp(x) - 1.0),
        "Erf": math.erf,
    }
    return [formulas[name](float(x)) for x in GRID[:, 0]]


@pytest.mark.parametrize(
    "name", ["Sigmoid", "Softplus", "Gelu", "GeluTanh", "Mish", "HardSwish", "Elu", "Celu", "Erf"]
)
def test_formulas(name: str) -> None:
    expected = np.array(by_hand(name))
    assert np.allclose(apply(name)(GRID)[:, 0], expected, rtol=1e-13, atol=1e-14)
    single = apply(name)(GRID.astype(np.float32))
    assert single.dtype == np.float32 and np.abs(single[:, 0] - expected).max() < 2e-6


def test_attributes_and_what_a_node_leaves_out() -> None:
    assert defaults("LeakyRelu") == {"alpha": 0.01} and defaults("Tanh") == {}
    assert defaults("Selu")["gamma"] == 1.05070102214813232421875
    values = np.array([[-2.0], [0.0], [3.0]])
    assert apply("LeakyRelu", X, alpha=0.5)(values)[:, 0].tolist() == [-1.0, 0.0, 3.0]
    assert apply("ThresholdedRelu")(values)[:, 0].tolist() == [0.0, 0.0, 3.0]
    assert apply("Shrink", X, lambd=1.0, bias=0.5)(values)[:, 0].tolist() == [-1.5, 0.0, 2.5]
    with pytest.raises(ValueError, match=r"function must be one of Abs, .* not 'Softmax'"):
        apply("Softmax")


def test_composition_and_constants_by_channel() -> None:
    slope = apply("PRelu", X, constant([0.5, -1.0]))
    both = apply("Add", apply("Mul", slope, constant(2.0)), X).of(apply("Sub", X, constant([1.0, 1.0])))
    values = np.array([[-1.0, -1.0], [3.0, 3.0]])
    assert both(values).tolist() == [[-4.0, 2.0], [6.0, 6.0]]
    assert both.channels == 2 and apply("Mul", X, constant([3.0, 3.0])).channels == 1
    assert clamp(X, -0.5, 2.0)(values).tolist() == [[-0.5, -0.5], [2.0, 2.0]]
    assert clamp(X, -math.inf, math.inf) is X
    values = np.ones((1, 2))
    assert X(values) is not values  # whoever clips the result must not clip its input


@pytest.mark.parametrize(
    "f, positive, homogeneous",
    [
        (apply("Sigmoid"), True, False),
        (apply("Softplus"), True, False),
        (apply("Abs"), True, True),
        (apply("LeakyRelu"), False, True),
        (apply("PRelu", X, constant([0.5, -1.0])), False, True),
        (apply("Max", X, apply("Mul", X, constant(0.1))), False, True),
        (apply("Mul", X, apply("Sigmoid")), False, False),
        (apply("Pow", X, constant(2.0)), True, False),
        (clamp(apply("Tanh"), 0.0, math.inf), True, False),
        (apply("Sqrt"), True, False),
    ],
)
def test_signs_and_scales(f: Function, positive: bool, homogeneous: bool) -> None:
    assert (f.never_negative, f.homogeneous) == (positive, homogeneous)


def test_words() -> None:
    assert str(apply("Mul", X, apply("Sigmoid"))) == "Mul(x, Sigmoid(x))"
    assert str(apply("LeakyRelu", X, alpha=0.25)) == "LeakyRelu(x, alpha=0.25)"
    assert str(apply("PRelu", X, constant([0.5, -1.0]))) == "PRelu(x, -1..0.5 by channel)"
    assert all(str(apply(name)).startswith(name) for name in FORMULAS if name not in ("x", "constant"))
