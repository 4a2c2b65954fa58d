"""What a tensor's codes stand for, and how an input becomes codes."""

import numpy as np
from systolith.quant.formats import QFormat
from systolith.quant.network import QuantizedNetwork, Stem, Tensor


def test_real_values() -> None:
    codes = np.array([[-128, 3], [127, 0]])
    plain = Tensor(name="t", shape=(2, 1, 2), format=QFormat(8, 4))
    assert np.array_equal(plain.real(codes), codes / 16)
    scaled = Tensor(name="t", shape=(2, 1, 2), format=QFormat(8, -1), scale=np.array([2.0, 0.5]))
    assert np.array_equal(scaled.real(codes), [[-128.0, 12.0], [127.0, 0.0]])


def test_input_codes() -> None:
    """Around the map stands the code of real 0: the offset, rounded."""
    stem = Stem(gain=np.array([10.0, 20.0]), offset=np.array([-4.5, 3.0]), pads=(1, 0, 0, 2))
    tensor = Tensor(name="x", shape=(3, 3, 2), format=QFormat(8, 0))
    network = QuantizedNetwork(
        name="n", input="x", outputs=("x",), tensors={"x": tensor}, layers=(), stem=stem
    )
    assert network.image_shape == (2, 1, 2)
    codes = network.input_codes(np.array([[[[0.06, 1.0]], [[-20.0, 0.12]]]], np.float32))
    assert codes.shape == (1, 3, 3, 2)
    expected = np.broadcast_to([-4, 3], (3, 3, 2)).copy()
    expected[1, 0], expected[2, 0] = (-4, 23), (-128, 5)
    assert np.array_equal(codes[0], expected)


def test_no_stem() -> None:
    tensor = Tensor(name="x", shape=(1, 1, 1), format=QFormat(8, 3, False))
    network = QuantizedNetwork(name="n", input="x", outputs=("x",), tensors={"x": tensor}, layers=())
    assert network.image_shape == (1, 1, 1)
    assert network.input_codes(np.array([[[[2.0]]], [[[-1.0]]], [[[99.0]]]])).ravel().tolist() == [16, 0, 255]
