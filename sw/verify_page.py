"""What ``verify`` found as a chapter of a page: codes compared, codes wrong, the first place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import page
from .page import Chapter, text
from .verify import MODELS

__all__ = ["verify_chapter", "verify_verdict"]

_NAMES = {"onnxruntime": "ONNX Runtime", "iss": "instruction-set simulator", "rtl": "RTL"}


def verify_verdict(found: Mapping[str, Any]) -> str:
    """One sentence of a document of ``verify --json``."""
    images = f"{found['images']} image{'s' * (found['images'] > 1)}"
    if found["ok"]:
        codes = sum(found["compared"].values())
        return f"Verified: {codes:,} codes of {images} are equal in all models, to the bit."
    first, errors = found["first_mismatch"], "; ".join(found["errors"])
    if first is None:
        return f"Not verified: {errors}"
    got = "nothing" if first["got"] is None else first["got"]
    return (
        f"Not verified: {_NAMES[first['model']]} parts from the reference in tensor {first['tensor']!r}, image "
        f"{first['n']}, y {first['y']}, x {first['x']}, channel {first['channel']}: "
        f"expected {first['expected']}, got {got}"
    )


def verify_chapter(found: Mapping[str, Any]) -> Chapter:
    """A line a layer, the verdict above."""
    rows = []
    for row in found["layers"]:
        cells = [text(row["name"]), " \u00d7 ".join(map(str, row["shape"]))]
        for model in MODELS:
            compared, wrong = row["compared"][model], row["mismatches"][model]
            cells.append(page.warned(f"{wrong:,}", wrong > 0) + f" of {compared:,}" if compared else "\u2013")
        rows.append(cells)
    head = ("layer", "output", *(f"wrong, {_NAMES[model]}" for model in MODELS))
    calm = verify_verdict(found)
    verdict = page.words([] if found["ok"] else [text(calm)], calm)
    return Chapter(
        "verified", "Verified", [verdict, page.panel(page.table(head, rows, right=(2, 3, 4)), wide=True)]
    )
