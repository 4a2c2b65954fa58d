"""Parts of strips: they cover a strip once, and one COMPUTE can make each."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from systolith.hw.config import EngineConfig
from systolith.hw.isa import steps
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.loops import walks
from systolith.sw.operations import Operation, operations
from systolith.sw.parts import code, parts, walk
from systolith.sw.strips import Strip

CONFIG = EngineConfig(rows=4, cols=4)


def operation(layer: Layer, shape: tuple[int, int], output: tuple[int, int]) -> Operation:
    tensors = {
        name: Tensor(name=name, shape=(*size, 3), format=QFormat(8, 4))
        for name, size in (("in", shape), ("out", output))
    }
    layer = replace(layer, name="l", inputs=("in",), output="out")
    net = QuantizedNetwork(name="n", input="in", outputs=("out",), tensors=tensors, layers=(layer,))
    return operations(net, CONFIG)[0]


UPSAMPLE = Layer(name="l", kind="upsample", inputs=("in",), output="out")


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.data())
def test_an_upsample_reads_the_right_pixels(
    fy: int, fx: int, height: int, width: int, data: st.DataObject
) -> None:
    op = operation(replace(UPSAMPLE, factor=(fy, fx)), (height, width), (height * fy, width * fx))
    y0 = data.draw(st.integers(0, height * fy - 1))
    if data.draw(st.booleans()):  # rows
        strip = Strip(y0, data.draw(st.integers(y0 + 1, height * fy)), 0, width * fx)
    else:  # a piece of one
        x0 = data.draw(st.integers(0, width * fx - 1))
        strip = Strip(y0, y0 + 1, x0, data.draw(st.integers(x0 + 1, width * fx)))
    seen = np.full((height * fy, width * fx), -1)
    for part in parts(op, strip):
        counts, across, down, y, x = walk(op, part)
        values = {
            f"{name}_{loop}": step
            for name, moves in (("x", across), ("y", down))
            for loop, step in zip(("wx", "wy", "ox", "oy"), steps(moves, counts), strict=True)
        }
        values |= {f"{loop}_last": n - 1 for loop, n in zip(("wx", "wy", "ox", "oy"), counts, strict=True)}
        rows, columns = walks(values | {"fir": 0}, "y", "x")
        place = np.ix_(range(part.y0, part.y1), range(part.x0, part.x1))
        assert (seen[place] == -1).all()
        seen[place] = ((y + rows) * width + x + columns).reshape(part.y1 - part.y0, part.x1 - part.x0)
    expected = np.arange(height * width).reshape(height, width).repeat(fy, 0).repeat(fx, 1)
    inside = np.zeros_like(expected, bool)
    inside[strip.y0 : strip.y1, strip.x0 : strip.x1] = True
    assert np.array_equal(seen, np.where(inside, expected, -1))
    low, high = op.rows_read(strip.y0, strip.y1 - 1)
    assert (low, high) == (strip.y0 // fy, (strip.y1 - 1) // fy)


def averages(codes: list[list[int]]) -> Operation:
    wgt = np.array(codes)[None, None]
    layer = Layer(name="l", kind="avgpool", inputs=("in",), output="out", wgt=wgt, kernel=(1, 1))
    return operation(layer, wgt.shape[2:], wgt.shape[2:])


def test_averages_of_one_code_follow_each_other() -> None:
    op = averages([[9, 6, 9], [6, 4, 6], [6, 4, 6], [9, 6, 9]])
    made = parts(op, Strip(0, 4, 0, 3))
    assert made == [
        Strip(0, 1, 0, 1), Strip(0, 1, 1, 2), Strip(0, 1, 2, 3),
        Strip(1, 2, 0, 1), Strip(2, 3, 0, 1), Strip(1, 2, 1, 2), Strip(2, 3, 1, 2),
        Strip(1, 2, 2, 3), Strip(2, 3, 2, 3),
        Strip(3, 4, 0, 1), Strip(3, 4, 1, 2), Strip(3, 4, 2, 3),
    ]  # fmt: skip
    assert [code(op, part) for part in made[:3]] == [(9, 0), (3, 1), (9, 0)]
    assert [code(op, part)[0] << code(op, part)[1] for part in made] == [9, 6, 9, 6, 6, 4, 4, 6, 6, 9, 6, 9]
    assert parts(op, Strip(1, 2, 1, 3)) == [Strip(1, 2, 1, 2), Strip(1, 2, 2, 3)]


def test_rows_of_one_code_stay_together() -> None:
    op = averages([[6, 6], [4, 4], [4, 4], [6, 6]])
    assert parts(op, Strip(0, 4, 0, 2)) == [Strip(0, 1, 0, 2), Strip(1, 3, 0, 2), Strip(3, 4, 0, 2)]


def test_one_code_is_one_part() -> None:
    op = averages([[5, 5], [5, 5]])
    assert op.codes is None and parts(op, Strip(0, 2, 0, 2)) == [Strip(0, 2, 0, 2)]


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"layer 'l' makes \(4, 5, 3\) of \(2, 2, 3\), not each pixel 2x2 times"
    ):
        operation(replace(UPSAMPLE, factor=(2, 2)), (2, 2), (4, 5))
