"""The import arrows (docs/architecture.md), the size of files, and tests that mirror the folders."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("hw", "quant", "sim", "sw")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted(path for folder in FOLDERS for path in (ROOT / "tests" / folder).glob("test_*.py"))

LINES = 350
"""At most so many lines a file: one unit a file."""

PLAIN = {"hw.config", "hw.field_widths", "hw.isa", "hw.link", "hw.record", "hw.registers"}
"""Contracts that software reads: no Amaranth."""

FRONT = ("sw.api", "sw.bench", "sw.cli", "sw.demo", "sw.explore", "sw.resources", "sw.synthesis")
"""The front door, by the beginning of the module's name: may import everything, and nobody imports it."""

PACKAGES = {
    "hw": {"amaranth"},
    "quant": {"numpy"},
    "sw": {"numpy", "onnx", "onnxruntime", "matplotlib", "PIL", "distributed", "optuna"},
    "sim": {"numpy", "cocotb", "cocotb_tools"},
}
"""Packages from outside that a folder may import."""

WHERE = {
    "onnxruntime": {"sw.float_reference", "sw.oracle"},
    "matplotlib": {
        "sw.picture",
        "sw.picture_bits",
        "sw.picture_choice",
        "sw.picture_explore",
        "sw.picture_quant",
        "sw.picture_sheet",
        "sw.picture_static",
        "sw.picture_sweep",
        "sw.picture_timeline",
        "sw.picture_wavefront",
        "sw.picture_waves",
    },
    "PIL": {"sw.images"},
    "distributed": {"sw.sweep.cluster"},
    "optuna": {"sw.explore.search"},
    "amaranth.back": {"hw.verilog"},
    "torch": set(),  # the training of the demo network alone
}
"""Packages with one purpose, and the modules that have it."""

ARROWS = {
    "hw": {"hw"},
    "quant": {"quant"},
    "sw": {"sw", "quant", *PLAIN},
    "sim": {"sim", "hw", "sw", "quant"},
}
"""Folders or modules of the project that a folder may import."""

SEVERAL = {
    "tests/hw/test_queues.py": {"hw.small_fifo", "hw.block_fifo", "hw.stream_buffer"},
    "tests/sw/test_exporters.py": {"sw.onnx_reader", "sw.float_reference"},  # files of real exporters
    "tests/sw/test_networks.py": {"sw.cli", "sw.demo.data"},  # whole networks on data sets
    "tests/sw/test_node_tests.py": {
        "sw.onnx_reader",
        "quant.quantizer",
        "sw.integer_reference",
    },  # ONNX's own tests
    "tests/sim/test_node_tests.py": {"sw.compiler", "sim.iss", "sim.rtl"},
    "tests/sim/test_networks.py": {"sim.rtl", "hw.engine", "sw.compiler", "sw.cycle_model.machine"},  # in RTL
    "tests/sim/test_cycle_model.py": {"sw.cycle_model.machine", "sim.rtl"},
    "tests/sim/test_serial_engine.py": {
        "hw.serial_columns",
        "hw.serial_compute",
        "hw.serial_engine",
        "hw.serial_loops",
        "hw.serial_mover",
        "hw.serial_weights",
        "sw.cycle_model.serial",
    },  # the engine of the smallest FPGAs, its units under whole networks
    "tests/sim/test_small_engine.py": {
        "hw.config",
        "hw.engine",
        "sw.compiler",
        "sw.cycle_model.machine",
    },  # in RTL
    "tests/sim/test_products.py": {
        "hw.diagonal_tile",
        "hw.residual_port",
        "sim.iss_product",
        "sim.random_products",
    },
    "tests/sim/test_depthwise.py": {"hw.taps", "hw.row_ring", "sim.iss_fir", "sw.depthwise"},
    "tests/sim/test_tables.py": {"hw.tables", "sim.iss_tables", "sw.table_slots"},
    "tests/sim/test_functions.py": {"quant.functions", "sw.passes_tables", "sim.rtl"},  # from files to RTL
    "tests/sim/test_engine.py": {"hw.engine", "sim.rtl"},  # control, errors, restart
    "tests/sim/test_engine_axi.py": {"hw.engine"},  # a memory written by others
    "tests/sim/test_engine_throughput.py": {"hw.engine", "sim.rtl"},
}
"""Tests of several modules at once, which bear no module's name."""


def module_name(path: Path) -> str:
    """``sw.demo.run`` of sw/demo/run.py; ``sw`` of sw/__init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path) for path in SOURCES}


def within(name: str, allowed: set[str]) -> bool:
    """Whether a module is one of ``allowed`` or inside of one."""
    return any(name == item or name.startswith(f"{item}.") for item in allowed)


def is_front(name: str) -> bool:
    """The front door, its files sw.api_*, sw.cli_* and the folder sw/demo."""
    return name.startswith(FRONT)


def imports(path: Path) -> Iterator[str]:
    """Modules a file imports: those of the project without ``systolith.``, those of packages whole.

    Imports inside functions count; those for the type checker alone do not.
    """
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.removeprefix("systolith.")
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])]).removeprefix("systolith.")
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield name if name in MODULES else base


def place(path: Path) -> str:
    """The path inside the project."""
    return path.relative_to(ROOT).as_posix()


def outside(name: str) -> bool:
    """Not of the project and not of the standard library."""
    top = name.split(".")[0]
    return top not in FOLDERS and top not in sys.stdlib_module_names


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_import_arrows(path: Path) -> None:
    name = module_name(path)
    folder = name.split(".")[0]
    for imported in imports(path):
        if is_front(name):
            continue
        assert not is_front(imported), f"{name} imports {imported}, which belongs to the front door"
        if outside(imported):
            allowed = set() if name in PLAIN else PACKAGES[folder]
            assert imported.split(".")[0] in allowed, f"{name} imports {imported}"
        elif imported.split(".")[0] in FOLDERS:
            assert within(imported, PLAIN if name in PLAIN else ARROWS[folder]), f"{name} imports {imported}"


@pytest.mark.parametrize("package", WHERE)
def test_packages_with_one_user(package: str) -> None:
    users = {module_name(path) for path in SOURCES if any(within(i, {package}) for i in imports(path))}
    assert {name for name in users if not is_front(name)} <= WHERE[package]


def test_hw_package_imports_nothing() -> None:
    assert (ROOT / "hw" / "__init__.py").read_text().strip() == ""


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))], ids=place)
def test_files_are_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LINES, f"{place(path)} has {lines} lines"


def test_tests_are_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.parametrize("path", TESTS, ids=place)
def test_tests_mirror_modules(path: Path) -> None:
    module = f"{path.parent.name}.{path.stem.removeprefix('test_')}"
    assert {module} <= MODULES or (place(path) in SEVERAL and SEVERAL[place(path)] <= MODULES)
