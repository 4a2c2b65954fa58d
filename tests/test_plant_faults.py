"""The planted faults fit the RTL of today; that tests catch them, `make test-slow` shows."""

import runpy
from pathlib import Path

FAULTS = runpy.run_path(str(Path(__file__).parent / "plant_faults.py"))


def test_every_planted_fault_has_its_place() -> None:
    assert FAULTS["misplaced"](FAULTS["FAULTS"]) == []


def test_a_fault_without_a_place_is_named() -> None:
    fault = FAULTS["FAULTS"][0]
    (line,) = FAULTS["misplaced"]([fault, fault._replace(name="gone", old="no such text")])
    assert line == f"gone: 'no such text' is 0 times in hw/{fault.file}, must be once"


def test_the_tests_of_planted_faults_are_there() -> None:
    for fault in FAULTS["FAULTS"]:
        path, _, name = fault.test.partition("::")
        text = (Path(__file__).parent.parent / path).read_text()
        assert f"def {name or 'test_'}" in text, fault.test
