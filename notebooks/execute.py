"""Run the notebooks from top to bottom, each in a fresh kernel and an empty folder, warnings as errors.

    python notebooks/execute.py [--check] [NAME.ipynb ...]

Writes the outputs back, without anything that depends on machine or day; ``--check`` writes nothing. Exit
status 1: a cell failed or complained.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent
LIMIT = 600
"""Seconds a cell may take."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
STRICT = "import warnings\nwarnings.simplefilter('error')"
LENIENT = "warnings.simplefilter('default')"
"""After the last cell: what the kernel itself says when it ends is not the notebook's."""


def execute(path: Path) -> Any:
    """The executed notebook; raises CellExecutionError, or ValueError for a cell that complains on stderr."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [nbformat.v4.new_code_cell(STRICT), *notebook.cells, nbformat.v4.new_code_cell(LENIENT)]
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=LIMIT,
            kernel_name="python3",
            extra_arguments=["--log-level=ERROR"],  # its advice on transports is not for a test
            resources={"metadata": {"path": folder}},
        )
        client.execute()
    notebook.cells = notebook.cells[1:-1]
    return cleaned(notebook)


def cleaned(notebook: Any) -> Any:
    """The same cells, numbered from 1, without times, versions and names of machines."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    count = 0
    for i, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{i}", {}
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                raise ValueError(f"cell {count} complains: {output.text}")
            if "execution_count" in output:
                output.execution_count = count
            if "metadata" in output:
                output.metadata = {}
    return notebook


def main(words: list[str]) -> int:
    """Execute the notebooks named, or all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("names", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb")))
    chosen = parser.parse_args(words)
    failed = 0
    for path in chosen.names:
        start = time.monotonic()
        try:
            notebook = execute(path)
        except (CellExecutionError, ValueError) as error:
            failed += 1
            print(f"{path.name}: failed\n{COLOURS.sub('', str(error))}", file=sys.stderr)
            continue
        if not chosen.check:
            nbformat.validate(notebook)
            path.write_text(nbformat.writes(notebook) + "\n")
        print(f"{path.name}: {len(notebook.cells)} cells, {time.monotonic() - start:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
