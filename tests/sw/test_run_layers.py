"""Layers of a page: the network's, with the program's bytes and the model's cycles; nothing counted twice."""

from typing import Any

import pytest
from systolith.sw import api
from systolith.sw.cycle_model.report import model_cycles
from systolith.sw.run_layers import network_nodes, run_layers


@pytest.fixture(scope="module")
def compiled(tiny: Any) -> Any:
    model = api.load_quantized(tiny.quantized)
    program = api.compile(model, tiny.config).program
    return model.network, program, model_cycles(program)


def test_of_a_network(compiled: Any) -> None:
    network, program, model = compiled
    rows = run_layers(program, model, network)
    assert [row.name for row in rows] == [layer.name for layer in network.layers]
    assert sum(row.macs for row in rows) == program.macs
    assert sum(row.cycles.cycles for row in rows if row.cycles) + model.drain == model.cycles
    assert sum(row.read for row in rows) == sum(info.loaded + info.weights for info in program.layers)
    fused = [row for row in rows if row.info is None]
    assert fused and all(row.within in {other.name for other in rows} and row.speed is None for row in fused)
    for row in rows:
        if row.intensity is not None:
            assert row.info is not None
            assert row.intensity * max(row.info.loaded + row.info.weights, row.info.stored) == pytest.approx(
                row.macs
            )


def test_of_a_program_alone(compiled: Any) -> None:
    _, program, model = compiled
    rows = run_layers(program, model)
    assert [row.name for row in rows] == [info.name for info in program.layers]
    assert all(row.info is not None and row.cycles is not None for row in rows)
    assert all(
        row.shape == program.tensors[next(c.output for c in program.computes if c.layer == row.index)].shape
        for row in rows
    )


def test_edges_of_the_graph_are_the_network_s(compiled: Any) -> None:
    network, program, model = compiled
    nodes = list(network_nodes(network, run_layers(program, model, network), model.cycles))
    made = [network.input, *(layer.output for layer in network.layers)]
    assert len(nodes) == len(made)
    for layer, node in zip(network.layers, nodes[1:], strict=True):
        assert {made[source] for source in node.sources} == set(layer.inputs)
    assert sum(node.share or 0.0 for node in nodes) == pytest.approx(1 - model.drain / model.cycles)
