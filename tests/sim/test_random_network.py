"""The generator reaches the corners it promises, and the same seed gives the same network."""

import numpy as np
from systolith.sim.random_network import random_codes, random_network


def test_seeded() -> None:
    one, other = random_network(7), random_network(7)
    assert [layer.name for layer in one.layers] == [layer.name for layer in other.layers]
    assert one.tensors == other.tensors
    assert np.array_equal(random_codes(one, 3), random_codes(other, 3))


def test_corners() -> None:
    layers = [layer for seed in range(60) for layer in random_network(seed).layers]
    convs = [layer for layer in layers if layer.kind == "conv"]
    assert {layer.kind for layer in layers} == {"conv", "maxpool", "avgpool", "add"}
    assert any(len(conv.inputs) == 2 for conv in convs) and any(conv.bias is None for conv in convs)
    assert any(conv.shift.min() < 0 for conv in convs) and any(
        len(set(conv.shift.tolist())) > 1 for conv in convs
    )
    assert {conv.wgt_width for conv in convs} >= {2, 3, 4, 8}
    assert {conv.stride for conv in convs} >= {(1, 1), (2, 1)} and any(
        max(conv.dilation) > 1 for conv in convs
    )
    assert any(conv.pads[0] != conv.pads[2] for conv in convs)
    assert any(layer.in_shift for layer in layers)
    formats = {t.format for seed in range(60) for t in random_network(seed).tensors.values()}
    assert {fmt.signed for fmt in formats} == {True, False} and {fmt.width for fmt in formats} >= {2, 4, 8}
