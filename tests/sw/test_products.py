"""Products of a map and a vector: what the compiler makes of them, and what it refuses."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import COMPUTE, POOL_MEAN, STORE, decode, record_words
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.naive import evaluate
from systolith.sim.random_network import random_codes
from systolith.sim.trace import simulate
from systolith.sw import limits
from systolith.sw.compiler import compile_network
from systolith.sw.graph import Node
from systolith.sw.operations import operations
from systolith.sw.program import Program

CONFIG = EngineConfig(rows=4, cols=4, acc_depth=64)

Shape = tuple[int, int, int]


def conv(source: str, target: str, channels: int = 6, outputs: int = 6, kernel: int = 1) -> Layer:
    rng, pad = np.random.default_rng(len(target)), kernel // 2
    wgt = rng.integers(-128, 128, (outputs, channels, kernel, kernel))
    return Layer(
        name=f"to_{target}", kind="conv", inputs=(source,), output=target, wgt=wgt, kernel=(kernel, kernel),
        pads=(pad,) * 4, shift=np.array([8]),
    )  # fmt: skip


def mean(source: str, target: str, side: int = 8) -> Layer:
    return Layer(
        name=f"to_{target}", kind="avgpool", inputs=(source,), output=target, kernel=(side, side),
        wgt=np.full((1, 1, 1, 1), 64), shift=np.array([9]),
    )  # fmt: skip


def product(one: str = "map", other: str = "gate", target: str = "out", **more: Any) -> Layer:
    settings: dict[str, Any] = {"shift": np.arange(6) + 2, "lo": -90, "hi": 101} | more
    return Layer(name="product", kind="product", inputs=(one, other), output=target, **settings)


def network(
    *layers: Layer, outputs: tuple[str, ...] = ("out",), codes: QFormat | None = None, **shapes: Shape
) -> QuantizedNetwork:
    sizes = {"in": (8, 8, 6), "map": (8, 8, 6), "gate": (1, 1, 6), "out": (8, 8, 6)} | shapes
    tensors = {name: Tensor(name=name, shape=shape, format=QFormat(8, 4)) for name, shape in sizes.items()}
    if codes is not None:
        tensors["gate"] = replace(tensors["gate"], format=codes)
    return QuantizedNetwork(name="n", input="in", outputs=outputs, tensors=tensors, layers=layers)


def check(net: QuantizedNetwork, config: EngineConfig = CONFIG) -> Program:
    """Every tensor that the program makes is the reference's."""
    program = compile_network(net, config)
    codes = random_codes(net, 3, 2)
    for image, made in zip(codes, simulate(program, codes), strict=True):
        expected = evaluate(net, image)
        assert set(net.outputs) <= set(made)
        for name, values in made.items():
            assert np.array_equal(values, expected[name]), name
    return program


def instructions(program: Program) -> list[tuple[Any, dict[str, int]]]:
    size = record_words(program.config) * program.config.port_bytes
    return [
        decode(program.records[at : at + size], program.config) for at in range(0, len(program.records), size)
    ]


def products(program: Program) -> list[dict[str, int]]:
    return [values for kind, values in instructions(program) if kind is COMPUTE and values["product"]]


def test_a_block_of_squeeze_and_excitation() -> None:
    net = network(conv("in", "map", kernel=3), mean("map", "m"), conv("m", "gate"), product(), m=(1, 1, 6))
    program = check(net)
    gate = program.tensors["gate"]
    # One COMPUTE for each block and strip; nothing of them in the weight stream but parameters.
    found = products(program)
    assert len(found) % 2 == 0 and {v["res_base"] for v in found} == {gate.base, gate.base + gate.block_step}
    assert all(v["res"] == v["kb_last"] == v["keep"] == 0 for v in found)
    layer = next(layer for layer in program.layers if layer.name == "product")
    segment = (1 + CONFIG.param_rows * CONFIG.wgt_width // CONFIG.planes_per_word) * CONFIG.port_bytes
    assert layer.weights <= len(found) * (segment + CONFIG.port_bytes)


def test_the_vector_may_be_what_a_pool_makes_on_the_output_path() -> None:
    net = network(
        conv("in", "map", kernel=3), conv("in", "other"), mean("other", "gate"), product(), other=(8, 8, 6)
    )
    program = check(net)
    assert "other" not in program.tensors


def test_the_vector_may_be_the_networks_input() -> None:
    shapes: dict[str, Shape] = {"in": (1, 1, 6), "map": (1, 1, 6), "out": (1, 1, 6)}
    check(network(conv("in", "map"), product("map", "in"), **shapes))
    check(network(product("in", "in"), **shapes))
    several = network(conv("in", "map"), product("map", "in"), outputs=("out", "map"), **shapes)
    check(several)


def test_the_vector_may_be_a_concat() -> None:
    for ends in ((4, 2), (3, 3)):
        parts = [conv("m", f"part{i}", outputs=n) for i, n in enumerate(ends)]
        joined = Layer(name="join", kind="concat", inputs=("part0", "part1"), output="gate")
        shapes: dict[str, Shape] = {"m": (1, 1, 6)} | {f"part{i}": (1, 1, n) for i, n in enumerate(ends)}
        net = network(conv("in", "map"), mean("map", "m"), *parts, joined, product(), **shapes)
        program = compile_network(net, CONFIG)
        codes = random_codes(net, 3, 1)
        plain = replace(
            net, layers=tuple(layer for layer in net.layers if layer.kind not in ("concat", "product"))
        )
        parts_made = evaluate(plain, codes[0])
        vector = np.concatenate([parts_made["part0"], parts_made["part1"]], axis=2)
        shift = 2 ** (np.arange(6) + 2)
        expected = np.clip(np.rint(parts_made["map"] * vector / shift), -90, 101)
        assert np.array_equal(simulate(program, codes)[0]["out"], expected)


def test_pools_behind_a_product() -> None:
    net = network(conv("in", "map"), mean("map", "gate"), product(target="big"), mean("big", "out"),
                  big=(8, 8, 6), out=(1, 1, 6))  # fmt: skip
    program = check(net)
    assert {v["pool"] for v in products(program)} == {POOL_MEAN} and "big" not in program.tensors


def test_a_map_larger_than_the_scratchpad() -> None:
    """The vector stays, and is read again for each strip."""
    config = EngineConfig(rows=4, cols=4, acc_depth=256, scratchpad=2048)
    shapes: dict[str, Shape] = dict.fromkeys(("in", "map", "out"), (16, 16, 6))
    program = check(network(conv("in", "map"), mean("map", "gate", 16), product(), **shapes), config)
    assert program.tensors["gate"].resident and not program.tensors["map"].resident
    assert any(kind is STORE for kind, _ in instructions(program)) and len(products(program)) > 4


@pytest.mark.parametrize("wgt_width", [2, 4, 8, 16])
@pytest.mark.parametrize("signed", [True, False])
def test_codes_that_weights_hold(wgt_width: int, signed: bool) -> None:
    config = EngineConfig(rows=3, cols=5, acc_depth=64, wgt_width=wgt_width)
    widest = min(8, wgt_width - (not signed))
    if widest >= 2:
        net = network(product("in", "gate"), codes=QFormat(widest, 2, signed))
        assert operations(net, config)[0].vector is net.tensors["gate"]
    if widest < 8:
        net = network(product("in", "gate"), codes=QFormat(widest + 1, 2, signed))
        with pytest.raises(
            ValueError, match=f"'product' multiplies by 'gate'.*quantize it to {wgt_width} bits"
        ):
            operations(net, config)


@pytest.mark.parametrize(
    ("layer", "shapes", "text"),
    [
        (product("in"), {"gate": (1, 1, 5)}, r"multiplies \(8, 8, 6\) by \(1, 1, 5\).*one pixel of all channels"),
        (product("in"), {"gate": (8, 8, 6)}, "one pixel of all channels"),
        (product("in"), {"out": (8, 8, 5)}, r"to \(8, 8, 5\)"),
        (product("in", bias=np.ones(6, np.int64)), {}, "has a bias or a res_shift"),
        (product("in", res_shift=np.ones(6, np.int64)), {}, "has a bias or a res_shift"),
        (replace(product("in"), inputs=("in",)), {}, "needs two inputs, not one"),
    ],
)  # fmt: skip
def test_refused(layer: Layer, shapes: dict[str, Shape], text: str) -> None:
    with pytest.raises(ValueError, match=f"layer 'product'.*{text}"):
        operations(network(replace(layer, shift=np.zeros(1, np.int64)), **shapes), CONFIG)


def test_check_knows() -> None:
    shapes: dict[str, Shape] = {"a": (8, 8, 6), "g": (1, 1, 6), "y": (8, 8, 6), "wrong": (1, 1, 5)}

    def layer(*inputs: str) -> Node:
        return Node(name="p", kind="product", inputs=inputs, output="y")

    for width in (4, 8):
        config = replace(CONFIG, wgt_width=width)
        assert limits.refused([layer("a", "g")], shapes, config) == {}
        why, cure = limits.refused([layer("a", "wrong")], shapes, config)["p"]
        assert why.startswith("it multiplies (8, 8, 6) by (1, 1, 5)") and "one pixel" in cure
