"""The engine beside an AXI4 memory and an AXI4-Lite host that others wrote: the bench is not its own judge."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from engine_bench import SMALL, Expected, verilog
from systolith.sim.build import build
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.rtl import simulate
from systolith.sw.compiler import compile_network


@pytest.mark.slow
def test_memory_and_host_of_others(tmp_path: Path) -> None:
    batches, every = [], []
    for seed, share in ((78, 0.0), (5, 0.3), (78, 0.6)):
        network = random_network(seed, 6 if seed == 78 else 3, size=8 if seed == 78 else 6)
        e = Expected(network, compile_network(network, SMALL), random_codes(network, seed, 2))
        memory, registers = e.program.image(e.codes)
        batches.append((memory, registers, share))
        every.append(e)
    files = {"engine.v": verilog(SMALL), "axi_bench.sv": Path(__file__).with_name("axi_bench.sv").read_text()}
    simulation = build(files, "axi_bench", parameters={"PORT_WIDTH": SMALL.port_width}, optimize="-O1")
    (tmp_path / "batches.pkl").write_bytes(pickle.dumps(batches))
    simulate(simulation, "axi_bench", tmp_path)
    for e, (status, memory) in zip(every, pickle.loads((tmp_path / "left.pkl").read_bytes()), strict=True):
        assert status == 2  # done, no error
        for i, outputs in enumerate(e.program.results(memory, 2)):
            for name, codes in outputs.items():
                assert np.array_equal(codes, e.reference[name][i]), (name, i)
