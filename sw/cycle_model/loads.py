"""LOAD: from the port's words to words of the scratchpad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...hw.config import EngineConfig
from ...hw.isa import REGIONS
from .compute import Compute
from .fetch import Queue
from .gear import CREDITS, stages, window_words
from .plan import Plan
from .port import Reader

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
        self.to_queue = stages(self.units, self.window) + 2
        self.low = (config.bank_depth - 1).bit_length()
        self.blocked: int | None = None
        """the cycle of a write that cannot be decided yet."""
        self._jobs: list[int] = []  # when each job left the queue's RAM
        self._dropped: list[int] = []  # when its first request was taken
        self._folds: list[int] = []
        self._folded: list[int] = []
        self._ends: list[int] = []
        self._shifts = reader.taken
        self._freed: list[int] = []
        self._items: list[int] = []  # emitted, drops apart
        self._emits: list[int] = []
        self._given: list[int] = []
        self._left: list[int] = []  # when each left the queue behind the gearbox
        self._asked: list[int] = []
        self._requests = self._request_all()
        self._emission = self._emit_all()
        self._windows = self._step_all()
        self._moved = False
        self._need: list[int] = []

    def run(self) -> bool:
        """As far as can be known; whether anything was new."""
        moved = False
        while True:
            self._moved = False
            self._take()
            self._shift()
            next(self._requests, None)
            next(self._emission, None)
            next(self._windows, None)
            if not self._moved:
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
                if len(self._jobs) <= n - 2:
                    return
                at = max(at, self._jobs[n - 2] + 2)
            if n >= 4:
                if len(self._folds) <= n - 4:
                    return
                at = max(at, self._folds[n - 4] + 2)
            taken.append(at)
            image, index = divmod(n, len(self.records))
            v = self.records[index].values
            address = v["offset"] + region(self.registers, v["region"], image)
            self.reader.command(at + 2, address // self.config.port_bytes, v["beats"])
            self._moved = True
            self._queues()

    def _queues(self) -> None:
        """When jobs move from the RAM of their two queues to the output."""
        taken = self.queue.taken
        for moves, leaves in ((self._jobs, self._dropped), (self._folds, self._folded)):
            while len(moves) < len(taken) and len(moves) <= len(leaves):
                n = len(moves)
                moves.append(max(taken[n], leaves[n - 1]) if n else taken[n])
                self._moved = True

    def _shift(self) -> None:
        puts, shifts, freed = self.reader.puts, self._shifts, self._freed
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
            self._moved = True

    def _request_all(self) -> Iterator[bool]:
        """When each request is taken, a drop and its words: up to two before they are served."""
        asked, emits = -1, self._emits
        for n in range(self.total):
            v = self.records[n % len(self.records)].values
            while len(self._jobs) <= n:
                yield True
            asked = max(asked, self._jobs[n])
            for k in range(v["pixels"] * v["blocks"] + 1):
                j = len(self._asked)
                asked += 1
                if j >= 2:
                    while len(emits) <= j - 2:
                        yield True
                    asked = max(asked, emits[j - 2] + 1)
                self._asked.append(asked)
                if not k:
                    self._dropped.append(asked)
                self._moved = True

    def _emit_all(self) -> Iterator[bool]:
        """What the gearbox makes of the requests."""
        base = 0
        for n in range(self.total):
            v = self.records[n % len(self.records)].values
            used = v["skip"]
            need = base + (1 if used else 0)
            yield from self._emit(need, True)
            count = v["pixels"] * v["blocks"]
            for k in range(count):
                used += v["tail"] if (k + 1) % v["blocks"] == 0 else self.config.lanes
                need = base - (-used // self.units)
                yield from self._emit(need, False)
                freed = need if k == count - 1 else base + used // self.units
                self._freed.extend([self._emits[-1]] * (freed - len(self._freed)))
            base = need

    def _emit(self, need: int, drop: bool) -> Iterator[bool]:
        while len(self._asked) <= len(self._emits) or len(self._shifts) < need:
            yield True
        at = self._asked[len(self._emits)] + 1
        if need:
            at = max(at, self._shifts[need - 1] + 1)
        if self._emits:
            at = max(at, self._emits[-1] + 1)
        items, left = self._items, self._left
        while True:
            known = len(items) - sum(1 for e in items[-2:] if e > at - 3)
            if known < CREDITS:
                break
            while len(left) <= known - CREDITS:
                yield True
            if left[known - CREDITS] <= at - 3:
                break
            at = left[known - CREDITS] + 3
        self._emits.append(at)
        self._moved = True
        if not drop:
            items.append(at)
            self._given.append(at + self.to_queue)

    def _step_all(self) -> Iterator[bool]:
        """Words through the tap window and its slice into the scratchpad."""
        pixel, step, end = 0, -1, -1
        entered: list[int] = []
        written: list[int] = []
        for n in range(self.total):
            v = self.records[n % len(self.records)].values
            while len(self._folds) <= n:
                yield True
            begin = max(self._folds[n] + 1, end + 1)
            self._folded.append(begin)
            self._moved = True
            step = max(step, begin)
            for taking, addr in _steps(v, self.config):
                at = step + 1
                if taking:
                    while len(self._given) <= pixel:
                        yield True
                    at = max(
                        at,
                        self._given[pixel] + 1
                        if not pixel
                        else max(self._given[pixel], self._left[pixel - 1]) + 1,
                    )
                if entered:
                    at = max(at, entered[-1])
                    if at > entered[-1] and len(entered) >= 2:
                        at = max(at, written[len(entered) - 2] + 1)
                step = at
                if taking:
                    self._left.append(at)
                    pixel += 1
                    self._moved = True
                if addr is None:
                    continue
                inside = at + 1
                if len(entered) >= 2:
                    inside = max(inside, written[-2] + 1)
                entered.append(inside)
                at = inside + 1
                if written:
                    at = max(at, written[-1] + 1)
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
                written.append(at)
            end = step
            self._ends.append(step)
            self.done.append(written[-1] + 1)
            self._moved = True


def _steps(v: Mapping[str, int], config: EngineConfig) -> Iterator[tuple[bool, int | None]]:
    """Whether a word is taken, and the address of the word that is made."""
    if not v["fold"]:
        for p in range(v["pixels"]):
            for b in range(v["blocks"]):
                yield True, v["base"] + p + b * v["block_step"]
        return
    addr = v["base"]
    for _ in range(v["pixels"] // (v["row_last"] + 1)):
        for x in range(v["row_last"] + 1 + v["zeros"]):
            makes = x >= v["before"]
            yield x <= v["row_last"], addr if makes else None
            addr += makes


def region(registers: Mapping[str, int], number: int, image: int) -> int:
    """Byte address of a region in an iteration."""
    name = REGIONS[number]
    return registers[f"{name}_addr"] + image * registers.get(f"{name}_stride", 0)
