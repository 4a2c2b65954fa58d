"""Program files: the same bytes again, and one clear sentence for every broken one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.sim.random_network import random_codes, random_network
from systolith.sim.trace import simulate
from systolith.sw.compiler import compile_network
from systolith.sw.container import from_bytes, load_program, save_program, to_bytes
from systolith.sw.program import Program

CONFIG = EngineConfig(rows=4, cols=4)


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_network(random_network(3), CONFIG)


def test_round_trip(program: Program, tmp_path: Path) -> None:
    save_program(program, tmp_path / "p.syst")
    loaded = load_program(tmp_path / "p.syst", CONFIG)
    assert loaded == program
    assert to_bytes(loaded) == to_bytes(program) == to_bytes(compile_network(random_network(3), CONFIG))
    codes = random_codes(random_network(3), 0)
    for name, value in simulate(loaded, codes)[0].items():
        assert np.array_equal(value, simulate(program, codes)[0][name])


def test_refuses_broken_files(program: Program) -> None:
    content = to_bytes(program)
    flipped = bytearray(content)
    flipped[-1] ^= 1
    newer = bytearray(content)
    newer[8] = 9
    for broken, message in (
        (b"", "x.syst is not a Systolith program"),
        (b"PK" + content, "x.syst is not a Systolith program"),
        (content[:-1], "x.syst is truncated or corrupt"),
        (content[:60], "x.syst is truncated or corrupt"),
        (bytes(flipped), "x.syst is truncated or corrupt"),
        (bytes(newer), "x.syst has version 9 of the program format, this reads 3"),
    ):
        with pytest.raises(ValueError, match=message):
            from_bytes(broken, "x.syst")


def test_names_both_engines(program: Program, tmp_path: Path) -> None:
    save_program(program, tmp_path / "p.syst")
    other = replace(CONFIG, rows=8, acc_depth=512)
    with pytest.raises(
        ValueError, match="rows is 4 there and 8 here, acc_depth is 1024 there and 512 here"
    ) as caught:
        load_program(tmp_path / "p.syst", other)
    assert CONFIG.describe() in str(caught.value) and other.describe() in str(caught.value)
