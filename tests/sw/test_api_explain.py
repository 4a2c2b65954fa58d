"""``compile --explain``: plan, bytes and cycles of each layer, and that they add up."""

import json

import numpy as np
from systolith.hw.config import EngineConfig
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sw.api_explain import explain
from systolith.sw.compiler import compile_network
from systolith.sw.container import from_bytes, to_bytes


def network() -> QuantizedNetwork:
    """Two large maps, then a small one; the second layer adds its input."""
    fmt = QFormat(8, 4)
    shapes = {"in": (24, 24, 3), "one": (24, 24, 8), "two": (24, 24, 8), "out": (4, 4, 8)}
    rng = np.random.default_rng(0)

    def conv(source: str, target: str, kernel: int, stride: int, residual: bool = False) -> Layer:
        ins, outs = shapes[source][2], shapes[target][2]
        wgt = rng.integers(-99, 99, (outs, ins, kernel, kernel))
        return Layer(
            name=target, kind="conv", inputs=(source, source) if residual else (source,), output=target,
            kernel=(kernel, kernel), stride=(stride, stride), pads=(kernel // 2,) * 4, wgt=wgt, shift=np.array([9]),
            res_shift=np.array([3]) if residual else None, macs=wgt.size * shapes[target][0] * shapes[target][1],
        )  # fmt: skip

    layers = (conv("in", "one", 3, 1), conv("one", "two", 3, 1, True), conv("two", "out", 1, 6))
    tensors = {name: Tensor(name=name, shape=shape, format=fmt) for name, shape in shapes.items()}
    return QuantizedNetwork(name="net", input="in", outputs=("out",), tensors=tensors, layers=layers)


CONFIG = EngineConfig(rows=8, cols=8, acc_depth=128, scratchpad=8 * 256)


def test_bytes_are_those_of_the_plan() -> None:
    program = compile_network(network(), CONFIG)
    one, two, out = program.layers
    image, plane = 24 * 24 * 3, 24 * 24 * 8
    assert (one.act, one.residual, one.output) == ("memory", "", "memory")
    assert (two.act, two.residual, two.output) == ("memory", "memory", "memory")
    assert (out.act, out.residual, out.output) == ("memory", "", "scratchpad")
    assert one.loaded >= image and one.stored == plane == two.stored
    assert two.loaded >= 2 * plane + (two.strips - 1) * 2 * 24 * 8, "halo rows come twice, the residual once"
    assert out.loaded == 4 * 24 * 8, "one row in six is read"
    assert out.stored == 4 * 4 * 8
    assert sum(layer.weights for layer in program.layers) == len(program.weights)
    assert program.layers == from_bytes(to_bytes(program)).layers


def test_cycles_add_up_and_are_shown() -> None:
    program = compile_network(network(), CONFIG)
    found = explain(program)
    assert sum(layer.cycles for layer in found.model.layers) + found.model.drain == found.model.cycles
    document = json.loads(json.dumps(found.to_json()))
    assert [layer["name"] for layer in document["layers"]] == ["one", "two", "out"]
    for layer in document["layers"]:
        stalls = layer["stall_wait"] + layer["stall_weight"] + layer["stall_bank"] + layer["stall_pass"]
        assert layer["cycles"] == layer["pixels"] + stalls
    lines = found.lines()
    assert lines[0].split()[:5] == ["layer", "input", "output", "strips", "passes"]
    assert "memory + memory" in lines[2] and f"{found.model.cycles:,} cycles an image" in lines[-2]
    assert explain(program, 200).model.cycles > found.model.cycles
