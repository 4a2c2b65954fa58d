"""Pages for people: one HTML document that needs nothing else, from small pieces of HTML.

No network, no scripts, no fonts, no pictures of its own: opened from a disk in ten years it looks the same.
Everything that is text goes through ``text``; pieces are strings of well-formed XML.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from .page_style import STYLE

__all__ = [
    "Chapter", "Tile", "bytes_text", "card", "contents", "document", "facts", "meter", "panel", "section", "table",
    "text", "tiles", "warned", "words",
]  # fmt: skip

Tile = tuple[str, str, str]
"""label, value, remark (may be empty)."""


@dataclass(frozen=True)
class Chapter:
    """A section of a page: its id, its heading, its pieces of HTML."""

    anchor: str
    title: str
    pieces: Sequence[str]

    @property
    def html(self) -> str:
        """The section."""
        return section(self.anchor, self.title, *self.pieces)


def text(value: object) -> str:
    """``value`` as text between tags or inside of an attribute."""
    return escape(str(value), quote=True)


def document(title: str, lead: str, body: Iterable[str], foot: str = "") -> str:
    """The whole page; ``title`` and ``lead`` are text, the rest HTML."""
    return "\n".join([
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        f"<title>{text(title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        f'<h1>{text(title)}</h1>\n<p class="lead">{text(lead)}</p>',
        *body,
        f"<footer>{foot}</footer>",
        "</body>",
        "</html>",
        "",
    ])  # fmt: skip


def section(anchor: str, title: str, *pieces: str) -> str:
    """A chapter with a heading; ``anchor`` is its id."""
    return "\n".join([f'<section id="{text(anchor)}">', f"<h2>{text(title)}</h2>", *pieces, "</section>"])


def contents(chapters: Iterable[Chapter]) -> str:
    """Links to chapters."""
    links = (f'<a href="#{text(item.anchor)}">{text(item.title)}</a>' for item in chapters)
    return f'<nav class="contents" aria-label="Contents">{" ".join(links)}</nav>'


def panel(*pieces: str, wide: bool = False) -> str:
    """A sheet of its own; ``wide``: scrolls sideways on narrow screens."""
    return "\n".join([f'<div class="{"panel scroll wide" if wide else "panel"}">', *pieces, "</div>"])


def tiles(items: Iterable[Tile]) -> str:
    """Figures to see first."""
    parts = (
        f'<div class="tile"><span>{text(label)}</span><b>{text(value)}</b>'
        + (f"<small>{text(remark)}</small>" if remark else "")
        + "</div>"
        for label, value, remark in items
    )
    return '<div class="tiles">\n' + "\n".join(parts) + "\n</div>"


def words(sentences: Sequence[str], calm: str) -> str:
    """Sentences (HTML) that want attention, or ``calm`` (text) where there are none."""
    items = [f"<li>{sentence}</li>" for sentence in sentences] or [f'<li class="calm">{text(calm)}</li>']
    return '<ul class="words">\n' + "\n".join(items) + "\n</ul>"


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = (), anchors: Sequence[str] = ()
) -> str:
    """A table: ``head`` is text, cells are HTML, the columns in ``right`` are right-aligned.

    ``anchors``: ids of the rows, or none.
    """

    side = ' class="right"'

    def line(tag: str, cells: Iterable[str], anchor: str = "") -> str:
        parts = (f"<{tag}{side if i in right else ''}>{cell}</{tag}>" for i, cell in enumerate(cells))
        mark = f' id="{text(anchor)}"' if anchor else ""
        return f"<tr{mark}>{''.join(parts)}</tr>"

    lines = [line("td", row, anchors[i] if anchors else "") for i, row in enumerate(rows)]
    return "\n".join([
        "<table>", f"<thead>{line('th', map(text, head))}</thead>", "<tbody>", *lines, "</tbody>", "</table>"
    ])  # fmt: skip


def facts(items: Iterable[tuple[str, str]]) -> str:
    """A list of names (text) and values (HTML)."""
    pairs = (f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in items)
    return "<dl>" + "".join(pairs) + "</dl>"


def meter(part: float, full: bool) -> str:
    """A bar filled to ``part`` of 1; ``full`` colours it as a warning."""
    percent = 100.0 * min(max(part, 0.0), 1.0)
    return f'<span class="{"meter full" if full else "meter"}"><span style="width: {percent:.0f}%"></span></span>'


def card(
    anchor: str, title: str, kind: str, sentences: Iterable[str], details: str, charts: Iterable[str]
) -> str:
    """One item of many: a heading, sentences (HTML), facts, charts in a row."""
    return "\n".join([
        f'<article class="card" id="{text(anchor)}">',
        f'<header><h3>{text(title)}</h3><span class="kind">{text(kind)}</span></header>',
        *(f'<p class="decision">{sentence}</p>' for sentence in sentences),
        details, '<div class="charts">', *charts, "</div>", "</article>",
    ])  # fmt: skip


def warned(words: str, warn: bool) -> str:
    """``words`` (HTML) in the warning colour, if ``warn``."""
    return f'<span class="warn">{words}</span>' if warn else words


def bytes_text(count: float) -> str:
    """``812 bytes``, ``69.4 KiB``, ``1.32 MiB``."""
    if count < 1024:
        return f"{count:.0f} bytes"
    return f"{count / 1024:.1f} KiB" if count < 1024**2 else f"{count / 1024**2:.2f} MiB"
