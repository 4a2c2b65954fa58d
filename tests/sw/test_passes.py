"""The passes on graphs by hand: what fuses, and what must not."""

import math
from dataclasses import replace

import numpy as np
from systolith.sw.graph import Node
from systolith.sw.passes import fuse, unique_names


def conv(name: str, source: str, output: str, macs: int = 1) -> Node:
    return Node(
        name=name, kind="conv", inputs=(source,), output=output, weight=np.ones((2, 2, 1, 1)), macs=macs
    )


def affine(source: str, output: str, scale: float, offset: float) -> Node:
    both = np.full(2, scale), np.full(2, offset)
    return Node(name="a", kind="affine", inputs=(source,), output=output, scale=both[0], offset=both[1])


def clip(source: str, output: str, lo: float, hi: float) -> Node:
    return Node(name="r", kind="clip", inputs=(source,), output=output, lo=lo, hi=hi)


def test_affines_and_clips_collapse_into_the_convolution() -> None:
    nodes = [conv("c", "x", "1"), affine("1", "2", 2.0, 1.0), affine("2", "3", 3.0, -1.0), clip("3", "4", 0.0, 6.0),
             clip("4", "5", -1.0, 2.0)]  # fmt: skip
    (node,) = fuse(nodes, ["5"])
    assert node.weight is not None and node.bias is not None
    assert (node.weight == 6.0).all() and node.bias.tolist() == [2.0, 2.0]
    assert (node.lo, node.hi, node.output) == (0.0, 2.0, "5")


def test_statistics_follow_the_affines() -> None:
    norm = replace(affine("a", "b", 2.0, 3.0), pre_mean=np.full(2, 0.5), pre_std=np.full(2, 0.25))
    nodes = [conv("c", "x", "a"), norm, affine("b", "y", -4.0, 1.0), clip("y", "z", 0.0, math.inf)]
    (node,) = fuse(nodes, ["z"])
    assert node.pre_mean is not None and node.pre_mean.tolist() == [-1.0, -1.0]
    assert node.pre_std is not None and node.pre_std.tolist() == [1.0, 1.0]
    (plain,) = fuse([conv("c", "x", "a"), affine("a", "y", 2.0, 3.0)], ["y"])
    assert plain.pre_mean is None and plain.pre_std is None


def test_clips_that_miss_each_other_give_one_value() -> None:
    (node,) = fuse([conv("c", "x", "1"), clip("1", "2", 0.0, 1.0), clip("2", "3", 3.0, 4.0)], ["3"])
    assert (node.lo, node.hi) == (3.0, 3.0)


def test_outputs_and_shared_tensors_stay() -> None:
    nodes = [conv("c", "x", "1"), clip("1", "2", 0.0, math.inf)]
    assert [node.kind for node in fuse(nodes, ["1", "2"])] == ["conv", "avgpool"]
    shared = [*nodes, conv("d", "1", "3"), Node(name="s", kind="add", inputs=("2", "3"), output="4")]
    assert [node.kind for node in fuse(shared, ["4"])] == ["conv", "avgpool", "conv"]


def test_nothing_folds_behind_an_activation() -> None:
    uneven = replace(affine("2", "3", 1.0, 0.0), scale=np.array([-1.0, 2.0]))
    result = fuse([conv("c", "x", "1"), clip("1", "2", 0.0, math.inf), uneven], ["3"])
    assert [node.kind for node in result] == ["conv", "conv"]
    assert result[1].weight is not None and np.array_equal(result[1].weight[:, :, 0, 0], np.diag([-1.0, 2.0]))


def test_bounds_move_behind_one_scale_for_all_channels() -> None:
    nodes = [
        conv("c", "x", "1"),
        clip("1", "2", 0.0, 6.0),
        affine("2", "3", -0.5, 1.0),
        clip("3", "4", -1.5, 9.0),
    ]
    (node,) = fuse(nodes, ["4"])
    assert (node.lo, node.hi) == (-1.5, 1.0)
    assert node.weight is not None and np.array_equal(node.weight, conv("c", "x", "1").weight * -0.5)


def test_the_residual_goes_to_the_convolution_with_most_products() -> None:
    add = Node(name="s", kind="add", inputs=("1", "2"), output="3")
    result = fuse([conv("big", "x", "1", 9), conv("small", "x", "2", 1), add], ["3"])
    assert [(node.name, node.inputs) for node in result] == [("small", ("x",)), ("big", ("x", "2"))]
    relu = clip("1", "1r", 0.0, math.inf)
    add = Node(name="s", kind="add", inputs=("1r", "2"), output="3")
    result = fuse([conv("big", "x", "1", 9), relu, conv("small", "x", "2", 1), add], ["3"])
    assert [(node.name, node.inputs) for node in result] == [("big", ("x",)), ("small", ("x", "1r"))]


def test_dead_nodes_go() -> None:
    assert [node.name for node in fuse([conv("c", "x", "1"), conv("dead", "x", "2")], ["1"])] == ["c"]


def test_unique_names() -> None:
    nodes = unique_names([conv("c", "x", "1"), conv("c", "1", "2"), conv("d", "2", "3")])
    assert [node.name for node in nodes] == ["c", "c:2", "d"]


def test_zeros_around_a_maxpool() -> None:
    """A Pad in front of it is its own where no value is negative: zeros never win then."""
    pad = Node(
        name="p",
        kind="conv",
        inputs=("r",),
        output="q",
        weight=np.eye(2)[:, :, None, None],
        pads=(1, 1, 0, 0),
    )
    pool = Node(name="m", kind="maxpool", inputs=("q",), output="y", kernel=(3, 3), stride=(2, 2))
    for lo, kinds in ((0.0, ["conv", "maxpool"]), (-1.0, ["conv", "conv", "maxpool"])):
        first = replace(conv("c", "x", "r"), lo=lo, hi=6.0)
        found = fuse([first, pad, pool], ["y"])
        assert [node.kind for node in found] == kinds
        assert found[-1].pads == ((1, 1, 0, 0) if lo == 0.0 else (0, 0, 0, 0))
    wide = replace(pad, pads=(3, 0, 0, 0))
    assert len(fuse([replace(conv("c", "x", "r"), lo=0.0), wide, pool], ["y"])) == 3
