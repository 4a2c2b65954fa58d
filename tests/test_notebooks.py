"""The committed notebooks: executed, without logic of their own, without traces of a machine.

`make notebooks` runs them.
"""

import ast
import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LOGIC = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.For,
    ast.While,
    ast.If,
    ast.Try,
    ast.With,
)
ROOTS = ("home", "root", "tmp", "Users", "work", "usr", "opt", "var")
TRACES = re.compile(
    rf"(?<![\w.])/(?:{'|'.join(ROOTS)})/|[A-Z]:\\|site-packages|localhost|20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d"
)
WORDS_A_MINUTE = 200
MINUTES = 10


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_there_are_some_and_the_readme_names_them() -> None:
    readme = (ROOT / "notebooks" / "README.md").read_text()
    assert NOTEBOOKS and all(f"({path.name})" in readme for path in NOTEBOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_no_logic_of_their_own(path: Path) -> None:
    for cell in cells(path, "code"):
        for node in ast.walk(ast.parse(source(cell))):
            assert not isinstance(node, LOGIC), source(cell)
            if isinstance(node, ast.Import):
                raise AssertionError(f"imports {[alias.name for alias in node.names]}")
            if isinstance(node, ast.ImportFrom):
                assert (node.module, [alias.name for alias in node.names]) == ("systolith.sw", ["api"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_those_of_one_clean_run(path: Path) -> None:
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert outputs and all(output["output_type"] != "error" for output in outputs)
    assert all(output.get("name") != "stderr" for output in outputs)
    pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert pictures and all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_no_traces_of_a_machine_or_a_day(path: Path) -> None:
    document = json.loads(path.read_text())
    assert document["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in document["cells"]:
        assert cell["metadata"] == {}
        for output in cell.get("outputs", []):
            data = dict(output.get("data", {}))
            picture = base64.b64decode(data.pop("image/png", ""))
            assert b"tEXt" not in picture or b"Software\x00systolith" in picture
            assert not TRACES.search(json.dumps([data, output.get("text")]))
        assert not TRACES.search(source(cell))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_read_in_ten_minutes(path: Path) -> None:
    words = sum(len(source(cell).split()) for cell in cells(path, "markdown"))
    assert words <= WORDS_A_MINUTE * MINUTES
