"""One design on one device: yosys once, nextpnr once a seed, the packer once; each step kept by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .api_files import write_whole
from .floorplan import floor_plan
from .synthesis_devices import PLACERS, Device
from .synthesis_report import clock_mhz, too_small
from .synthesis_tools import SynthesisError, find, run, run_yosys, synthesis_folder, version

__all__ = ["Flow", "loosen"]


def _short(*parts: str, digits: int = 8) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:digits]


def loosen(design: dict[str, Any], kind: str, port: str, driver: str) -> int:
    """Disconnect ``port`` of every cell of a ``kind`` in yosys's JSON where a cell ``driver`` drives it; how many."""
    count = 0
    for module in design["modules"].values():
        cells = module.get("cells", {}).values()
        constant = {
            bit
            for cell in cells
            if cell["type"] == driver
            for bits in cell["connections"].values()
            for bit in bits
        }
        for cell in cells:
            if cell["type"] == kind and constant.issuperset(cell["connections"].get(port, ["none"])):
                del cell["connections"][port]
                count += 1
    return count


@dataclass(frozen=True, kw_only=True)
class Flow:
    """netlist() -> route(seed) -> pack(seed), in ``folder``.

    ``text``: the design as RTLIL, its top module ``top``. ``pins``: as the family's nextpnr wants them told, "" for
    none. ``aim``: MHz that nextpnr is told. ``say`` is told what happens, a line at a time.
    """

    device: Device
    text: str
    top: str
    pins: str
    speed: int | None
    aim: float
    say: Callable[[str], None]

    def _tool(self, place: int) -> Path:
        name = self.device.family.programs[place]
        return find(name, self.device.family.packages[name])

    def _version(self, place: int) -> str:
        return version(self._tool(place), self.device.family.packages[self.device.family.programs[place]])

    @cached_property
    def _synth(self) -> str:
        return self.device.family.synth.format(top=self.top, **self.device.words)

    @cached_property
    def folder(self) -> Path:
        """Of this netlist by these tools; made."""
        key = _short(
            self._version(0),
            self._version(1),
            self._synth,
            str(self.device.family.floating),
            self.text,
            digits=16,
        )
        folder = synthesis_folder() / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @cached_property
    def _options(self) -> list[str]:
        speed = [] if self.speed is None else ["--speed", str(self.speed)]
        family = self.device.family
        router = ["--router", family.router] if family.router else []
        placer = self.device.placer or family.placer
        if placer not in ("", PLACERS[0]):
            router = ["--placer", placer, *router]
        return [*family.place[1:], *router, *self.device.arguments, *speed, "--freq", f"{self.aim:g}"]

    def name(self, seed: int) -> str:
        """Of the files of one run of nextpnr."""
        plan = [] if self.device.blocks is None else [str(self.device.blocks)]
        return f"{self.device.name}_{_short(*self._options, self.pins, *plan)}_{seed}"

    def _routed(self, seed: int) -> str:
        return f"routed_{self.name(seed)}.{self.device.family.routed_name}"

    def netlist(self) -> None:
        """Of the family's cells, with places for the scratchpad where the device has any."""
        if not (self.folder / "netlist.json").exists():
            self._netlist()
        if not (self.folder / self._planned).exists():
            design = json.loads((self.folder / "netlist.json").read_text())
            assert self.device.blocks is not None
            floor_plan(design, self.device.blocks)
            write_whole(self.folder / self._planned, json.dumps(design))

    @cached_property
    def _planned(self) -> str:
        blocks = self.device.blocks
        return "netlist.json" if blocks is None else f"planned_{self.device.name}_{_short(str(blocks))}.json"

    def _netlist(self) -> None:
        folder = self.folder
        self.say(f"yosys: {self._synth}, {len(self.text) / 2**20:.1f} MB of RTLIL, in {folder}")
        (folder / "component.il").write_text(self.text)
        run_yosys(self._tool(0), self._synth, "write_json netlist.new", folder)
        if self.device.family.floating is not None:
            design = json.loads((folder / "netlist.new").read_text())
            loosen(design, *self.device.family.floating)
            (folder / "netlist.new").write_text(json.dumps(design))
        (folder / "netlist.new").rename(folder / "netlist.json")

    def route(self, seed: int) -> dict[str, Any]:
        """nextpnr's report. Raises SynthesisError that says of what the device has too little."""
        name, folder, family = self.name(seed), self.folder, self.device.family
        report = folder / f"report_{name}.json"
        if not report.exists():
            self.say(f"nextpnr: {self.device.name}, aiming at {self.aim:g} MHz, seed {seed}")
            options = [*self._options, "--json", self._planned, "--seed", str(seed)]
            options += ["--report", f"report_{name}.new", "-l", f"nextpnr_{name}.log"]
            options += [word.format(routed=self._routed(seed)) for word in family.routed]
            if self.pins:
                (folder / f"pins_{name}").write_text(self.pins)
                options += [word.format(pins=f"pins_{name}") for word in family.pins]
            try:
                run([str(self._tool(1)), *options], folder, f"nextpnr_{name}.out")
            except SynthesisError as error:
                missing = too_small(folder / f"nextpnr_{name}.log")
                if not missing:
                    raise
                raise SynthesisError(
                    f"the design does not fit {self.device.name}: it needs {', '.join(missing)}; choose a smaller "
                    f"engine (--rows, --cols, --scratchpad, --acc-depth) or a larger device"
                ) from error
            (folder / f"report_{name}.new").rename(report)
        result: dict[str, Any] = json.loads(report.read_text())
        self.say(f"nextpnr: seed {seed}: {clock_mhz(result):.1f} MHz")
        return result

    def pack(self, seed: int, patch: Callable[[str], str] | None = None) -> Path:
        """The bitstream of a seed that was routed, or of what ``patch`` makes of it."""
        family, folder, routed = self.device.family, self.folder, self._routed(seed)
        if patch is not None:
            text = patch((folder / routed).read_text())
            routed = f"routed_{self.name(seed)}_{_short(text)}.{family.routed_name}"
            (folder / routed).write_text(text)
        key = _short(self._version(2), *family.pack, routed)
        packed = folder / f"{self.name(seed)}_{key}.{family.suffix}"
        if not packed.exists():
            self.say(f"{family.pack[0]}: {packed.name}")
            words = {"routed": routed, "bitstream": f"new_{packed.name}", **self.device.words}
            command = [word.format(**words) for word in family.pack[1:]]
            run([str(self._tool(2)), *command], folder, f"pack_{packed.stem}.out")
            (folder / f"new_{packed.name}").rename(packed)
        return packed
