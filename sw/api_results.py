"""What the functions of ``sw.api`` return: frozen records that print as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..hw.config import EngineConfig
from ..quant.report import QuantizationReport
from .onnx_reader import Finding
from .program import Program

if TYPE_CHECKING:
    from .api_explain import Explanation

__all__ = ["Check", "Compilation", "Quantized", "VerilogFiles", "config_json", "table"]


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Aligned lines, two spaces between columns; the columns in ``right`` are right-aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def config_json(config: EngineConfig) -> dict[str, Any]:
    """Every parameter by name, and ``hash`` as the engine's ID register shows it."""
    return {**asdict(config), "hash": f"{config.hash:#010x}"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """What ``check`` says of a model: a finding a node, totals over all of them."""

    model: str
    findings: tuple[Finding, ...]
    input_shape: tuple[int, int, int] | None
    """height, width, channels; None while a node is not supported."""
    outputs: Mapping[str, tuple[int, int, int]]
    """height, width, channels by name."""
    quantized: str = ""
    """of a file that is quantized already: ``exact`` where its formats are kept, else ``rounded``."""
    rounded: tuple[str, ...] = ()
    """nodes whose scale is no power of two, or whose zero point is no format's."""
    beyond: tuple[str, ...] = ()
    """what keeps the engine, or ONNX Runtime, from running the network as a whole, and the cure."""
    default_engine: bool = True
    """of default size, or one that was given."""

    @property
    def unsupported(self) -> tuple[Finding, ...]:
        """The nodes that cannot run."""
        return tuple(finding for finding in self.findings if not finding.supported)

    @property
    def waiting(self) -> tuple[Finding, ...]:
        """The nodes that quantize and evaluate run, but not an engine of default size."""
        return tuple(finding for finding in self.findings if finding.lacks)

    @property
    def macs(self) -> int:
        """Useful MACs of one image."""
        return sum(finding.macs for finding in self.findings)

    @property
    def params(self) -> int:
        """Parameters of the file."""
        return sum(finding.params for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {
            "model": self.model,
            "supported": not self.unsupported,
            "unsupported": len(self.unsupported),
            "runs_on_engine": not self.unsupported and not self.waiting and not self.beyond,
            "not_on_engine": len(self.waiting),
            "beyond": list(self.beyond),
            "input_shape": None if self.input_shape is None else list(self.input_shape),
            "quantized": self.quantized,
            "rounded": list(self.rounded),
            "outputs": {name: list(shape) for name, shape in self.outputs.items()},
            "macs": self.macs,
            "params": self.params,
            "nodes": [asdict(finding) for finding in self.findings],
        }

    def to_text(self) -> str:
        """A table, one line a node, and the totals."""
        rows = [["node", "operator", "runs on", "output", "MACs", "parameters"]]
        for item in self.findings:
            shape = "?" if item.output_shape is None else "x".join(map(str, item.output_shape))
            place = "no engine" if item.lacks else item.where if item.supported else "nothing"
            rows.append([item.name, item.op, place, shape, f"{item.macs:,}", f"{item.params:,}"])
        lines = table(rows, right=(4, 5))
        for item in self.unsupported:
            lines.append(f"not supported: {item.name} ({item.op}): {item.why}; {item.cure}")
        engine = "an engine of default size" if self.default_engine else "this engine"
        for item in self.waiting:
            lines.append(f"not on {engine}: {item.name} ({item.op}): {item.lacks}")
        lines += [f"not on {engine}: {text}" for text in self.beyond]
        if self.quantized == "exact":
            lines.append("quantized already, by powers of two: quantize keeps every code")
        elif self.quantized:
            lines.append(
                f"quantized already: {len(self.rounded)} scales or zero points are no fixed point "
                f"({', '.join(self.rounded[:3])}{', ...' * (len(self.rounded) > 3)}); quantize takes the real "
                "values and rounds them anew, evaluate tells the loss against this file"
            )
        verdict = "supported" if not self.unsupported else f"{len(self.unsupported)} nodes not supported"
        if self.waiting:
            verdict += f", {len(self.waiting)} not on {engine}"
        lines.append(
            f"{self.model}: {verdict}, {len(self.findings)} nodes, {self.macs:,} MACs an image, "
            f"{self.params:,} parameters"
        )
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Quantized:
    """A quantized model: where it was written, and the quantizer's report."""

    directory: Path
    report: QuantizationReport

    def to_json(self) -> dict[str, Any]:
        """``directory`` and everything in the report."""
        return {"directory": str(self.directory), **self.report.to_json()}

    def to_text(self) -> str:
        """The report, and where the model is."""
        return f"{self.report.to_text()}\nwritten: {self.directory}"


@dataclass(frozen=True, kw_only=True)
class Compilation:
    """A program, the file it was written to, if it was, and why it is as it is, if that was asked for."""

    program: Program
    path: Path | None
    explanation: Explanation | None = None

    def to_json(self) -> dict[str, Any]:
        """Sizes, counts and the engine; the program itself is in the file."""
        program = self.program
        return {
            "program": None if self.path is None else str(self.path),
            "network": program.name,
            "config": config_json(program.config),
            "macs": program.macs,
            "instructions": {"load": program.n_load, "compute": program.n_compute, "store": program.n_store},
            "program_bytes": len(program.records),
            "weight_bytes": len(program.weights),
            "input_bytes": program.input_bytes,
            "output_bytes": program.output_bytes,
            "memory_bytes": program.memory_map().end,
            **({} if self.explanation is None else self.explanation.to_json()),
        }

    def to_text(self) -> str:
        """One paragraph."""
        program = self.program
        lines = [
            f"{program.name} for {program.config.describe()} (hash {program.config.hash:#010x})",
            f"{program.n_load} loads, {program.n_compute} computes, {program.n_store} stores, "
            f"{len(program.records):,} bytes of instructions, {len(program.weights):,} bytes of weights, "
            f"{program.macs:,} MACs an image",
        ]
        if self.explanation is not None:
            lines += ["", *self.explanation.lines(), ""]
        return "\n".join(lines if self.path is None else [*lines, f"written: {self.path}"])


@dataclass(frozen=True, kw_only=True)
class VerilogFiles:
    """An engine as Verilog, and the files it was written to, if it was."""

    config: EngineConfig
    verilog: str
    path: Path | None
    testbench: Path | None
    """the folder of the self-checking test bench."""
    package: Path | None = None
    """the folder for other people's flows."""

    def to_json(self) -> dict[str, Any]:
        """Paths, sizes and the engine; the text itself is in the file."""
        return {
            "verilog": None if self.path is None else str(self.path),
            "testbench": None if self.testbench is None else str(self.testbench),
            "package": None if self.package is None else str(self.package),
            "config": config_json(self.config),
            "lines": self.verilog.count("\n"),
            "modules": self.verilog.count("\nendmodule"),
        }

    def to_text(self) -> str:
        """One paragraph."""
        modules = self.verilog.count("\nendmodule")
        lines = [
            f"{self.config.describe()} (hash {self.config.hash:#010x})",
            f"top module engine, {modules} modules, {self.verilog.count(chr(10)):,} lines",
        ]
        lines += [] if self.path is None else [f"written: {self.path}"]
        lines += [] if self.testbench is None else [f"test bench: {self.testbench}"]
        lines += [] if self.package is None else [f"package: {self.package}"]
        return "\n".join(lines)
