"""Contents of the memory on the chip == what the driver would have loaded."""

import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_codes, random_network
from systolith.sw.compiler import compile_network
from systolith.sw.onchip_image import contents, needed_words


@pytest.mark.parametrize("kinds", [("conv",), ("table",)])
def test_contents_are_the_image_without_images(kinds: tuple[str, ...]) -> None:
    network = random_network(28, 3, act_width=8, wgt_width=8, channels=8, size=10, kinds=kinds)
    program = compile_network(
        network, EngineConfig(rows=2, cols=4, scratchpad=1024, acc_depth=16, port_width=32)
    )
    assert bool(program.tables) == ("table" in kinds)
    words = contents(program)
    memory, _ = program.image(random_codes(network, 28, 2))
    held = b"".join(word.to_bytes(4, "little") for word in words)
    assert held == bytes(memory[: len(held)]) and len(held) < program.memory_map().input
    assert len(held) == program.memory_map().weights + len(program.weights)
    assert 4 * needed_words(program, 2) == len(memory)
    assert needed_words(program, 50) > needed_words(program)
