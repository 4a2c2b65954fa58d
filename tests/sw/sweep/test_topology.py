"""SCALE-Sim's files: their layers, their MACs, their cycles; lines that are none."""

from pathlib import Path

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.sw import integer_reference
from systolith.sw.compiler import compile_network
from systolith.sw.cycle_model.machine import simulate
from systolith.sw.sweep.axes import DEFAULTS
from systolith.sw.sweep.measure import Job, run_job
from systolith.sw.sweep.topology import TableLayer, read_topology

HEAD = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
WIDTHS = (8, 8, 32)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_layers(tmp_path: Path) -> None:
    text = (
        HEAD
        + "Conv1,\t12, 14, 3, 5, 3, 8, 2,\n\nFC,1,1,1,1,20,10,1,\nTwo, 9,9,2,2,4,4,2,1,\nS,9,9,2,2,4,4,1,2:4\n"
    )
    table = read_topology(write(tmp_path / "net.csv", text))
    assert table.name == "net"
    assert table.layers == (
        TableLayer("Conv1", 12, 14, (3, 5), 3, 8, (2, 2)),
        TableLayer("FC", 1, 1, (1, 1), 20, 10, (1, 1)),
        TableLayer("Two", 9, 9, (2, 2), 4, 4, (2, 1)),
        TableLayer("S", 9, 9, (2, 2), 4, 4, (1, 1)),
    )


def test_the_first_line_may_be_a_layer(tmp_path: Path) -> None:
    assert len(read_topology(write(tmp_path / "n.csv", "a,8,8,3,3,4,4,1\nb,8,8,3,3,4,4,1\n")).layers) == 2


def test_windows_as_scalesim_has_them() -> None:
    """ceil((ifmap - filter + stride) / stride): ResNet-18's first layer, 224 with 7x7 by 2, has 110 rows."""
    layer = TableLayer("c", 224, 224, (7, 7), 3, 64, (2, 2))
    assert layer.out == (110, 110) and layer.macs == 110 * 110 * 49 * 3 * 64


def test_networks_compute_every_layer(tmp_path: Path) -> None:
    table = read_topology(write(tmp_path / "n.csv", HEAD + "a,8,9,3,2,5,6,2,\nb,1,1,1,1,7,3,1,\n"))
    networks = list(table.networks(WIDTHS))
    assert [n.layers[0].macs for n in networks] == [layer.macs for layer in table.layers]
    first = networks[0]
    codes = np.ones((1, 8, 9, 5), np.int64)
    out = integer_reference.run(first, codes, "outputs")["result"]
    assert out.shape == (1, *table.layers[0].out, 6) and np.any(out)


def test_depthwise_by_scalesims_mark(tmp_path: Path) -> None:
    """DP: so many filters of one channel for each channel; they see no other channel."""
    table = read_topology(write(tmp_path / "n.csv", HEAD + "a_DP,6,7,3,2,4,2,1,\nb,6,7,3,2,4,2,1,\n"))
    first, second = table.layers
    assert (first.groups, first.results, second.groups, second.results) == (4, 8, 1, 2)
    assert first.macs == 4 * 6 * 6 * 8 == second.macs
    (network, _) = table.networks(WIDTHS)
    codes = np.zeros((1, 6, 7, 4), np.int64)
    codes[..., 1] = 100
    out = integer_reference.run(network, codes, "outputs")["result"]
    assert out.shape == (1, 4, 6, 8) and network.layers[0].macs == first.macs
    assert [bool(np.any(out[..., c])) for c in range(8)] == [
        False,
        False,
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def test_cycles_are_the_layers_sum(tmp_path: Path) -> None:
    table = read_topology(write(tmp_path / "n.csv", HEAD + "a,8,9,3,3,5,6,1,\nb,4,4,1,1,7,3,1,\n"))
    found = run_job(Job(workload=table, images=1, mem_latency=9), {**DEFAULTS, "rows": 4, "cols": 3})
    config = EngineConfig(rows=4, cols=3)
    alone = [simulate(compile_network(n, config), 1, 9).cycles for n in table.networks(WIDTHS)]
    assert found.cycles == sum(alone) and found.macs == sum(layer.macs for layer in table.layers)


def test_digests_are_of_the_table(tmp_path: Path) -> None:
    one = read_topology(write(tmp_path / "a.csv", HEAD + "a,8,9,3,3,5,6,1,\n"))
    same = read_topology(write(tmp_path / "b.csv", "\ufeff" + HEAD + "a , 8, 9,3,3,5,6,1\n"))
    other = read_topology(write(tmp_path / "c.csv", HEAD + "a,8,9,3,3,5,7,1,\n"))
    assert one.digest(WIDTHS) == same.digest(WIDTHS) != other.digest(WIDTHS)
    assert one.digest(WIDTHS) != one.digest((8, 4, 32))


@pytest.mark.parametrize(
    "line, words",
    [
        ("a,8,8,3,3,4,4", "net.csv, line 2: a layer has a name and 7 numbers.*not 6"),
        ("a,8,8,3,3,4,4,1,1,1", "not 9 of them"),
        ("a,8,8,3,3,4,0,1", "filters must be a positive integer, not '0'"),
        ("a,8,x,3,3,4,4,1", "ifmap width must be a positive integer, not 'x'"),
        ("a,8,8,9,3,4,4,1", "9x3, must not be larger than the map, 8x8"),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_topology(write(tmp_path / "net.csv", HEAD + line + "\n"))


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        read_topology(tmp_path / "no.csv")
    with pytest.raises(ValueError, match="holds no layer"):
        read_topology(write(tmp_path / "n.csv", HEAD))
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match="is no CSV file"):
        read_topology(tmp_path / "b.csv")
