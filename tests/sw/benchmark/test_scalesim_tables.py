"""Layer tables: the networks' products, padding, SCALE-Sim's cycles in closed form, and the format both sides read."""

from pathlib import Path

import pytest
from systolith.sw.benchmark.scalesim_tables import TABLES, TableRow, as_csv
from systolith.sw.sweep.topology import read_topology

MACS = {"resnet18": 1_814_073_344, "alexnet": 1_076_634_144, "mobilenet": 568_740_352}
"""As published: 1.8, 1.1 (without groups, convolutions alone) and 0.57 billion."""


@pytest.mark.parametrize("name", TABLES)
def test_products_are_the_networks(name: str) -> None:
    assert sum(row.macs for row in TABLES[name]) == MACS[name]


def test_cycles_of_resnet18_as_scalesim_has_them() -> None:
    """Measured with SCALE-Sim 3.0.0: 32.42, 9.226 and 2.855 million cycles, 87.4, 76.8 and 62.1 %."""
    found = {size: sum(row.cycles(size) for row in TABLES["resnet18"]) for size in (8, 16, 32)}
    assert found == {8: 32_422_331, 16: 9_226_427, 32: 2_855_031}


def test_closed_form_of_single_layers() -> None:
    """Printed by SCALE-Sim 3.0.0: a convolution, a fully connected layer, the channels of a depthwise one."""
    assert TableRow("c", 56, 3, 64, 64).cycles(32) == 116_279
    assert TableRow("f", 1, 1, 512, 1000).cycles(32) == 48_639
    assert TableRow("x_DP", 7, 3, 1024, 1).cycles(32) == 1024 * (1 * (96 + 49 - 2) - 1)


@pytest.mark.parametrize("name", TABLES)
def test_sweep_reads_the_same_layers(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_text(as_csv(TABLES[name]))
    found = read_topology(path)
    assert found.name == name
    for row, layer in zip(TABLES[name], found.layers, strict=True):
        assert (layer.name, layer.out, layer.macs) == (row.name, (row.out, row.out), row.macs)
        assert layer.height == (row.out - 1) * row.stride + row.filter
        assert (layer.groups > 1) == row.depthwise
