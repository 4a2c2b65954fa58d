"""A network on an engine as chapters of a page: graph, layers, where the cycles go, timeline, roofline.

All figures are the cycle model's, which the RTL equals to the cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..quant.network import QuantizedNetwork
from . import page
from .cycle_model.report import ModelResult
from .page import Chapter, Tile, text
from .page_graph import graph
from .page_roofline import Dot, roofline
from .page_timeline import LAYER_COLORS, STALL_WORDS, legend, timeline_chart
from .picture_lanes import short
from .program import Program
from .quant_page import short_name
from .run_layers import RunLayer, network_nodes, run_layers
from .timeline import STALLS, Timeline
from .timeline_window import zooms

__all__ = ["Run"]

_SLOW, _SHARE = 0.5, 0.05
"""A layer deserves attention below this utilization, where it takes more than that share of the cycles."""

_HEAD = ("layer", "kind", "output", "MACs", "codes", "weights", "cycles", "util., %", "bytes read",
         "written", "bound by")  # fmt: skip
_PARTS = ("pixels", "stall_wait", "stall_weight", "stall_bank", "stall_pass")
_CLASSES = ("t0", "s-wait", "s-weight", "s-bank", "s-short")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A program on its engine; ``network``: what it was compiled from, if that is at hand."""

    program: Program
    model: ModelResult
    timeline: Timeline
    network: QuantizedNetwork | None = None

    @cached_property
    def layers(self) -> tuple[RunLayer, ...]:
        """A row each."""
        return run_layers(self.program, self.model, self.network)

    def tiles(self) -> list[Tile]:
        """The figures to see first."""
        config, model = self.program.config, self.model
        pes = config.rows * config.cols
        moved = sum(row.read + row.info.stored for row in self.layers if row.info is not None)
        rate = model.images * 1e6 / model.cycles_total
        back = (
            f"{model.cycles_total:,} for {model.images} back to back" if model.images > 1 else "start to done"
        )
        return [
            ("array", f"{config.rows} \u00d7 {config.cols}",
             f"{pes} multipliers, {config.act_width}-bit activations, {config.wgt_width}-bit weights"),
            ("cycles an image", f"{model.cycles:,}", back),
            ("utilization", f"{100 * model.utilization:.1f} %",
             f"{100 * model.utilization_stream:.1f} % back to back" if model.images > 1 else "of one image alone"),
            ("images a second", f"{100 * rate:,.0f}", f"at 100 MHz; {rate:.4g} for each MHz"),
            ("work", f"{self.program.macs:,}", "MACs an image"),
            ("memory traffic", page.bytes_text(moved),
             f"an image, over a port of {config.port_width} bits, latency {model.mem_latency} cycles"),
        ]  # fmt: skip

    def remarks(self) -> list[str]:
        """Sentences (HTML) that link to their layers."""
        total, found = self.model.cycles, []
        for row in self.layers:
            timed = row.cycles
            if timed is None or timed.utilization >= _SLOW or timed.cycles < _SHARE * total:
                continue
            found.append(
                f'<a href="#{row.anchor}">{text(row.name)}</a> takes {100 * timed.cycles / total:.1f} % of the '
                f"cycles at {100 * timed.utilization:.1f} % of the array; bound by {text(timed.bound)}"
            )
        return found

    @property
    def calm(self) -> str:
        """Instead of remarks."""
        return (
            f"On the engine: every layer that takes more than {100 * _SHARE:g} % of the cycles keeps at least "
            f"{100 * _SLOW:g} % of the array at work."
        )

    def chapters(self) -> list[Chapter]:
        """In the order of reading."""
        found = [
            Chapter("engine-layers", "Layers on the engine", [page.panel(self._table(), wide=True)]),
            Chapter("cycles", "Where the cycles go", [page.panel(*self._cycles())]),
            Chapter("timeline", "Timeline", [page.panel(*self._timeline(), wide=True)]),
            Chapter("roofline", "Roofline", self._roofline()),
        ]
        if self.network is not None:
            nodes = list(network_nodes(self.network, self.layers, self.model.cycles))
            note = _note(
                "Each row is a layer with its share of the cycles, in percent; a line beside it is a tensor "
                "that is read again further below. Click a row for its figures."
            )
            found.insert(0, Chapter("graph", "The network", [page.panel(graph(nodes)), note]))
        return found

    # Layers ------------------------------------------------------------------------------------

    def _table(self) -> str:
        rows = [self._row(row) for row in self.layers]
        return page.table(_HEAD, rows, right=(3, 6, 7, 8, 9), anchors=[row.anchor for row in self.layers])

    def _row(self, row: RunLayer) -> list[str]:
        name = text(short_name(row.name))
        if self.network is not None:
            name = f'<a href="#layer-{row.index}">{name}</a>'
        shape = " \u00d7 ".join(map(str, row.shape))
        start = [name, text(row.kind), shape, f"{row.macs:,}" if row.macs else "", str(row.fmt), row.wgt]
        if row.info is None or row.cycles is None:
            return [*start, *[""] * 4, text(f"within {short_name(row.within)}")]
        timed = row.cycles
        return [
            *start, f"{timed.cycles:,}",
            page.warned(f"{100 * timed.utilization:.1f}", bool(row.macs) and timed.utilization < _SLOW),
            f"{row.read:,}", f"{row.info.stored:,}", timed.bound,
        ]  # fmt: skip

    # Cycles ------------------------------------------------------------------------------------

    def _cycles(self) -> list[str]:
        """A bar a layer, as long as its cycles."""
        timed = [row.cycles for row in self.layers if row.cycles is not None]
        most = max(layer.cycles for layer in timed)
        anchors = {row.index: row.anchor for row in self.layers}
        lines = []
        for layer in timed:
            counts = [int(getattr(layer, part)) for part in _PARTS]
            words = ", ".join(
                f"{n:,} {part}" for n, part in zip(counts, ("pixels", *STALLS), strict=True) if n
            )
            pieces = "".join(
                f'<i class="{kind}" style="width: {100 * count / most:.2f}%"></i>'
                for kind, count in zip(_CLASSES, counts, strict=True)
                if count
            )
            lines.append(
                f'<a class="bar-row" href="#{anchors[layer.index]}" title="{text(words)}">'
                f"<span>{text(short(layer.name))}</span><b>{pieces}</b><em>{layer.cycles:,}</em></a>"
            )
        total = self.model.cycles
        sums = [sum(int(getattr(layer, part)) for layer in timed) for part in _PARTS]
        named = ["the array takes a pixel", *(STALL_WORDS[name] for name in STALLS)]
        items = [
            (kind, f"{words}: {count:,} ({100 * count / total:.2f} %)")
            for kind, words, count in zip(_CLASSES, named, sums, strict=True)
        ]
        drain = f"behind the last pixel, until all is stored: {self.model.drain:,}"
        return [legend([*items, ("none", drain)]), '<div class="bars">', *lines, "</div>"]

    # Timeline and roofline -----------------------------------------------------------------------

    def _timeline(self) -> Sequence[str]:
        found = self.timeline
        several = f"{found.images} images back to back" if found.images > 1 else "one image"
        stalls = [(f"s-{name}", STALL_WORDS[name]) for name in STALLS]
        clients = [("c-program", "port: instructions"), ("c-load", "activations"), ("c-weight", "weights")]
        layers = [(f"t{n}", "layers in turn" if n == LAYER_COLORS - 1 else "") for n in range(LAYER_COLORS)]
        words = (
            f"{several}, {found.cycles:,} cycles; bars are as high as units are busy; tooltips have figures."
        )
        pieces = [
            _note(words),
            legend([*layers, *stalls, *clients]),
            timeline_chart(found, 0, found.cycles - 1),
        ]
        for title, first, last in zooms(found):
            pieces += [f"<h4>{text(title)}</h4>", timeline_chart(found, first, last)]
        return pieces

    def _roofline(self) -> list[str]:
        config = self.program.config
        dots = [
            Dot(row.anchor, row.name, row.intensity, row.speed, row.cycles.cycles / self.model.cycles)
            for row in self.layers
            if row.intensity is not None and row.speed is not None and row.cycles is not None
        ]
        if not dots:
            return [_note("No layer of this network has MACs.")]
        chart = roofline(dots, config.rows * config.cols, config.port_bytes)
        words = (
            "Circles are layers, their areas shares of the cycles. Bytes are those over the port's busier direction, "
            "weights as often as they are fetched, and maps that do not stay in the scratchpad. Below the sloping line "
            "the port limits, below the level one the array."
        )
        return [page.panel(f'<div class="figure">{chart}</div>', wide=True), _note(words)]


def _note(words: str) -> str:
    return f'<p class="note">{text(words)}</p>'
