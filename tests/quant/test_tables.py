"""Tables: every code of every format, rounded once."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from systolith.quant.assembly import finished
from systolith.quant.formats import QFormat
from systolith.quant.functions import X, apply, constant
from systolith.quant.layers import prepare
from systolith.quant.network import Layer
from systolith.quant.real_layer import PlainLayer
from systolith.quant.tables import code_values, fine_table, table_values

NAMES = ("Sigmoid", "Tanh", "HardSwish", "Elu", "Exp", "Softplus", "Gelu", "Mish", "Abs", "Softsign", "Erf")


def table_layer(real: PlainLayer, act: QFormat, out: QFormat) -> Layer:
    magnitude = {"x": max(-act.min, act.max)}
    ready = prepare(
        real, formats={"x": act}, magnitude=magnitude, channels=3, wgt_fl=None, wgt_width=8, acc_width=32,
        per_channel=False,
    )  # fmt: skip
    return finished(real, ready, out)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.sampled_from([QFormat(w, fl, s) for w in (2, 3, 5, 8) for fl in (-1, 2, 5, 9) for s in (True, False)]),
    st.sampled_from([QFormat(w, fl, s) for w in (2, 5, 8, 16) for fl in (-3, 0, 4, 7, 15) for s in (True, False)]),
    st.sampled_from([(-math.inf, math.inf), (0.0, math.inf), (-0.3, 0.7)]),
)  # fmt: skip
def test_every_code_is_rounded_once(
    name: str, act: QFormat, out: QFormat, bounds: tuple[float, float]
) -> None:
    lo, hi = bounds
    real = PlainLayer(name="t", kind="table", inputs=("x",), output="y", function=apply(name), lo=lo, hi=hi)
    layer = table_layer(real, act, out)
    assert layer.table is not None and layer.table.shape == (1, 1 << act.width)
    assert (layer.lo, layer.hi, layer.shift.tolist()) == (out.min, out.max, [0])
    low = out.min if lo == -math.inf else max(min(round(lo * 2**out.fl), out.max), out.min)
    high = out.max if hi == math.inf else min(max(round(hi * 2**out.fl), out.min), out.max)
    for code in range(act.min, act.max + 1):
        value = float(apply(name)(np.array([[code * act.step]]))[0, 0])
        expected = min(max(round(Fraction(value) * Fraction(2) ** out.fl), low), max(low, high))
        assert layer.table[0, code % (1 << act.width)] == expected


def test_one_table_a_channel() -> None:
    slope = constant([0.5, -1.0, 3.0])
    real = PlainLayer(name="t", kind="table", inputs=("x",), output="y", function=apply("PRelu", X, slope))
    layer = table_layer(real, QFormat(4, 1), QFormat(8, 2))
    assert layer.table is not None and layer.table.shape == (3, 16)
    assert layer.table[:, 5].tolist() == [10, 10, 10]
    assert layer.table[:, -8 % 16].tolist() == [-8, 16, -48]


def test_what_is_no_number() -> None:
    fine, fl = fine_table(table_values(apply("Log"), QFormat(3, 0)))
    assert fine[0, 0] == -(2**52) + 1 and (fine[0, 4:] == 0).all()  # log 0, log of negative codes
    assert np.allclose(np.ldexp(fine[0, 1:4].astype(float), -fl), np.log([1.0, 2.0, 3.0]), rtol=1e-14)
    zero, fl = fine_table(table_values(apply("Mul", X, constant(0.0)), QFormat(3, 0)))
    assert not zero.any() and fl == 0
    steep, fl = fine_table(table_values(apply("Exp"), QFormat(8, 0)))
    assert np.abs(steep).max() < 2**52
    assert math.isclose(math.ldexp(float(steep[0, 1]), -fl), math.e, rel_tol=1e-6)


def test_values_in_the_order_of_the_index() -> None:
    assert code_values(QFormat(2, 1)).tolist() == [0.0, 0.5, -1.0, -0.5]
    assert code_values(QFormat(2, -1, False)).tolist() == [0.0, 2.0, 4.0, 6.0]


def test_a_table_needs_a_function() -> None:
    with pytest.raises(ValueError, match="layer 't' of kind table needs a function, not None"):
        table_layer(
            PlainLayer(name="t", kind="table", inputs=("x",), output="y"), QFormat(8, 0), QFormat(8, 0)
        )
