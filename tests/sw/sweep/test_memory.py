"""Bits of memory are those that the engine generates."""

import pytest
from amaranth.hdl import Fragment
from systolith.hw.config import EngineConfig
from systolith.hw.engine import Engine
from systolith.hw.memory import Memory1R1W
from systolith.sw.sweep.memory import memory_bits


def built(config, monkeypatch):
    """Bits of all block memories that the engine's elaboration makes."""
    bits = []
    elaborate = Memory1R1W.elaborate

    def counted(self, platform):
        bits.append(self.width * self.depth)
        return elaborate(self, platform)

    monkeypatch.setattr(Memory1R1W, "elaborate", counted)
    _walk(Fragment.get(Engine(config=config), None))
    return sum(bits)


def _walk(fragment):
    for sub, *_ in fragment.subfragments:
        _walk(sub)


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"rows": 16, "cols": 4, "wgt_width": 4, "port_width": 128, "scratchpad": 50_000},
        {"rows": 3, "cols": 5, "act_width": 16, "acc_width": 40, "banks": 2, "fold_width": 0},
        {"rows": 4, "cols": 4, "tables": 0},
        {"rows": 4, "cols": 3, "act_width": 5, "tables": 64},
        {"rows": 6, "cols": 12, "fir_depth": 0, "acc_depth": 64, "scratchpad": 1 << 14},
        {"rows": 8, "cols": 2, "act_width": 4, "wgt_width": 2, "fold_width": 40, "fir_depth": 32},
    ],
)
def test_bits_are_those_of_the_engine(sizes, monkeypatch) -> None:
    config = EngineConfig(**sizes)
    assert sum(memory_bits(config).values()) == built(config, monkeypatch)
