"""Ranges with both ends, lists, and what is neither."""

import pytest
from systolith.hw.config import EngineConfig
from systolith.sw.sweep.axes import DEFAULTS, axis_values, combinations, grid


@pytest.mark.parametrize(
    "axis, values",
    [
        (8, (8,)),
        ("8", (8,)),
        ([4, 8, 4], (4, 8)),
        (range(2, 5), (2, 3, 4)),
        ("4,8,16", (4, 8, 16)),
        ("4:7", (4, 5, 6, 7)),
        ("4:32:4", tuple(range(4, 33, 4))),
        ("4:31:4", tuple(range(4, 29, 4))),
        ("16,4:8:2,6", (16, 4, 6, 8)),
        ("64K,1M", (65536, 1 << 20)),
        ("5:5", (5,)),
    ],
)
def test_axes_have_both_ends(axis, values) -> None:
    assert axis_values("rows", axis) == values


@pytest.mark.parametrize(
    "axis, words",
    [
        ("", "numbers, ranges"),
        ("4,x", "not 'x'"),
        ("8:4", "is empty"),
        ("4:8:0", "is empty"),
        ("1:2:3:4", "a:b:step"),
        ("1:2M", "more than 1,000,000"),
        ([], "at least one"),
        ([4, 8.0], "not 8.0"),
        (True, "not True"),
    ],
)
def test_a_wrong_axis_is_named(axis, words) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        axis_values("rows", axis)
    assert str(caught.value).startswith("rows")


def test_every_parameter_is_an_axis() -> None:
    values = grid({})
    assert EngineConfig(**{name: only for name, (only,) in values.items()}) == EngineConfig()
    assert list(values) == list(DEFAULTS)


def test_an_unknown_axis_is_refused() -> None:
    with pytest.raises(ValueError, match="an axis must be one of rows, cols, .*, not 'depth'"):
        grid({"depth": 3})


def test_too_many_points_are_refused() -> None:
    with pytest.raises(ValueError, match="1,048,576 points"):
        grid(
            {"rows": range(1, 129), "cols": range(1, 129), "acc_width": range(16, 48), "port_width": (32, 64)}
        )


def test_the_last_axis_changes_first() -> None:
    found = combinations(grid({"rows": (1, 2), "cols": "3,4"}))
    assert [(one["rows"], one["cols"]) for one in found] == [(1, 3), (1, 4), (2, 3), (2, 4)]
