"""LOAD: from the port's words to words of the scratchpad."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from itertools import islice

from ...hw.isa import REGIONS
from .compute import Compute
from .fetch import Queue
from .gear import LINE_BUFFER, TAP_WINDOW, credit, stages, window_words
from .items import item_count, item_sizes, item_words
from .plan import Plan
from .port import Reader
from .straight import Clear, Straight

__all__ = ["Load"]


class Load:
    """``hw.load_unit``: command to the reader; drop and words out of the gearbox; taps; writes that wait for banks."""

    def __init__(
        self, plan: Plan, reader: Reader, queue: Queue, compute: Compute, images: int, done: list[int]
    ) -> None:
        config = plan.config
        self.config, self.reader, self.queue, self.compute, self.done = config, reader, queue, compute, done
        self.records, self.registers = plan.records["load"], plan.registers
        self.images, self.total = images, len(plan.records["load"]) * images
        self.units = config.port_width // (8 * config.lane_bytes)
        self.window = window_words(self.units, max(config.lanes, self.units))
        self.to_queue = stages(self.units, self.window) + 2 + (LINE_BUFFER if config.fold_width else 0)
        self.low = (config.bank_depth - 1).bit_length()
        self.blocked: int | None = None
        """the cycle of a write that cannot be decided yet."""
        self.jobs: list[int] = []  # when each job left the queue's RAM
        self.dropped: list[int] = []  # when its first request was taken
        self.folds: list[int] = []
        self.folded: list[int] = []
        self.ends: list[int] = []
        self.shifts = reader.taken
        self.freed = array("q")
        self.items = array("q")  # emitted, drops apart
        self.emits = array("q")
        self.left = array("q")  # when each left the queue behind the gearbox
        self.asked = array("q")
        self.made = array("q")  # when each word was, of a pixel's elements
        self.entered = array("q")  # without fold: words into the slice in front of the scratchpad
        self.written = array("q")
        self.base, self.step, self.end = (
            0,
            -1,
            -1,
        )  # port words of the jobs before; the tap window's last steps
        self.at = [0, 0, 0, 0]  # the job that is asked for, emitted, made words of, written
        self.busy = [False] * 4
        self.begun = -1, 0  # a job of which some words are written already
        self._requests = self._request_all()
        self._emission = self._emit_all()
        self._windows = self._step_all()
        self._writes = self._write_all()
        self.moved = False
        self._straight = Straight(self, Clear(plan, images))

    def run(self) -> bool:
        """As far as can be known; whether anything was new."""
        moved = False
        while True:
            self.moved = False
            self._take()
            if not self._straight.run():
                self._shift()
                next(self._requests, None)
                next(self._emission, None)
                next(self._windows, None)
                next(self._writes, None)
            if not self.moved:
                return moved
            moved = True

    def _take(self) -> None:
        queue, taken = self.queue, self.queue.taken
        self._queues()
        while len(taken) < self.total:
            n = len(taken)
            if len(queue.valid) <= n or len(self.reader.accepted) < n:
                return
            at = queue.valid[n]
            if n:
                at = max(at, self.reader.accepted[n - 1] + 1)
            if n >= 2:
                if len(self.jobs) <= n - 2:
                    return
                at = max(at, self.jobs[n - 2] + 2)
            if n >= 4:
                if len(self.folds) <= n - 4:
                    return
                at = max(at, self.folds[n - 4] + 2)
            taken.append(at)
            image, index = divmod(n, len(self.records))
            v = self.records[index].values
            address = v["offset"] + region(self.registers, v["region"], image)
            self.reader.command(at + 2, address // self.config.port_bytes, v["beats"])
            self.moved = True
            self._queues()

    def _queues(self) -> None:
        """When jobs move from the RAM of their two queues to the output."""
        taken = self.queue.taken
        for moves, leaves in ((self.jobs, self.dropped), (self.folds, self.folded)):
            while len(moves) < len(taken) and len(moves) <= len(leaves):
                n = len(moves)
                moves.append(max(taken[n] + 1, leaves[n - 1]) if n else taken[n] + 1)
                self.moved = True

    def _shift(self) -> None:
        puts, shifts, freed = self.reader.puts, self.shifts, self.freed
        while len(shifts) < len(puts):
            n = len(shifts)
            at = puts[n] + 4
            if n:
                at = max(at, shifts[-1] + 1)
            if n >= self.window:
                if len(freed) <= n - self.window:
                    return
                at = max(at, freed[n - self.window] + 1)
            shifts.append(at)
            self.moved = True

    def _jobs_of(self, stage: int) -> Iterator[tuple[int, Mapping[str, int]]]:
        """The jobs of a stage, as they come."""
        while self.at[stage] < self.total:
            n = self.at[stage]
            if len(self.jobs if stage < 2 else self.folds) <= n:
                yield -1, {}
                continue
            self.busy[stage] = True
            yield n, self.records[n % len(self.records)].values
            self.busy[stage] = False
            self.at[stage] = n + 1

    def _begun(self, n: int) -> int:
        """Words of job ``n`` that are written before it comes here."""
        return self.begun[1] if self.begun[0] == n else 0

    def _request_all(self) -> Iterator[bool]:
        """When each request is taken, a drop and its words: up to two before they are served."""
        emits, requests = self.emits, self.asked
        for n, v in self._jobs_of(0):
            if n < 0:
                yield True
                continue
            asked = max(requests[-1] if requests else -1, self.jobs[n])
            begun = self._begun(n)
            for k in range(begun + 1 if begun else 0, item_count(v) + 1):
                j = len(requests)
                asked = max(asked + 1, self.jobs[n] + 3) if k == 1 else asked + 1  # its steps have begun
                if j >= 2:
                    while len(emits) <= j - 2:
                        yield True
                    asked = max(asked, emits[j - 2] + 1)
                requests.append(asked)
                if not k:
                    self.dropped.append(asked)
                self.moved = True

    def _emit_all(self) -> Iterator[bool]:
        """What the gearbox makes of the requests."""
        for n, v in self._jobs_of(1):
            if n < 0:
                yield True
                continue
            base, used = self.base, v["skip"]
            need = base + (1 if used else 0)
            begun, count = self._begun(n), item_count(v)
            sizes = islice(item_sizes(v, self.config), begun, count)
            if begun:
                used += begun // v["blocks"] * ((v["blocks"] - 1) * self.config.lanes + v["tail"])
                used += begun % v["blocks"] * self.config.lanes
            else:
                yield from self._emit(need, True)
            for k, size in enumerate(sizes, begun):
                used += size
                need = base - (-used // self.units)
                yield from self._emit(need, False)
                freed = need if k == count - 1 else base + used // self.units
                self.freed.extend([self.emits[-1]] * (freed - len(self.freed)))
            self.base = need

    def _emit(self, need: int, drop: bool) -> Iterator[bool]:
        while len(self.asked) <= len(self.emits) or len(self.shifts) < need:
            yield True
        at = self.asked[len(self.emits)] + 1
        if need:
            at = max(at, self.shifts[need - 1] + 1)
        if self.emits:
            at = max(at, self.emits[-1] + 1)
        while (known := credit(self.items, self.left, at)) < 0:
            yield True
        at = known
        self.emits.append(at)
        self.moved = True
        if not drop:
            self.items.append(at)

    def _step_all(self) -> Iterator[bool]:
        """Pixels into the tap window, words out of it."""
        made, left, items = self.made, self.left, self.items
        for n, v in self._jobs_of(2):
            if n < 0:
                yield True
                continue
            begin = max(self.folds[n], self.end) + 1
            begun = self._begun(n)
            if not begun:
                self.folded.append(begin)
            self.moved = True
            step = max(self.step, begin)
            for addresses in islice(item_words(v), begun, None):
                while len(items) <= len(left):
                    yield True
                at = max(step + 1, items[len(left)] + self.to_queue + 1)
                for word in range(max(1, len(addresses))):
                    while (known := self._room(at)) < 0:
                        yield True
                    step = known
                    if not word:
                        left.append(step)
                    if addresses:
                        made.append(step)
                    at = step + 1
                    self.moved = True
            self.step = self.end = step

    def _room(self, at: int) -> int:
        """The cycle, ``at`` or later, in which a word may be made; -1 where that is not known yet."""
        made, entered, written = self.made, self.entered, self.written
        if self.config.folds:
            return credit(made, written, at)
        if made:
            if len(entered) < len(made):
                return -1
            at = max(at, entered[-1])
            if at > entered[-1] and len(made) >= 2:
                at = max(at, written[len(made) - 2] + 1)
        return at

    def _write_all(self) -> Iterator[bool]:
        """Words out of the queue into the scratchpad."""
        made, written = self.made, self.written
        for n, v in self._jobs_of(3):
            if n < 0:
                yield True
                continue
            words = (addr for addresses in item_words(v) for addr in addresses)
            for addr in islice(words, self._begun(n), None):
                while len(made) <= len(written):
                    yield True
                at = made[len(written)] + 1
                if len(written) >= 2:
                    at = max(at, written[-2] + 1)
                self.entered.append(at)
                at = made[len(written)] + TAP_WINDOW if self.config.folds else at + 1
                if written:
                    at = max(at, written[-1] + 1)
                yield from self._write(at, addr)
            self.done.append(written[-1] + 1)
            self.moved = True

    def _write(self, at: int, addr: int) -> Iterator[bool]:
        """A word that is there in cycle ``at`` waits for its bank."""
        bank = 1 << (addr % self.config.words >> self.low)
        while True:
            busy = self.compute.writes(at)
            if busy is None:
                self.blocked = at
                yield True
                self.blocked = None
            elif busy & bank:
                at += 1
            else:
                break
        self.written.append(at)
        self.moved = True


def region(registers: Mapping[str, int], number: int, image: int) -> int:
    """Byte address of a region in an iteration."""
    name = REGIONS[number]
    return registers[f"{name}_addr"] + image * registers.get(f"{name}_stride", 0)
