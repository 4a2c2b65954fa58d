"""A sweep's results as chapters of a page: heat map over rows x cols, Pareto front, table of points.

From ``sweep.json`` as ``systolith sweep`` leaves it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from . import page
from .page import Chapter, Tile, text
from .page_charts import Frame, label, number
from .page_timeline import legend

__all__ = ["sweep_chapters", "sweep_tiles"]

_MOST = 400
"""Points in the table."""

_GROUPS = 4
"""Colours of the chart."""

_FIXED = ("cycles", "utilization, %", "images/s/MHz", "weights, KB", "act., KB", "spills, KB", "energy, \u00b5J",
          "memory, Kbit")  # fmt: skip

_CELLS = ("LUT", "FF", "DSP", "BRAM", "MHz")

Row = Mapping[str, Any]


def sweep_tiles(found: Row) -> list[Tile]:
    """The figures to see first."""
    points = _good(found)
    if not points:
        return [("engines", f"{len(found['points'])}", "none of them can run it")]
    fast = max(points, key=_rate)
    dense = max(points, key=lambda row: row["utilization"])
    refused = len(found["points"]) - len(points)
    return [
        ("engines", f"{len(points):,}", f"{refused:,} more were refused" if refused else "all of the grid"),
        ("fastest", f"{_size(fast)}", f"{_rate(fast):.4g} images a second for each MHz"),
        ("best used", f"{_size(dense)}", f"{100 * dense['utilization']:.1f} % of the array"),
        (
            "worth their multipliers",
            f"{sum(row['front'] for row in points):,}",
            "no other gives more for as few",
        ),
    ]


def sweep_chapters(found: Row) -> list[Chapter]:
    """In the order of reading."""
    points = _good(found)
    if not points:
        return [Chapter("points", "Points", [_refusals(found)])]
    groups = list(dict.fromkeys(_group(row) for row in points))
    heat = page.panel(_heat(points), wide=True)
    note = (
        "Utilization of one image in percent, the best point of each array where several were tried. Point at a "
        "square for its cycles."
    )
    colors = [(f"t{n % _GROUPS}", group) for n, group in enumerate(groups)]
    words = "Filled points: no other of their widths gives more images for as few multipliers. Both axes logarithmic."
    front = page.panel(legend(colors), f'<div class="figure">{_front(points, groups)}</div>', wide=True)
    return [
        Chapter("heat", "Utilization over array size", [heat, _note(note)]),
        Chapter("front", "Throughput against multipliers", [front, _note(words)]),
        Chapter("points", "Points", [page.panel(_table(found, points), wide=True), *_below(found, points)]),
    ]


def _good(found: Row) -> list[Row]:
    return [row for row in found["points"] if row["status"] == "ok"]


def _rate(row: Row) -> float:
    return float(row["images_per_second_per_mhz"])


def _size(row: Row) -> str:
    return f"{row['rows']} \u00d7 {row['cols']}"


def _group(row: Row) -> str:
    return f"weights {row['wgt_width']} bits, activations {row['act_width']}"


def _note(words: str) -> str:
    return f'<p class="note">{text(words)}</p>'


# Pictures ------------------------------------------------------------------------------------------


def _heat(points: Sequence[Row]) -> str:
    best: dict[tuple[int, int], Row] = {}
    for row in points:
        place = row["rows"], row["cols"]
        if place not in best or row["cycles"] < best[place]["cycles"]:
            best[place] = row
    rows, cols = sorted({row for row, _ in best}), sorted({col for _, col in best})
    cell, left, top = 46.0, 44.0, 6.0
    width, height = left + cell * len(cols) + 6, top + cell * len(rows) + 34
    shapes = []
    for (high, wide), found in best.items():
        x, y = left + cell * cols.index(wide), top + cell * (len(rows) - 1 - rows.index(high))
        used = found["utilization"]
        words = f"{high} x {wide}: {100 * used:.1f} %, {found['cycles']:,} cycles"
        shapes.append(
            f'<rect class="heat" style="fill-opacity: {0.08 + 0.92 * used**2:.3f}" x="{x + 1:g}" y="{y + 1:g}" '
            f'width="{cell - 2:g}" height="{cell - 2:g}"><title>{text(words)}</title></rect>'
        )
        kind = "onbar" if used > 0.85 else "strong"
        shapes.append(label(x + cell / 2, y + cell / 2 + 4, f"{100 * used:.0f}", "middle", kind))
    base = top + cell * len(rows)
    shapes += [label(left + cell * (i + 0.5), base + 14, str(col)) for i, col in enumerate(cols)]
    shapes += [label(left - 6, base - cell * (i + 0.5) + 4, str(row), "end") for i, row in enumerate(rows)]
    shapes.append(label(left + cell * len(cols) / 2, base + 29, "cols: output channels at a time"))
    middle = base - cell * len(rows) / 2
    shapes.append(f'<text transform="translate(12 {middle:g}) rotate(-90)" text-anchor="middle">rows</text>')
    style = f"min-width: {min(0.8 * width, 900):.0f}px; max-width: {1.3 * width:.0f}px"
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="Utilization over rows and cols" '
        f'style="{style}">' + "".join([*shapes, "</svg>"])
    )


def _front(points: Sequence[Row], groups: Sequence[str]) -> str:
    xs, ys = [math.log2(row["multipliers"]) for row in points], [math.log10(_rate(row)) for row in points]
    room = 0.06 * (max(ys) - min(ys)) or 0.1
    frame = Frame((min(xs) - 0.4, max(xs) + 0.4), (min(ys) - room, max(ys) + 2 * room), 640, 330, 34, 20)
    marks = {float(k): f"{2**k:,}" for k in range(math.ceil(min(xs)), math.floor(max(xs)) + 1)}
    low, high = 10 ** (min(ys) - room), 10 ** (max(ys) + 2 * room)
    digits = (1, 2, 5) if high / low > 4 else (1, 1.5, 2, 3, 4, 5, 7)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [digit * 10.0**power for power in powers for digit in digits]
    shapes = frame.axes(marks, {math.log10(v): number(v) for v in values if low <= v <= high}, "multipliers")
    shapes.append(label(frame.left - 28, frame.top - 7, "images a second for each MHz", "start", "strong"))
    for n, group in enumerate(groups):
        color, chosen = f"t{n % _GROUPS}", [row for row in points if _group(row) == group]
        line = sorted((row for row in chosen if row["front"]), key=lambda row: row["multipliers"])
        path = "".join(
            f"{'H' if i else 'M'}{frame.x(math.log2(row['multipliers'])):.1f}"
            f"{'V' if i else ' '}{frame.y(math.log10(_rate(row))):.1f}"
            for i, row in enumerate(line)
        )
        shapes.append(f'<path class="step {color}" d="{path}"/>')
        for row in chosen:
            words = f"{_size(row)}, {group}: {_rate(row):.4g} images/s/MHz, {100 * row['utilization']:.1f} %"
            size, opacity = (4.5, 1.0) if row["front"] else (3.0, 0.35)
            shapes.append(
                f'<circle class="{color}" style="fill-opacity: {opacity:g}" '
                f'cx="{frame.x(math.log2(row["multipliers"])):.1f}" cy="{frame.y(math.log10(_rate(row))):.1f}" '
                f'r="{size}"><title>{text(words)}</title></circle>'
            )
    return frame.svg("Images a second for each MHz by multipliers", shapes)


# Table ---------------------------------------------------------------------------------------------


def _swept(found: Row) -> list[str]:
    return [name for name, values in found["axes"].items() if len(values) > 1 or name in ("rows", "cols")]


def _table(found: Row, points: Sequence[Row]) -> str:
    """The fastest first; those on the front in bold."""
    swept, shown = _swept(found), sorted(points, key=lambda row: -_rate(row))[:_MOST]
    accuracy, placed = (any(key in row for row in points) for key in ("accuracy", "resources"))
    head = (*swept, *_FIXED, *(("top-1, %", "agreement, %") if accuracy else ()), *(_CELLS if placed else ()))
    lines = []
    for row in shown:
        moved = row["bytes"]
        cells = [*(str(row[name]) for name in swept), f"{row['cycles']:,}", f"{100 * row['utilization']:.1f}",
                 f"{_rate(row):.4g}", *(f"{moved[kind] / 1000:,.1f}" for kind in ("weights", "activations", "spills")),
                 f"{row['energy_pj']['total'] / 1e6:,.1f}", f"{row['memory_bits']['total'] / 1024:,.0f}"]  # fmt: skip
        if accuracy:
            known = row.get("accuracy", {})
            cells += ["\u2013" if known.get(k) is None else f"{known[k]:.2f}" for k in ("top1", "agreement")]
        if placed:
            counts, clock = row.get("resources", {}), row.get("resources", {}).get("fmax_mhz")
            cells += [f"{counts[k]:,}" if k in counts else "\u2013" for k in ("lut", "ff", "dsp", "bram")]
            cells.append("\u2013" if clock is None else f"{clock:.1f}")
        lines.append([f"<b>{cell}</b>" for cell in cells] if row["front"] else cells)
    return page.table(head, lines, right=range(len(head)))


def _below(found: Row, points: Sequence[Row]) -> list[str]:
    """What the table leaves out, and what its figures are."""
    words = [
        f"Fastest first; in bold those on the front. Energy to rank, not to predict: {found['energy_source']}"
    ]
    origin = next((row["resources"] for row in points if "resources" in row), None)
    if origin is not None:
        how = "a model, the clock an estimate" if origin["source"] == "model" else "place and route"
        words.append(f"LUT, FF, DSP, BRAM, MHz: of the engine alone on {origin['device']}, by {how}.")
    if len(points) > _MOST:
        words.append(f"{_MOST} of {len(points):,} points; all of them are in sweep.csv.")
    pieces = [_note(sentence) for sentence in words]
    for proof in found.get("proofs", ()):
        pieces.append(
            _note(f"Run in RTL (seed {proof['seed']}): {proof['engine']}: {proof['rtl_cycles']:,} cycles, "
                  f"{proof['cycles']:,} in the cycle model; {proof['wrong']:,} codes wrong.")
        )  # fmt: skip
    return [*pieces, _refusals(found)] if len(points) < len(found["points"]) else pieces


def _refusals(found: Row) -> str:
    """Reasons, each once, with the number of its points."""
    reasons: dict[str, int] = {}
    for row in found["points"]:
        if row["status"] != "ok":
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
    most = sorted(reasons.items(), key=lambda item: -item[1])[:20]
    return page.words([f"{count:,} \u00d7 {text(reason)}" for reason, count in most], "Nothing was refused.")
