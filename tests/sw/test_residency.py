"""What is spilled, what is refused, and that no two things that live at the same time share a word."""

from dataclasses import replace

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.trace import simulate
from systolith.sw.compiler import compile_network
from systolith.sw.operations import operations
from systolith.sw.residency import Plan, plan

FMT = QFormat(8, 4)


def chain(
    size: int, *channels: int, kernel: int = 3, stride: int = 1, residual: bool = False, image: int = 3
) -> QuantizedNetwork:
    """Convolutions one after the other; with ``residual`` each adds its input if shapes allow."""
    tensors = {"t0": Tensor(name="t0", shape=(size, size, image), format=FMT)}
    layers, last, rng = [], image, np.random.default_rng(0)
    for i, count in enumerate(channels):
        size = (size - 1) // stride + 1
        name, added = f"t{i + 1}", residual and count == last and stride == 1
        tensors[name] = Tensor(name=name, shape=(size, size, count), format=FMT)
        layers.append(
            Layer(
                name=f"c{i}", kind="conv", inputs=(f"t{i}", f"t{i}") if added else (f"t{i}",), output=name,
                kernel=(kernel, kernel), stride=(stride, stride), pads=(kernel // 2,) * 4,
                wgt=rng.integers(-99, 99, (count, last, kernel, kernel)), shift=np.array([9]),
                res_shift=np.array([4]) if added else None,
            )
        )  # fmt: skip
        last = count
    return QuantizedNetwork(
        name="chain", input="t0", outputs=(f"t{len(layers)}",), tensors=tensors, layers=tuple(layers)
    )


def planned(network: QuantizedNetwork, config: EngineConfig) -> Plan:
    return plan(network, operations(network, config), (), config)


def test_nothing_is_spilled_that_fits() -> None:
    made = planned(chain(16, 8, 8, 8), EngineConfig(rows=8, cols=8))
    assert not made.homes and not made.spill_bytes and not made.image_streamed
    assert set(made.places) == {"t0", "t1", "t2", "t3"}


def test_large_tensors_are_spilled_and_small_ones_stay() -> None:
    network = chain(32, 8, 8, 8, stride=2)  # 16x16, 8x8, 4x4
    made = planned(network, EngineConfig(rows=8, cols=8, scratchpad=8 * 256))
    assert "t1" in made.homes and "t3" in made.places
    assert made.image_streamed
    assert made.spill_bytes == sum(home.words * 8 for home in made.homes.values())


@pytest.mark.parametrize("seed", range(40))
def test_large_and_small_scratchpads_give_the_same_codes(seed: int) -> None:
    network = random_network(seed, 1 + seed % 5, size=16, channels=10)
    rows, cols = [(4, 4), (3, 5), (7, 2), (8, 8)][seed % 4]
    roomy = EngineConfig(rows=rows, cols=cols, acc_depth=32, port_width=(32, 64, 128)[seed % 3])
    codes = random_codes(network, seed, 2)
    try:
        expected = simulate(compile_network(network, roomy), codes)
    except ValueError as error:
        assert "--acc-width" in str(error)
        return
    for words in (64, 128):
        try:
            program = compile_network(network, replace(roomy, scratchpad=words * max(rows, cols)))
        except ValueError as error:
            assert "use --scratchpad with more bytes" in str(error)
            continue
        for made, right in zip(simulate(program, codes), expected, strict=True):
            assert all(np.array_equal(made[name], right[name]) for name in right)


def test_images_back_to_back_may_use_the_same_spill_region() -> None:
    network = chain(12, 8, 8, 8, residual=True)
    program = compile_network(network, EngineConfig(rows=4, cols=4, acc_depth=64, scratchpad=4 * 128))
    assert program.spill_bytes
    codes = random_codes(network, 0, 3)
    alone = [simulate(program, image)[0]["t3"] for image in codes]
    assert all(np.array_equal(a, b["t3"]) for a, b in zip(alone, simulate(program, codes), strict=True))


def test_columns_are_cut_where_a_row_does_not_fit() -> None:
    network = chain(40, 8, 8)
    made = planned(network, EngineConfig(rows=4, cols=4, acc_depth=64, scratchpad=4 * 128))
    strips = [phase.strip for phase in made.streams[1].phases]
    assert all(strip.y1 == strip.y0 + 1 for strip in strips) and any(strip.x0 for strip in strips)


def test_refusal_names_layer_bytes_and_cure() -> None:
    network = chain(8, 64, 64)
    with pytest.raises(
        ValueError,
        match=r"layer 'c1' needs \d+ bytes of scratchpad for the smallest strip of its map, there are 512",
    ):
        compile_network(network, EngineConfig(rows=4, cols=4, scratchpad=4 * 128))
    network = replace(chain(40, 8), outputs=("t0", "t1"))  # the input is stored from the scratchpad
    with pytest.raises(ValueError, match="layer 'c0' .*: use --scratchpad with more bytes"):
        compile_network(network, EngineConfig(rows=4, cols=4, scratchpad=4 * 128))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("rows", "cols"), [(4, 4), (3, 5), (8, 2)])
def test_strips_of_single_taps_end_at_any_pixel(rows: int, cols: int, residual: bool) -> None:
    network = chain(15, 12, 12, 7, kernel=1, residual=residual)
    roomy = EngineConfig(rows=rows, cols=cols, acc_depth=64)
    tight = replace(roomy, scratchpad=128 * max(rows, cols))
    strips = [phase.strip for stream in planned(network, tight).streams for phase in stream.phases]
    assert any(strip.y1 % 15 for strip in strips)
    codes = random_codes(network, 0, 2)
    program, large = compile_network(network, tight), compile_network(network, roomy)
    assert program.spill_bytes and not large.spill_bytes
    for made, right in zip(simulate(program, codes), simulate(large, codes), strict=True):
        assert all(np.array_equal(made[name], right[name]) for name in right)
