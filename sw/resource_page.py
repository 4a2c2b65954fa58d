"""What an engine takes: multipliers and memories of its description; cells and clock of place and route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import page
from .page import Chapter, Tile, text

__all__ = ["Stock", "resource_chapter", "resource_tiles"]


@dataclass(frozen=True, kw_only=True)
class Stock:
    """Multipliers by (bits, bits), memories by (bits, words), both with their number; block RAMs of an ECP5."""

    multipliers: Mapping[tuple[int, int], int]
    memories: Mapping[tuple[int, int], int]
    ecp5_blocks: int

    @property
    def bits(self) -> int:
        """Of all memories."""
        return sum(n * width * depth for (width, depth), n in self.memories.items())


def resource_tiles(stock: Stock | None, synths: tuple[Mapping[str, Any], ...]) -> list[Tile]:
    """The figures to see first: of place and route where there are some."""
    tiles: list[Tile] = []
    if stock is not None:
        count = sum(stock.multipliers.values())
        words = f"{stock.ecp5_blocks} block RAMs of an ECP5, {stock.bits / 1024:,.0f} Kbit"
        tiles.append(("multipliers", f"{count:,}", words))
    for found in synths[:1]:
        limit = found.get("freq_mhz")
        asked = f", {limit:g} asked for" if limit else ""
        tiles.append(
            ("clock", f"{found['fmax_mhz']:.1f} MHz", f"{found['device']}, placed and routed{asked}")
        )
    return tiles


def resource_chapter(stock: Stock | None, synths: tuple[Mapping[str, Any], ...]) -> Chapter:
    """Tables of both; ``synths``: documents of ``synth --json``."""
    pieces: list[str] = []
    for found in synths:
        pieces += _routed(found)
    if stock is not None:
        pieces += _described(stock)
    if not synths:
        note = (
            "Logic cells and the clock are known after place and route: systolith synth ... --json &gt; synth.json, "
            "and give synth.json to report."
        )
        pieces.append(f'<p class="note">{note}</p>')
    return Chapter("resources", "Resources", pieces)


def _described(stock: Stock) -> list[str]:
    rows = [
        ["multiplier", f"{a} \u00d7 {b} bits", f"{n:,}", ""]
        for (a, b), n in sorted(stock.multipliers.items(), reverse=True)
    ]
    rows += [
        ["memory", f"{depth:,} words of {width} bits", f"{n:,}", f"{n * width * depth / 1024:,.1f}"]
        for (width, depth), n in sorted(
            stock.memories.items(), key=lambda item: -item[1] * item[0][0] * item[0][1]
        )
    ]
    rows.append(
        ["<b>memories</b>", "together", f"{sum(stock.memories.values()):,}", f"{stock.bits / 1024:,.1f}"]
    )
    rows.append(["<b>block RAMs</b>", "of an ECP5, 18 Kbit each", f"{stock.ecp5_blocks:,}", ""])
    words = "Multipliers and memories are counted in the engine's description: exact, for every FPGA."
    table = page.table(("what", "size", "number", "Kbit"), rows, right=(2, 3))
    return [page.panel(table, wide=True), f'<p class="note">{words}</p>']


def _routed(found: Mapping[str, Any]) -> list[str]:
    """One document of ``synth``."""
    grade = "" if found.get("speed") is None else f", speed grade {found['speed']}"
    rows = []
    for name, cell in found["resources"].items():
        part = cell["used"] / cell["available"]
        rows.append([text(name), f"{cell['used']:,}", f"{cell['available']:,}",
                     f"{100 * part:.0f} %" + page.meter(part, part > 0.95)])  # fmt: skip
    path = found.get("critical_path")
    limits = "" if path is None else f'<p class="note">Slowest path: {text(path["text"])}.</p>'
    clocks = ", ".join(f"{mhz:g}" for mhz in found.get("fmax_all", {}).values())
    title = f"{found['device']}{grade}: {found['fmax_mhz']:.1f} MHz" + (
        f" (seeds: {clocks})" if "," in clocks else ""
    )
    table = page.table(("cells", "used", "there are", "share"), rows, right=(1, 2))
    return [page.panel(f"<h4>{text(title)}</h4>", table, wide=True), limits]
