"""Pieces of a page: everything escaped, nothing fetched, well-formed."""

import re
from xml.etree import ElementTree

from systolith.sw import page


def test_document_is_whole_and_needs_nothing_else() -> None:
    body = [
        page.section("a", "Title & more", page.panel(page.table(["x", "y"], [["1", "<b>2</b>"]], right=[1])))
    ]
    document = page.document("A < B", "lead & words", body, "foot")
    assert document.startswith("<!DOCTYPE html>")
    root = ElementTree.fromstring(document.removeprefix("<!DOCTYPE html>\n"))
    assert root.findtext("head/title") == "A < B" and root.findtext("body/p") == "lead & words"
    assert (
        root.find(".//section[@id='a']/h2") is not None and root.find(".//td[@class='right']/b") is not None
    )
    assert not re.search(r"https?:|url\(|<script|<link|@import|src=", document)


def test_names_cannot_break_out() -> None:
    nasty = '"><script>alert(1)</script>&'
    pieces = [
        page.tiles([(nasty, nasty, nasty)]),
        page.section(nasty, nasty),
        page.card(nasty, nasty, nasty, [], page.facts([(nasty, "")]), []),
        page.words([], nasty),
    ]
    for piece in pieces:
        ElementTree.fromstring(piece)
        assert "<script>" not in piece


def test_words_that_calm() -> None:
    assert 'class="calm"' in page.words([], "all well") and "all well" in page.words([], "all well")
    assert page.words(["a", "b"], "all well").count("<li>") == 2


def test_meter_stays_inside() -> None:
    assert "width: 50%" in page.meter(0.5, False) and "full" not in page.meter(0.5, False)
    assert "width: 100%" in page.meter(1.7, True) and "full" in page.meter(1.7, True)


def test_bytes() -> None:
    assert [page.bytes_text(n) for n in (72, 2048, 1.5 * 1024**2)] == ["72 bytes", "2.0 KiB", "1.50 MiB"]
