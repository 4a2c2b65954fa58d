"""What the documentation says: generated pages, links, examples that run, commands that exist."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from systolith.quant.search import METHODS
from systolith.sw import api_datasheet
from systolith.sw.cli_options import ENGINE, parser
from systolith.sw.cli_texts import TEXTS
from systolith.sw.isa_docs import isa_page, main, registers_page

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
RUNNABLE = [page for page in PAGES if re.search(r"^```\w+ runnable$", page.read_text(), re.MULTILINE)]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, info: str) -> list[str]:
    return re.findall(rf"^```{info}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("page", "text"), [("isa.md", isa_page()), ("registers.md", registers_page())])
def test_generated_pages_are_current(page: str, text: str) -> None:
    assert (DOCS / page).read_text() == text, "run python -m systolith.sw.isa_docs"


def test_page_of_the_block_is_current(tmp_path: Path) -> None:
    assert api_datasheet.main([str(tmp_path / "ip.md")]) == 0
    assert (DOCS / "ip.md").read_text() == (tmp_path / "ip.md").read_text(), (
        "run python -m systolith.sw.api_datasheet"
    )


def test_generator_writes_both_pages(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"isa.md", "registers.md"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", RUNNABLE, ids=name)
def test_examples_run(page: Path, tmp_path: Path) -> None:
    # One folder for the whole page: later examples use the files of earlier ones.
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}"}
    for block in re.findall(
        r"^```(sh|python) runnable\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
    ):
        language, text = block
        shell = ["bash", "-euo", "pipefail", "-c"]
        command = [*shell, text] if language == "sh" else [sys.executable, "-c", text]
        run = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, f"{text}\n{run.stdout}\n{run.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_are_accepted(page: Path) -> None:
    """Commands in blocks of shell have the options that the command line has."""
    for block in blocks(page, "sh(?: runnable)?"):
        for line in block.splitlines():
            words = shlex.split(line)
            if words and words[0] == "systolith":
                parser().parse_args(words[1:])


def test_readme_lists_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    assert all(f"`systolith {command}" in readme for command in TEXTS)


def test_every_method_and_engine_option_is_explained() -> None:
    numerics, guide = (DOCS / "numerics.md").read_text(), (DOCS / "user-guide.md").read_text()
    assert all(f"`{method}`" in numerics for method in METHODS)
    assert all(f"--{option.replace('_', '-')}`" in guide for option, _, _ in ENGINE)


def test_readme_lists_the_targets_of_make() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    targets = set(phony[1].split()) - {"help", "clean", "check-system"}
    readme = (ROOT / "README.md").read_text()
    assert all(f"`make {target}`" in readme for target in targets)


def test_decisions_are_numbered_and_complete() -> None:
    records = sorted((DOCS / "decisions").glob("*.md"))
    assert [record.name[:4] for record in records] == [f"{i:04d}" for i in range(1, len(records) + 1)]
    for record in records:
        text = record.read_text()
        assert text.startswith(f"# {record.name[:4]}: ")
        for part in ("Motivation", "Decision", "Alternatives", "Drawbacks"):
            assert f"**{part}.**" in text, f"{record.name} has no {part}"
        assert "\n- A. " in text


def test_picture_is_small() -> None:
    assert (DOCS / "demo.png").stat().st_size < 150_000
