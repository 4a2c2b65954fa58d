"""docs/operators.md: every operator has an entry, every proof exists, the page is what the code says."""

import ast
from functools import cache
from pathlib import Path

import pytest
from systolith.sw import onnx_reader_facts, operator_docs
from systolith.sw.onnx_reader_facts import FACTS, Facts
from systolith.sw.onnx_reader_ops import CONVERTERS, CURES, FOLDED, HOST
from systolith.sw.operator_docs import main, operator_names, operators_page, refusals

ROOT = Path(__file__).resolve().parents[2]


@cache
def functions(path: Path) -> frozenset[str]:
    """The test functions of a file."""
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "operators.md").read_text()
    assert page == operators_page(), "run python -m systolith.sw.operator_docs"


def test_main_writes_the_page(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "operators.md").read_text() == operators_page()


@pytest.mark.parametrize("operator", operator_names())
def test_every_operator_is_proved(operator: str) -> None:
    """The test exists, in a file that names the operator."""
    path, _, test = FACTS[operator].proof.partition("::")
    folder, _, name = path.rpartition("/")
    file = ROOT / "tests" / folder / f"test_{name}.py"
    assert f"test_{test}" in functions(file), FACTS[operator].proof
    text = file.read_text().lower().replace("_", "")
    assert operator.lower() in text, f"{file.name} does not name {operator}"


def test_operators_have_entries_and_docstrings() -> None:
    assert set(FACTS) == set(operator_names())
    assert set(CONVERTERS) >= FOLDED | HOST and not FOLDED & HOST
    assert all(function.__doc__ for function in CONVERTERS.values())
    assert all(facts.covers for facts in FACTS.values()) and all(CURES.values())


def test_an_operator_without_entry_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {**FACTS, "Nothing": Facts("all", "", "sw/onnx_reader::auto_pad")}
    monkeypatch.setattr(operator_docs, "FACTS", facts)
    with pytest.raises(ValueError, match="FACTS must not name Nothing: no converter takes them"):
        operators_page()
    monkeypatch.setattr(operator_docs, "FACTS", {k: v for k, v in FACTS.items() if k != "Conv"})
    with pytest.raises(ValueError, match="Conv must have an entry each in onnx_reader_facts.FACTS"):
        operators_page()
    assert "Nothing" not in onnx_reader_facts.FACTS


def test_refusals_are_found_in_the_source() -> None:
    """As a reader of the source finds them: through helpers, names and conditions."""
    found = refusals()
    said = "its input has its channels last", "export the model channels first (NCHW)"
    assert found[said] == (
        "Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "SpaceToDepth",
    )  # fmt: skip
    assert found[
        "it reshapes ... to ...",
        "reshape only to join neighbouring axes, as Flatten does, or to part them again",
    ]
    assert found["its ... output channels do not fall into ... groups", "export the model again"] == ("Conv",)
    assert all("Gemm" not in operators for (why, _), operators in found.items() if "auto_pad" in why)
    raised = sum(
        path.read_text().count("raise Unsupported(") for path in (ROOT / "sw").glob("onnx_reader_*.py")
    )
    assert len(found) >= raised * 0.9
