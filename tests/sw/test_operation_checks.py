"""What engines for small FPGAs refuse, each in a sentence with the cure, and what they do another way."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.hw.isa import COMPUTE, LOAD, POOL_MEAN, decode, encode, no_wait, record_bits, record_words
from systolith.quant.formats import QFormat
from systolith.quant.network import Layer, QuantizedNetwork, Tensor
from systolith.sw.compiler import compile_network
from systolith.sw.program import Program

SERIAL: dict[str, Any] = {
    "rows": 8, "cols": 8, "port_width": 8, "tables": 0, "profile": False, "means": False, "products": False,
    "folds": False, "lookahead": False, "serial": True,
}  # fmt: skip


def engine(**about: Any) -> EngineConfig:
    return EngineConfig(
        **{"rows": 2, "cols": 2, "scratchpad": 2048, "acc_depth": 64, "fold_width": 0, "fir_depth": 0} | about
    )


def network(size: int = 8, kind: str = "avgpool") -> QuantizedNetwork:
    """A 1x1 convolution of 4 channels and the mean of its map, or the map times a pixel of the image."""
    fmt = QFormat(8, 4)
    shape = (size, size, 4)
    names = {"x": shape, "y": shape, "z": (1, 1, 4)}
    tensors = {name: Tensor(name=name, shape=s, format=fmt) for name, s in names.items()}
    one = Layer(
        name="conv", kind="conv", inputs=("x",), output="y", wgt=np.full((4, 4, 1, 1), 3), wgt_width=8,
        shift=np.full(4, 4), lo=fmt.min, hi=fmt.max, macs=16 * size * size,
    )  # fmt: skip
    mean = Layer(
        name="mean", kind="avgpool", inputs=("y",), output="z", kernel=(size, size), wgt=np.full((1, 1, 1, 1), 5),
        wgt_width=8, shift=np.full(4, 6), lo=fmt.min, hi=fmt.max,
    )  # fmt: skip
    layers, outputs = [one, mean], ("z",)
    if kind == "product":
        tensors["w"] = Tensor(name="w", shape=shape, format=fmt)
        layers.append(
            Layer(
                name="times", kind="product", inputs=("y", "z"), output="w", shift=np.full(4, 4), lo=-9, hi=9
            )
        )
        outputs = ("w",)
    return QuantizedNetwork(name="small", input="x", outputs=outputs, tensors=tensors, layers=tuple(layers))


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ({"coord_width": 3}, "coord_width must be an integer in 4..16, not 3"),
        ({"wait_width": 25}, "wait_width must be an integer in 8..24, not 25"),
        ({"memory_width": 11}, "memory_width must be an integer in 12..32, not 11"),
        ({"count_width": 33}, "count_width must be an integer in 8..32, not 33"),
        ({"fifo_depth": 32}, "fifo_depth must be an integer in 64..512, not 32"),
        ({"bank_stages": 2}, "bank_stages must be an integer in 0..1, not 2"),
        ({"fifo_depth": 96}, "fifo_depth must be a power of two, not 96"),
        ({"profile": "1"}, "profile must be True or False, not '1'"),
        ({"lookahead": 2}, "lookahead must be True or False, not 2"),
        ({"serial": 2}, "serial must be True or False, not 2"),
        (SERIAL | {"rows": 4}, "rows must be 8 where serial is True, not 4"),
        (SERIAL | {"port_width": 16}, "port_width must be 8 where serial is True, not 16"),
        (SERIAL | {"means": True}, "means must be False where serial is True, not True"),
        (SERIAL | {"tables": 2}, "tables must be 0 where serial is True, not 2"),
        ({"folds": False, "fold_width": 9}, "fold_width must be 0 where folds is False, not 9"),
        ({"port_width": 8, "act_width": 16}, "port_width must hold an element, 16 bits, not 8"),
    ],
)
def test_no_such_engine(about: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        engine(**about)


@pytest.mark.parametrize(
    ("about", "kind", "size", "sentence"),
    [
        (
            {"coord_width": 4},
            "avgpool",
            9,
            "'conv' reaches over 9 rows, at most 7 fit: use a coord_width of 5",
        ),
        (
            {"wait_width": 8, "acc_depth": 16, "scratchpad": 8192},
            "avgpool",
            20,
            "unit, the engine counts 31: use a wait_width of ",
        ),
        ({"memory_width": 13}, "avgpool", 8, "need memory up to address 16384.*use a memory_width of 14"),
        ({"products": False}, "product", 8, "'times' multiplies a map by a vector.*use products=True"),
    ],
)
def test_refused(about: dict[str, Any], kind: str, size: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        compile_network(network(size, kind), engine(**about))
    compile_network(network(size, kind), engine(acc_depth=512, scratchpad=8192))


def pools(program: Program) -> set[int]:
    size = record_words(program.config) * program.config.port_bytes
    found = set()
    for at in range(0, len(program.records), size):
        instruction, values = decode(program.records[at : at + size], program.config)
        if instruction is COMPUTE:
            found.add(values["pool"])
    return found


def test_means_in_a_pass_of_their_own() -> None:
    assert POOL_MEAN in pools(compile_network(network(), engine()))
    assert POOL_MEAN not in pools(compile_network(network(), engine(means=False)))


def test_fields_that_are_not_there() -> None:
    """They take no bits, hold 0 and nothing else; a threshold that always holds is as narrow as the others."""
    small = engine(means=False, products=False, folds=False, tables=0, coord_width=6, wait_width=9)
    assert record_bits(COMPUTE, small) < record_bits(COMPUTE, engine()) - 150
    for instruction, name in ((COMPUTE, "mean_lo"), (COMPUTE, "product"), (COMPUTE, "fir"), (LOAD, "fold")):
        with pytest.raises(ValueError, match=f"{name} must fit in 0"):
            encode(instruction, small, {name: 1})
        assert decode(encode(instruction, small, {}), small)[1][name] == 0
    record = encode(LOAD, small, {"wait_load": no_wait(small)})
    assert decode(record, small)[1]["wait_load"] == no_wait(small) == -128


def test_hash() -> None:
    """Every choice is another engine."""
    names = ("coord_width", "wait_width", "memory_width", "count_width")
    others = [engine(**{name: getattr(engine(), name) - 1}) for name in names]
    flags = ("profile", "means", "products", "folds", "lookahead")
    others += [replace(engine(), **{name: False}) for name in flags]
    others += [replace(engine(**SERIAL), serial=serial) for serial in (True, False)]
    assert len({config.hash for config in (engine(), *others)}) == 1 + len(others)
    assert engine(means=0) == engine(means=False) and engine(means=0).hash == engine(means=False).hash
