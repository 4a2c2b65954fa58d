"""The page of a quantized network: whole, self-contained, and its words are the report's numbers."""

import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from systolith.quant.formats import QFormat
from systolith.quant.options import Options
from systolith.quant.quantizer import Quantization, quantize
from systolith.sw import quantized_io
from systolith.sw.images import Preprocessing
from systolith.sw.onnx_reader import read
from systolith.sw.quant_cards import decibels, fall_text, span
from systolith.sw.quant_page import quantization_page, short_name
from systolith.sw.random_model import ModelBuilder

PRE = Preprocessing(255.0, (0.1, 0.2), (0.5, 0.6))


def result(**options: Any) -> Quantization:
    build = ModelBuilder((2, 8, 8), seed=3)
    hidden = build.same("Relu", build.conv("input", 3))
    both = build.same("Relu", build.same("Add", build.conv(hidden, 3), hidden))
    pooled = build.pool("AveragePool", build.pool("MaxPool", both), (2, 2), (2, 2))
    graph = read(build.model(build.dense(pooled, 4)))
    real = np.random.default_rng(0).normal(size=(8, 8, 8, 2)).astype(np.float32)
    return quantize(graph, real, Options(**options))


def parse(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n"))


def all_text(node: ElementTree.Element) -> str:
    return re.sub(r"\s+", " ", " ".join(node.itertext()))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "qiu-l1", "per_channel": True},
        {"method": "kl", "correct": ("round",)},
        {"method": "non-overflow", "acc_width": 20},
        {"method": "output", "act_width": 16, "wgt_widths": {}},
    ],
)
def test_every_layer_is_there_and_says_what_the_report_says(options: dict[str, Any]) -> None:
    made = result(**options)
    html = quantization_page(made.network, made.report, PRE)
    root = parse(html)
    assert not re.search(r"https?:|url\(|<script|<link|@import|src=|nan\b", html)
    ids = Counter(node.attrib["id"] for node in root.iter() if "id" in node.attrib)
    assert max(ids.values()) == 1
    for node in root.iter("a"):
        assert node.attrib["href"].removeprefix("#") in ids
    cards = {node.attrib["id"]: node for node in root.iter("article")}
    assert len(cards) == len(made.network.layers) + 1 and made.report.input_decision in all_text(
        cards["input"]
    )
    for i, (layer, row) in enumerate(zip(made.network.layers, made.report.layers, strict=True)):
        card, words = cards[f"layer-{i}"], all_text(cards[f"layer-{i}"])
        assert card.findtext("header/h3") == layer.name
        assert row.decision and row.decision in words
        assert str(QFormat(row.out_width, row.out_fl, row.out_signed)) in words
        assert f"{row.acc_bits} of {row.acc_width} bits, {row.acc_width - row.acc_bits} to spare" in words
        assert f"{row.saturated:.3f} %" in words and decibels(row.sqnr_db) in words
        charts = [node.text for node in card.iter("h4")]
        assert charts[0] == "values and the range of codes"
        if layer.kind == "conv":
            assert row.wgt_decision in words and "weights and the range of codes" in charts
            assert layer.wgt is not None and " \u00d7 ".join(map(str, layer.wgt.shape)) in words
    table = [all_text(line) for line in root.iter("tr")]
    assert len(table) == len(made.network.layers) + 1


def test_a_table_shows_its_function() -> None:
    build = ModelBuilder((2, 6, 6), seed=3, opset=14)
    hidden = build.conv("input", 3)
    slopes = build.same("PRelu", build.conv(build.same("HardSwish", hidden), 3), build.weight(3, 1, 1))
    gate = build.same(
        "HardSigmoid", build.conv(build.pool("GlobalAveragePool", slopes), 3, (1, 1), pads=(0, 0, 0, 0))
    )
    graph = read(build.model(build.conv(build.same("Mul", slopes, gate), 2)))
    made = quantize(graph, np.random.default_rng(0).normal(size=(8, 6, 6, 2)).astype(np.float32), Options())
    root = parse(quantization_page(made.network, made.report, PRE))
    words = {node.findtext("header/h3"): all_text(node) for node in root.iter("article")}
    assert "HardSwish(x)" in words["HardSwish_2"] and "256 entries of 8 bits" in words["HardSwish_2"]
    assert "by channel" in words["PRelu_4"] and "for each of 3 channels" in words["PRelu_4"]
    assert "to spare" not in words["PRelu_4"] and "to spare" in words["Mul_8"]


def test_the_chosen_fl_is_the_marked_one() -> None:
    made = result()
    root = parse(quantization_page(made.network, made.report, PRE))
    for i, (layer, row) in enumerate(zip(made.network.layers, made.report.layers, strict=True)):
        card = root.find(f".//article[@id='layer-{i}']")
        assert card is not None
        titles = [n.findtext("title") or "" for n in card.iter("circle") if n.attrib["class"] == "dot chosen"]
        marked = [title.split(":")[0] for title in titles]
        expected = [] if layer.kind == "maxpool" else [f"fl {row.out_fl}"]
        expected += [f"fl {row.wgt_fl[0]}"] if layer.kind == "conv" and row.wgt_fl is not None else []
        assert marked == expected


def test_weight_memory_and_parameters() -> None:
    made = result(wgt_width=4)
    words = all_text(parse(quantization_page(made.network, made.report, PRE)))
    sizes = [
        layer.wgt.size for layer in made.network.layers if layer.kind == "conv" and layer.wgt is not None
    ]
    assert f"{sum(sizes):,} weights" in words and f"{sum(sizes) / 2:.0f} bytes" in words
    assert f"{sum(layer.macs for layer in made.network.layers):,} MACs an image" in words


def test_the_page_of_a_directory_is_made_again_to_the_byte(tmp_path: Path) -> None:
    made = result()
    model = ModelBuilder((2, 8, 8), seed=3)
    onnx_model = model.model(model.conv("input", 1))
    quantized_io.save(tmp_path / "q", made.network, PRE, made.report, onnx_model)
    loaded = quantized_io.load(tmp_path / "q")
    assert loaded.report.evidence == made.report.evidence
    page = quantization_page(loaded.network, loaded.report, loaded.preprocessing)
    assert (tmp_path / "q" / "report.html").read_text("utf-8") == page


def test_equalized_channels_are_named() -> None:
    made = result(correct=("equalize",))
    root = parse(quantization_page(made.network, made.report, PRE))
    for i, layer in enumerate(made.network.layers):
        card = root.find(f".//article[@id='layer-{i}']")
        assert card is not None
        scale, words = made.network.tensors[layer.output].scale, all_text(card)
        assert ("equalized: channels times" in words) == (scale is not None)
        if scale is not None:
            assert f"{scale.min():.3g}" in words and f"{scale.max():.3g}" in words
    assert any(tensor.scale is not None for tensor in made.network.tensors.values())


@pytest.mark.parametrize(
    "name, words",
    [
        ("/block1/conv2/Conv", "block1/conv2"),
        ("fire2/expand1x1", "fire2/expand1x1"),
        ("Conv", "Conv"),
        ("/", "/"),
    ],
)
def test_short_names(name: str, words: str) -> None:
    assert short_name(name) == words


def test_words_of_numbers() -> None:
    assert [decibels(v) for v in (33.21, float("inf"), float("-inf"))] == ["33.2 dB", "exact", "lost"]
    assert [fall_text(v) for v in (1.25, -4.0, 0.01, float("inf"))] == [
        "\u22121.2 dB",
        "+4.0 dB",
        "0.0 dB",
        "\u2013",
    ]
    assert (span((5, 5)), span((5, 7))) == ("5", "5 to 7")
