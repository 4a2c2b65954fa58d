"""Activation functions by tables: what the engine's entries are, what they are fused into, what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import POOL_MAX, POOL_MEAN, POOL_NONE, POOL_SUM
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.naive import evaluate
from systolith.sim.random_network import random_codes
from systolith.sim.trace import simulate
from systolith.sw.compiler import compile_network
from systolith.sw.operations import operations
from systolith.sw.tables import entries, range_of, rises

CONFIG = EngineConfig(rows=4, cols=4, acc_depth=64)

RNG = np.random.default_rng(5)
ANY = RNG.integers(-128, 128, (1, 256))
RISING = np.roll(np.sort(ANY, axis=1), 128, axis=1)
EACH = RNG.integers(-128, 128, (6, 256))


def tensor(name: str, size: tuple[int, int], width: int = 8, signed: bool = True) -> Tensor:
    return Tensor(name=name, shape=(*size, 6), format=QFormat(width, 4, signed))


def table(source: str, target: str, codes: Any = ANY, **more: Any) -> Layer:
    return Layer(name=f"table_{target}", kind="table", inputs=(source,), output=target, table=codes, **more)


def conv(source: str, target: str, **more: Any) -> Layer:
    settings: dict[str, Any] = {"inputs": (source,), "shift": np.array([8])} | more
    wgt = np.random.default_rng(1).integers(-128, 128, (6, 6, 3, 3))
    return Layer(
        name=f"conv_{target}",
        kind="conv",
        output=target,
        kernel=(3, 3),
        pads=(1, 1, 1, 1),
        wgt=wgt,
        **settings,
    )


def pool(kind: Any, source: str, target: str, **more: Any) -> Layer:
    wgt = None if kind == "maxpool" else np.full((1, 1, 1, 1), 64)
    return Layer(name=f"{kind}_{target}", kind=kind, inputs=(source,), output=target, wgt=wgt, **more)


TWO = {"kernel": (2, 2), "stride": (2, 2)}
ALL = {"kernel": (8, 8), "shift": np.array([9])}


def network(*layers: Layer, outputs: tuple[str, ...] = (), **sizes: tuple[int, int]) -> QuantizedNetwork:
    names = dict.fromkeys(name for layer in layers for name in (*layer.inputs, layer.output))
    tensors = {name: tensor(name, sizes.get(name, (8, 8))) for name in names}
    return QuantizedNetwork(
        name="n", input="x", outputs=outputs or (layers[-1].output,), tensors=tensors, layers=layers
    )


CASES: dict[str, tuple[QuantizedNetwork, list[tuple[str, int, bool]]]] = {
    "convolution": (network(conv("x", "a"), table("a", "b")), [("conv_a+table_b", POOL_NONE, True)]),
    "residual": (
        network(conv("x", "a", inputs=("x", "x"), res_shift=np.array([3])), table("a", "b", EACH)),
        [("conv_a+table_b", POOL_NONE, True)],
    ),
    "addition": (
        network(
            Layer(name="add", kind="add", inputs=("x", "x"), output="a", res_shift=np.array([0])), table("a", "b")
        ),
        [("add+table_b", POOL_NONE, True)],
    ),
    "average": (
        network(pool("avgpool", "x", "a", shift=np.array([8]), **TWO), table("a", "b"), a=(4, 4), b=(4, 4)),
        [("avgpool_a+table_b", POOL_SUM, True)],
    ),
    "maximum with pads": (
        network(pool("maxpool", "x", "a", kernel=(3, 3), pads=(1, 1, 1, 1)), table("a", "b")),
        [("maxpool_a+table_b", POOL_MAX, True)],
    ),
    "behind a fused maximum": (
        network(conv("x", "a"), pool("maxpool", "a", "b", **TWO), table("b", "c"), b=(4, 4), c=(4, 4)),
        [("conv_a+maxpool_b+table_c", POOL_MAX, True)],
    ),
    "in front of a maximum, rising": (
        network(conv("x", "a"), table("a", "b", RISING), pool("maxpool", "b", "c", **TWO), c=(4, 4)),
        [("conv_a+table_b+maxpool_c", POOL_MAX, True)],
    ),
    "in front of a maximum, not rising": (
        network(conv("x", "a"), table("a", "b"), pool("maxpool", "b", "c", **TWO), c=(4, 4)),
        [("conv_a+table_b", POOL_NONE, True), ("maxpool_c", POOL_MAX, False)],
    ),
    "rising where codes are": (
        network(
            conv("x", "a", lo=0, hi=9), table("a", "b", np.where(np.arange(256) < 10, np.arange(256), 0)[None]),
            pool("maxpool", "b", "c", **TWO), c=(4, 4),
        ),
        [("conv_a+table_b+maxpool_c", POOL_MAX, True)],
    ),
    "in front of a mean": (
        network(conv("x", "a"), table("a", "b"), pool("avgpool", "b", "c", **ALL), c=(1, 1)),
        [("conv_a+table_b", POOL_NONE, True), ("avgpool_c", POOL_SUM, False)],
    ),
    "behind a mean": (
        network(conv("x", "a"), pool("avgpool", "a", "b", **ALL), table("b", "c"), b=(1, 1), c=(1, 1)),
        [("conv_a+avgpool_b", POOL_MEAN, False), ("table_c", POOL_NONE, True)],
    ),
    "one behind the other": (
        network(conv("x", "a"), table("a", "b"), table("b", "c", EACH)),
        [("conv_a+table_b", POOL_NONE, True), ("table_c", POOL_NONE, True)],
    ),
    "of an output": (
        network(conv("x", "a"), table("a", "b"), outputs=("a", "b")),
        [("conv_a", POOL_NONE, False), ("table_b", POOL_NONE, True)],
    ),
    "of two readers": (
        network(conv("x", "a"), table("a", "b"), conv("a", "c"), outputs=("b", "c")),
        [("conv_a", POOL_NONE, False), ("table_b", POOL_NONE, True), ("conv_c", POOL_NONE, False)],
    ),
    "of the image": (network(table("x", "b", EACH), conv("b", "c")), [("table_b", POOL_NONE, True),
                                                                      ("conv_c", POOL_NONE, False)]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_fused(case: str) -> None:
    net, expected = CASES[case]
    found = operations(net, CONFIG)
    assert [(op.name, op.pool, op.table is not None) for op in found] == expected
    assert found[-1].output.name == net.layers[-1].output
    codes = random_codes(net, 3)
    right = evaluate(net, codes[0])
    for fuse_pools in (True, False):
        made = simulate(compile_network(net, CONFIG, fuse_pools=fuse_pools), codes)[0]
        for name in net.outputs:
            assert np.array_equal(made[name], right[name]), name


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(("width", "act_width"), [(8, 8), (3, 8), (8, 16), (2, 2), (4, 5)])
def test_entries(width: int, act_width: int, signed: bool) -> None:
    """Every code finds its entry by its low table_bits bits."""
    config = EngineConfig(act_width=act_width)
    act, out = tensor("act", (2, 2), width, signed), tensor("out", (2, 2), min(8, act_width))
    codes = RNG.integers(out.format.min, out.format.max, (6, 1 << width))
    found = entries(table("act", "out", codes), act, out, config)
    assert found.shape == (6, 1 << config.table_bits)
    for code in range(act.format.min, act.format.max + 1):
        assert np.array_equal(found[:, code % (1 << config.table_bits)], codes[:, code % (1 << width)])


def test_equal_rows_are_one() -> None:
    act = tensor("act", (2, 2))
    assert len(entries(table("act", "out", np.repeat(ANY, 6, axis=0)), act, act, CONFIG)) == 1


def test_order() -> None:
    assert rises(RISING, -128, 127) and not rises(RISING, 0, 255) and not rises(ANY, -128, 127)
    assert rises(np.full((2, 256), 7), -128, 127)
    falling = np.vstack([RISING[0], -RISING[0]])
    assert not rises(falling, -128, 127) and rises(falling, 5, 5)
    assert range_of(RISING, -128, 127) == (int(ANY.min()), int(ANY.max()))
    assert range_of(RISING, 3, 3) == (int(RISING[0, 3]),) * 2


REFUSED = [
    (table("act", "out", None), {}, 8, "layer 'table_out' of kind table needs a table, not None"),
    (table("act", "out"), {"tables": 0}, 8, "layer 'table_out' is an activation function by table, .* use --tables 8"),
    (table("act", "out", np.zeros((1, 512), int)), {"act_width": 16}, 9,
     "layer 'table_out' has a table for 9-bit codes, .* quantize tensor 'act' to 8 bits or fewer"),
    (table("act", "out", ANY[:, :128]), {}, 8, r"table of \(1, 128\) for 6 channels .* 1 or 6 rows of 256 codes"),
    (table("act", "out", EACH[:5]), {}, 8, r"table of \(5, 256\)"),
    (table("act", "out", ANY + 1000), {}, 8, "layer 'table_out' has codes .* in its table, outside of its output's"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "sizes", "width", "sentence"), REFUSED)
def test_refusals(layer: Layer, sizes: dict[str, int], width: int, sentence: str) -> None:
    act, out = tensor("act", (2, 2), min(width, 16)), tensor("out", (2, 2))
    with pytest.raises(ValueError, match=sentence):
        entries(layer, act, out, EngineConfig(**sizes))
    if width == 8:
        net = QuantizedNetwork(
            name="n", input="act", outputs=("out",), tensors={"act": act, "out": out}, layers=(layer,)
        )
        with pytest.raises(ValueError, match="layer 'table_out'"):
            compile_network(net, EngineConfig(**sizes))


def test_maps_must_be_equal() -> None:
    with pytest.raises(ValueError, match="a map of"):
        entries(table("act", "out"), tensor("act", (2, 2)), tensor("out", (1, 2)), CONFIG)


def test_an_engine_without_tables_runs_the_others() -> None:
    net = network(conv("x", "a"))
    program = compile_network(net, replace(CONFIG, tables=0))
    assert program.tables == b""
