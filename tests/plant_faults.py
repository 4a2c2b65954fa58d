"""Plants faults in the RTL, one at a time, and checks that the fast tests catch each.

    python tests/plant_faults.py [--only NAME] [--jobs N] [--list]

A fault is one replacement in one file of hw/. The project is copied to a temporary folder for each job, the fault is
planted there, and the named tests must fail (and pass without any fault). Exit 1 if one goes unnoticed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Queue
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Fault(NamedTuple):
    """What is wrong, where: ``old`` becomes ``new``; ``test`` is expected to fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


_COMPUTE = "tests/hw/test_compute_unit.py"
_CHAINS = "tests/hw/test_ecp5.py::test_a_multiplier_of_carry_chains_equals_the_generic_one"
_ENGINE = "tests/sim/test_engine.py::test_again_without_reset"

FAULTS = [
    Fault("round half up", "requantizer.py", "(value[0] & (sticky | value[1]))", "value[0]", "tests/hw/test_requantizer.py"),
    Fault("sticky bit lost between stages", "requantizer.py", "lost.eq(sticky | (", "lost.eq(0 | (", "tests/hw/test_requantizer.py"),
    Fault("upper bound ignored", "requantizer.py", "above.eq(rounded[:bits].as_signed() > self.hi)", "above.eq(0)", "tests/hw/test_requantizer.py"),
    Fault("large values not saturated", "requantizer.py", "outside.eq(top.any() & ~top.all() | self.least)", "outside.eq(self.least)", "tests/hw/test_requantizer.py"),
    Fault("shadow switched a cycle late", "pe.py", "with m.If(self.switch_i):", "with m.If(self.switch_o):", "tests/hw/test_array.py"),
    Fault("weight for the wrong row", "pe.py", "hit.eq(self.tag_i == self.row + 1)", "hit.eq(self.tag_i == self.row + 2)", "tests/hw/test_array.py"),
    Fault("partial sum subtracts", "pe.py", "self.psum_i + product", "self.psum_i - product", "tests/hw/test_array.py"),
    Fault("multiplier a register short", "multiplier.py", "output.eq(product)", "output.eq(a * b)", "tests/hw/test_array.py"),
    Fault("bias never added", "column.py", "init.eq(fine + parameters.bias)", "init.eq(fine)", _COMPUTE),
    Fault("residual shift loses its low bits", "column.py", "fine.eq(coarse << amount)", "fine.eq(coarse)", _COMPUTE),
    Fault("average window never restarts", "column.py", "Mux(at_sum.sum_first, 0, total)", "Mux(0, 0, total)", _COMPUTE),
    Fault("maximum takes the smaller", "column.py", "requantizer.out > self.out", "requantizer.out < self.out", _COMPUTE),
    Fault("mean goes on from the one before", "column.py", "Mux(at_max.max_first, 0, self.codes_sum)", "self.codes_sum", _COMPUTE),
    Fault("codes behind a mean not held back", "sequencer.py", "return busy & passes.soon_last", "return busy & 0", _COMPUTE),
    Fault("means held back a cycle too short", "mean.py", "return 2 * config.cols +", "return 2 * config.cols - 1 +", "tests/hw/test_mean.py"),
    Fault("weight of the mean unsigned", "mean.py", "one - rest[0] if rest else -one", "one + rest[0] if rest else one", "tests/hw/test_mean.py"),
    Fault("mean's columns in reverse", "mean.py", "Cat(self.codes, code)[config.act_width :]", "Cat(code, self.codes)[: -config.act_width]", "tests/hw/test_mean.py"),
    Fault("bias switched too early", "parameters.py", "bias_delay, shift_delay = 2, 6", "bias_delay, shift_delay = 1, 6", _COMPUTE),
    Fault("shift switched too late", "parameters.py", "bias_delay, shift_delay = 2, 6", "bias_delay, shift_delay = 2, 8", _COMPUTE),
    Fault("middle passes forgotten", "accumulator.py", "keeps.eq(self.flags.valid & ~self.flags.last_pass)", "keeps.eq(self.flags.valid & self.flags.first_pass)", _COMPUTE),
    Fault("bank conflict ignored", "residual_port.py", "banks.eq(self._banks(m, before, \"due\")", "banks.eq(0 & self._banks(m, before, \"due\")", _COMPUTE),
    Fault("vector read beside a pixel of its bank", "residual_port.py", "wanted & ~due.valid & free", "wanted & ~due.valid", "tests/hw/test_residual_port.py"),
    Fault("vector read in place of a residual", "residual_port.py", "wanted & ~due.valid & free", "wanted & free", "tests/hw/test_residual_port.py"),
    Fault("vector is a residual, too", "residual_port.py", "for name in (\"addr\",", "m.d.sync += self.read.valid.eq(1)\n            for name in (\"addr\",", f"{_COMPUTE}::test_products"),
    Fault("a pixel that waits is compared as the one behind it", "residual_port.py", "Mux(self.conflict, self._touches(self.held, banks),", "Mux(0, self._touches(self.held, banks),", "tests/hw/test_residual_port.py"),
    Fault("vectors read without end", "residual_port.py", "taken.eq((taken | goes) & ~self.started)", "taken.eq(0)", "tests/hw/test_residual_port.py"),
    Fault("vector read before its parameters are there", "sequencer.py", "port.known.eq(known & ~self._starved_params)", "port.known.eq(known)", f"{_COMPUTE}::test_products_behind_long_instructions"),
    Fault("diagonal a column off", "diagonal_tile.py", "column.eq(1)", "column.eq(2)", "tests/hw/test_diagonal_tile.py"),
    Fault("row memory does not wait for the vector's tiles", "tile_pusher.py", "whole & ~will", "whole", "tests/hw/test_diagonal_tile.py"),
    Fault("rows of the vector taken from the row memory", "tile_pusher.py", "self._rows(m, pushing & ~own, begin)", "self._rows(m, pushing, begin)", "tests/hw/test_diagonal_tile.py"),
    Fault("narrow codes of a vector unsigned", "compute_unit.py", "bits[-1].replicate", "(bits[-1] & 0).replicate", f"{_COMPUTE}::test_products_of_wide_codes"),
    Fault("padding reads the neighbour row", "pixel_stage.py", "< height) & self._column", "< height)", _COMPUTE),
    Fault("unsigned codes sign-extended", "operand.py", "sign.eq(about.signed & code[-1])", "sign.eq(code[-1])", "tests/hw/test_scratchpad.py"),
    Fault("tile pushed before the switch", "tile_pusher.py", "begin_own | (begin & ~kind), \"shadow\"", "begin_own & 0, \"shadow\"", "tests/hw/test_tile_pusher.py"),
    Fault("next tile does not wait for a pixel held back", "compute_unit.py", "pusher.entered_tile.eq(sequencer.entered_tile)", "pusher.entered_tile.eq(sequencer.started_tile)", _COMPUTE),
    Fault("kernel rows forget the column", "pass_generator.py", "m.d.sync += [kx.eq(f.kx_last), start.x.eq(f.x0), ky.eq(ky - 1)]", "m.d.sync += [kx.eq(f.kx_last), ky.eq(ky - 1)]", _COMPUTE),
    Fault("outputs of an instruction overlap", "writeback.py", "trace_addr.eq(self.tail.base + count)", "trace_addr.eq(self.tail.base)", _COMPUTE),
    Fault("loops wrap one pixel early", "loop_nest.py", "ending[i].eq(left == 2)", "ending[i].eq(left == 3)", "tests/hw/test_loop_nest.py"),
    Fault("bubbles in a short pass forgotten", "sequencer.py", "return held | before.any()", "return held & 0", _COMPUTE),
    Fault("sign of a multiplier of carry chains added", "ecp5_multiplier.py", "_DIFFERENCE, _FIRST_NEGATED, _CARRY = 0x8777,", "_DIFFERENCE, _FIRST_NEGATED, _CARRY = 0x7888,", _CHAINS),
    Fault("multiplier of carry chains starts with a carry", "ecp5_multiplier.py", "_SUM, _FIRST, _NO_CARRY = 0x7888, 0x8888, 0x0000", "_SUM, _FIRST, _NO_CARRY = 0x7888, 0x8888, 0x000F", _CHAINS),
    Fault("mask of a depthwise tap ignored", "pe.py", "Mux(self.act_o[0], self.line, 0)", "self.line", "tests/hw/test_array.py"),
    Fault("rows of slots wrap into each other", "taps.py", "Cat(before & ~row_first,", "Cat(before,", "tests/hw/test_taps.py"),
    Fault("every slot makes an output", "taps.py", "Mux(now[-1], step, now - 1)", "-1", "tests/hw/test_taps.py"),
    Fault("lines a slot apart", "row_ring.py", "above.eq(at - row_last - 1)", "above.eq(at - row_last)", "tests/hw/test_row_ring.py"),
    Fault("no rows read ahead", "pixel_stage.py", "self.record.in_height + self.record.ahead", "self.record.in_height", f"{_COMPUTE}::test_depthwise"),
    Fault("residuals hold depthwise slots back", "sequencer.py", "drained.eq(~added & (left <= 1))", "drained.eq(1)", f"{_COMPUTE}::test_depthwise_behind_residuals"),
    Fault("codes go past their tables", "tables.py", "Mux(found, memory.rdata, codes[-1])", "codes[-1]", "tests/hw/test_tables.py"),
    Fault("every code looked up", "tables.py", "Mux(found, memory.rdata, codes[-1])", "memory.rdata", "tests/hw/test_tables.py"),
    Fault("one slot for all tables", "tables.py", "Cat(codes[1][: config.table_bits], slot)", "codes[1][: config.table_bits]", "tests/hw/test_tables.py"),
    Fault("one code for every column", "tables.py", "Mux(self.word.shared, word[:width],", "Mux(1, word[:width],", "tests/hw/test_tables.py"),
    Fault("table of the instruction before", "compute_unit.py", "about.take.eq(columns.last)", "about.take.eq(writeback.tail_take)", f"{_COMPUTE}::test_tables"),
    Fault("entries of tables written to the scratchpad", "compute_unit.py", "word.valid.eq(load.valid & ~entry)", "word.valid.eq(load.valid)", f"{_COMPUTE}::test_tables"),
    Fault("words of the image written to tables", "compute_unit.py", "load.valid & load.ready & load.payload.table", "load.valid & load.ready", f"{_COMPUTE}::test_tables"),
    Fault("words of one element not marked", "tap_window.py", "word.shared.eq(single)", "word.shared.eq(0)", "tests/hw/test_load_unit.py"),
    Fault("every load from the images", "load_unit.py", "place.eq(getattr(self, region))", "place.eq(self.input)", "tests/hw/test_load_unit.py"),
    Fault("load forgets its offset", "load_unit.py", "command.payload.addr.eq(place + offset)", "command.payload.addr.eq(place)", "tests/hw/test_load_unit.py"),
    Fault("load done before its last block", "load_writer.py", "tag.place.last.eq(here.last & last_block)", "tag.place.last.eq(here.last)", "tests/hw/test_load_unit.py"),
    Fault("line buffer written by every load", "line_buffer.py", "write.eq(valid[2] & about.keep)", "write.eq(valid[2])", "tests/hw/test_load_unit.py"),
    Fault("rows above the image count", "row_steps.py", "two.eq((job.rows_above == 2) & above)", "two.eq(job.rows_above == 2)", "tests/hw/test_load_unit.py"),
    Fault("rows below the image from memory", "row_steps.py", "below | (row_end & image_end)", "below", "tests/hw/test_load_unit.py"),
    Fault("words of a pixel one after the other", "tap_window.py", "word.addr.eq(word.addr + job.block_step)", "word.addr.eq(word.addr + 1)", "tests/hw/test_load_unit.py"),
    Fault("words never take turns", "row_steps.py", "turn.eq(turn ^ makes)", "turn.eq(turn)", "tests/hw/test_load_unit.py"),
    Fault("turns forget half a pixel", "tap_window.py", "[3 * half :][:9]", "[:9]", "tests/hw/test_load_unit.py"),
    Fault("second block of a store", "store_reader.py", "block_addr.eq(block_addr + job.block_step)", "block_addr.eq(block_addr + 1)", "tests/hw/test_store_unit.py"),
    Fault("store forgets its offset", "store_unit.py", "command.payload.addr.eq(place + offset)", "command.payload.addr.eq(place)", "tests/hw/test_store_unit.py"),
    Fault("bursts of writes not aligned", "burst_writer.py", "least.eq(BURST - first)", "least.eq(BURST)", "tests/hw/test_store_unit.py"),
    Fault("an address for every client", "memory_reader.py", "araddr.eq(client.request.payload.addr)", "araddr.eq(self.client[0].request.payload.addr)", "tests/hw/test_memory_reader.py"),
    Fault("gearbox does not flush", "gearbox.py", "gone.eq(Mux(request.flush, 0, next_gone))", "gone.eq(next_gone)", "tests/hw/test_gearbox.py"),
    Fault("gearbox is generous with credit", "credit.py", "soon.eq(room > HELD_BACK)", "soon.eq(1)", "tests/hw/test_gearbox.py"),
    Fault("weights not sign-extended", "weight_decoder.py", "(sign[c] & above[i])", "(sign[c] & 0)", "tests/hw/test_weight_decoder.py"),
    Fault("headers unchecked", "segment_reader.py", "(header.magic != MAGIC) |", "0 |", "tests/hw/test_weight_decoder.py"),
    Fault("second iteration waits for the first", "instruction_queue.py", 'm.d.sync += base.eq(base + getattr(self, f"n_{unit}"))', "m.d.sync += base.eq(base)", "tests/hw/test_instruction_queue.py"),
    Fault("an instruction begins after an error", "instruction_queue.py", "~(ahead[-1] | self.halt)", "~ahead[-1]", "tests/hw/test_instruction_queue.py"),
    Fault("record stays valid when it is gone", "instruction_queue.py", "gone.eq(own & self.o.ready)", "gone.eq(0)", "tests/hw/test_instruction_queue.py"),
    Fault("writer and reader disagree on spare address pins", "distributed_ram.py", "address[-1].replicate", "(address[-1] if port is write else ~address[-1]).replicate", "tests/hw/test_queues.py"),
    Fault("hash never compared", "fetch.py", "equal.eq(config.hash == self.config.hash)", "equal.eq(1)", "tests/hw/test_fetch.py"),
    Fault("unknown opcodes dropped", "fetch.py", "self.bad_opcode.eq(~is_config & ~known.any())", "self.bad_opcode.eq(0)", "tests/hw/test_fetch.py"),
    Fault("completed at the end of an iteration", "completion.py", "inside.eq(inside - n + done)", "inside.eq(inside - n)", "tests/hw/test_completion.py"),
    Fault("first error overwritten", "control_port.py", "with m.Elif(self.busy):", "with m.Else():", "tests/hw/test_control_port.py"),
    Fault("registers written while busy", "control_port.py", "take & selected & ~self.busy & ~self.start", "take & selected", "tests/hw/test_control_port.py"),
    Fault("interrupt of the batch before", "control_port.py", "& (self.done | self.halt) & ~self.start", "& (self.done | self.halt)", _ENGINE),
    Fault("results of every image in one place", "engine.py", "regions.advance.eq(queue.iteration_end)", "regions.advance.eq(0)", _ENGINE),
    Fault("weights for the first batch only", "engine.py", "asked.eq((asked | first) & ~control.start)", "asked.eq(asked | first)", _ENGINE),
    Fault("read errors unheard", "engine.py", "control.bad_read.eq(self.reader.error)", "control.bad_read.eq(0)", "tests/sim/test_engine.py::test_errors"),
]  # fmt: skip


def misplaced(faults: list[Fault]) -> list[str]:
    """Faults whose text is not in its file once: the RTL was rewritten and they were not."""
    counts = [(fault, (ROOT / "hw" / fault.file).read_text().count(fault.old)) for fault in faults]
    return [
        f"{fault.name}: {fault.old!r} is {count} times in hw/{fault.file}, must be once"
        for fault, count in counts
        if count != 1
    ]


class Copies:
    """Copies of the project, one for each test at a time."""

    def __init__(self, folder: Path, count: int) -> None:
        self._free: Queue[Path] = Queue()
        for number in range(count):
            copy = folder / str(number)
            ignored = shutil.ignore_patterns(".git", ".venv*", "*.egg-info")
            shutil.copytree(ROOT, copy, symlinks=True, ignore=ignored)
            self._free.put(copy)

    @contextmanager
    def one(self) -> Iterator[Path]:
        """A copy that nobody else has; back when the block ends."""
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)


def run(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    """The named tests in the copy, first failure only."""
    env = os.environ | {"PYTHONPATH": str(folder / ".types"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def without_fault(copies: Copies, test: str) -> str:
    """What is wrong with the tests themselves; nothing if they pass."""
    with copies.one() as folder:
        result = run(folder, test)
    return f"{result.stdout[-2000:]}\n{test} fails without any fault" if result.returncode else ""


def is_caught(copies: Copies, fault: Fault) -> bool:
    """Plants one fault and says whether its tests fail."""
    with copies.one() as folder:
        path = folder / "hw" / fault.file
        text = path.read_text()
        path.write_text(text.replace(fault.old, fault.new))
        began = time.monotonic()
        try:
            status = run(folder, fault.test).returncode
        finally:
            path.write_text(text)
    verdict = "caught" if status == 1 else f"MISSED (pytest exit {status})"
    print(f"{verdict:8} {time.monotonic() - began:5.1f} s  {fault.file:20} {fault.name}", flush=True)
    return status == 1


def main() -> int:
    """Plant, test, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="names that contain this")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="faults at a time (default: 1)")
    parser.add_argument("--list", action="store_true", help="list the faults and stop")
    options = parser.parse_args()
    faults = [f for f in FAULTS if not options.only or options.only in f.name]
    if options.jobs < 1 or not faults:
        parser.error("--jobs must be a positive integer" if faults else f"no fault is named {options.only!r}")
    if options.list:
        for fault in faults:
            print(f"{fault.file:20} {fault.name}: {fault.old!r} -> {fault.new!r}")
        return 0
    if wrong := misplaced(faults):
        raise SystemExit("\n".join(wrong))
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(options.jobs) as pool:
        copies = Copies(Path(name), options.jobs)
        tests = sorted({fault.test for fault in faults})
        print(f"{len(tests)} tests without any fault, then {len(faults)} faults", flush=True)
        if broken := [lines for lines in pool.map(partial(without_fault, copies), tests) if lines]:
            raise SystemExit("\n".join(broken))
        caught = sum(pool.map(partial(is_caught, copies), faults))
    print(f"{caught} passed, {len(faults) - caught} failed")
    return 0 if caught == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main())
