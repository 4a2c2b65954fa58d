"""What only shows once everything is fused: nodes of the small graph that no layer can compute.

affine              its constant differs within a channel, and no layer behind takes it in
apply               a function of two maps that are no functions of one
product             of two maps, of which none has one pixel
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..quant.ties import narrow, ties
from .graph import Graph, Node
from .onnx_reader_context import Finding
from .onnx_reader_functions import INVERSE
from .passes import fuse
from .passes_tables import sources

__all__ = ["leftovers", "leftovers_of_part", "unfit", "with_leftovers"]

Shape = tuple[int, int, int]
Reasons = dict[str, tuple[str, str]]


def leftovers(nodes: Sequence[Node], shapes: Mapping[str, Shape]) -> Reasons:
    """(why, cure) by the node's name, for nodes that ``passes.fuse`` leaves."""
    found = {}
    for node in nodes:
        if node.kind == "affine":
            why = "its constant differs within a channel, and no layer behind can take it in"
            found[node.name] = (why, "use one value a channel")
        elif node.kind == "apply":
            cure = "use a constant, or a function of the same map, as the other operand"
            found[node.name] = ("its operands are two maps", cure)
        elif node.kind == "product" and shapes.get(node.inputs[1], (1, 1, 1))[:2] != (1, 1):
            cure = "multiply by a map of one pixel a channel (squeeze and excitation), or by a function of the same map"
            verb = "divides" if node.inputs[1].endswith(INVERSE) else "multiplies"
            found[node.name] = (f"it {verb} two maps", cure)
    return found


def leftovers_of_part(nodes: Sequence[Node], source: str, shapes: Mapping[str, Shape]) -> Reasons:
    """The same for a file with nodes that cannot run: of operators on two maps that are known all the way."""
    read = {name for node in nodes for name in node.inputs}
    made = {source, *(node.output for node in nodes)}
    fused = fuse(nodes, [node.output for node in nodes if node.output not in read])
    known = [node for node in fused if node.kind != "affine" and sources(fused, node) <= made]
    return leftovers(known, shapes)


def unfit(graph: Graph) -> list[str]:
    """Layers of a quantized file whose operands have formats that tables and products cannot (``quant.ties``)."""
    widths, signed = narrow(graph), ties(graph).signed
    known = graph.formats

    def fits(name: str) -> bool:
        fmt = known.get(name)
        return fmt is None or (fmt.width <= widths.get(name, 16) and (fmt.signed or name not in signed))

    return [layer.name for layer in graph.layers if not all(fits(name) for name in layer.inputs)]


def with_leftovers(findings: Sequence[Finding], reasons: Reasons) -> list[Finding]:
    """The findings, those of the nodes named refused."""
    return [
        replace(item, supported=False, why=reasons[item.name][0], cure=reasons[item.name][1])
        if item.supported and item.name in reasons
        else item
        for item in findings
    ]
