"""The list of cases."""

import pytest
from systolith.sw.benchmark.cases import CASES, Target, chosen
from systolith.sw.benchmark.sources import DATA, find


def test_names_are_unique_and_networks_known() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    for network in {case.network for case in CASES} - {"vgg16", "resnet50"}:
        find(network, DATA)  # raises for a name that nothing has


def test_chosen() -> None:
    fast, every = chosen([], False), chosen([], True)
    assert set(fast) < set(every) == set(CASES) and not any(case.slow for case in fast)
    assert [case.name for case in chosen(["vgg16", "demo"], False)] == ["vgg16", "demo"]
    with pytest.raises(ValueError, match=r"case 'nngen' does not exist: one of 'resnet20'"):
        chosen(["nngen"], False)


def test_steady_cases_have_images_to_compare() -> None:
    assert all(case.images >= 2 for case in CASES if case.steady)
    assert all(case.images >= 2 for case in CASES for t in case.targets if t.what == "back to back")


def test_targets_as_text() -> None:
    assert str(Target("cycles", 51_500)) == "<= 51,500 cycles"
    assert str(Target("bound", 1.5)) == "within 1.5 points of the bound"
    assert str(Target("one image", 97.5)) == "one image >= 97.5 %"
