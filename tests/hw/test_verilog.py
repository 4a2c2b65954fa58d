"""The Verilog text: deterministic, shared modules, readable names, no warnings."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out
from systolith.hw.config import EngineConfig
from systolith.hw.verilog import WAIVERS, engine_verilog, to_verilog
from systolith.sim.toolchain import find_toolchain


class Leaf(Component):
    """q = d + step, a cycle later."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__({"d": In(8), "q": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.q.eq(self.d + self.step)
        return m


class Pair(Component):
    """Two leaves one after the other."""

    def __init__(self, steps: tuple[int, int]) -> None:
        self.steps = steps
        super().__init__({"d": In(8), "q": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        between: Any = self.d
        for number, step in enumerate(self.steps):
            m.submodules[f"leaf_{number}"] = leaf = Leaf(step)
            m.d.comb += leaf.d.eq(between)
            between = leaf.q
        m.d.comb += self.q.eq(between)
        return m


class Top(Component):
    """Three pairs, two of them equal."""

    def __init__(self) -> None:
        super().__init__({"d": In(8), "q": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        between: Any = self.d
        for number, steps in enumerate(((1, 1), (1, 1), (1, 2))):
            m.submodules[f"pair_{number}"] = pair = Pair(steps)
            m.d.comb += pair.d.eq(between)
            between = pair.q
        unused = Signal()
        m.d.comb += [self.q.eq(between), unused.eq(1)]
        return m


def _lint(text: str, top: str, folder: Path) -> str:
    tools = find_toolchain()
    source = folder / "text.v"
    source.write_text(text)
    command = [str(tools.verilator), "--lint-only", "-Wall", "--quiet", "--top-module", top, str(source)]
    done = subprocess.run(command, env=tools.environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_equal_modules_are_written_once(tmp_path: Path) -> None:
    text = to_verilog(Top(), "top", header="A test.\nOf two lines.")
    assert text.startswith("// A test.\n// Of two lines.\n")
    names = re.findall(r"^module (\w+)", text, re.MULTILINE)
    assert sorted(names) == ["top", "top_leaf", "top_pair", "top_pair_2", "top_pair_2_leaf_1"]
    assert len(re.findall(r"^  top_pair pair_[01] \($", text, re.MULTILINE)) == 2
    assert _lint(text, "top", tmp_path) == ""


def test_deterministic() -> None:
    text = to_verilog(Top(), "top")
    assert text == to_verilog(Top(), "top")
    assert "verilog_backend" not in text
    assert not re.search(r"\bsrc\b|\.py", text)


@pytest.mark.parametrize("name", ["", "a b", "1st", "top\n"])
def test_name(name: str) -> None:
    with pytest.raises(ValueError, match="name must be an identifier"):
        to_verilog(Top(), name)


@pytest.mark.parametrize("sizes", [(1, 1), (3, 5)])
def test_engine_lints(sizes: tuple[int, int], tmp_path: Path) -> None:
    config = EngineConfig(rows=sizes[0], cols=sizes[1], scratchpad=4096, acc_depth=64)
    text = engine_verilog(config)
    assert config.describe() in text.splitlines()[1]
    assert f"{config.hash:#010x}" in text.splitlines()[2]
    assert all(reason in text for reason in WAIVERS.values())
    assert _lint(text, "engine", tmp_path) == ""


class Sums(Component):
    """o = the sum of signals of others, and of ``child``'s."""

    def __init__(self, signals: list[Signal], child: "Sums | None" = None) -> None:
        self.signals, self.child = signals, child
        super().__init__({"o": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.o.eq(Cat(*self.signals) + (0 if self.child is None else self.child.o))
        if self.child is not None:
            m.submodules.child = self.child
        return m


class Passing(Component):
    """Two signals without names go into ``parent``, the second one through it into ``child``."""

    def __init__(self) -> None:
        super().__init__({"a": In(8), "o": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        first, second = [Signal(8) for _ in range(2)]
        m.d.sync += [first.eq(self.a), second.eq(first)]
        m.submodules.parent = parent = Sums([first[2:5], second[1:4]], Sums([second[1:4]]))
        m.d.comb += self.o.eq(parent.o)
        return m


def test_ports_without_names_pass_through() -> None:
    """An instance's ports are called as its module calls them, not as the module around it does."""
    text = to_verilog(Passing(), "top")
    modules = {
        match[1]: match[2] for match in re.finditer(r"^module (\w+) (.*?)^endmodule", text, re.M | re.S)
    }
    ports = {name: set(re.findall(r"port_\d", body.split(";")[0])) for name, body in modules.items()}
    assert ports == {"top": set(), "top_parent": {"port_0", "port_1"}, "top_parent_child": {"port_0"}}
    (inside,) = re.findall(r"top_parent_child child \((.*?)\);", modules["top_parent"], re.S)
    assert set(re.findall(r"\.(port_\d) \((port_\d) \)", inside)) == {("port_0", "port_1")}
