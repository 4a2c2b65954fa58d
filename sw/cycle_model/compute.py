"""The sequencer: when each pass starts, when each instruction is complete, what the array waited for."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...hw.config import EngineConfig
from .fetch import Queue
from .pixels import Accesses
from .plan import Plan
from .pusher import Pusher
from .vectors import Vectors

__all__ = ["Compute", "Span"]

_TAILS = 4
"""Instructions in the pipeline, as ``hw.compute_unit``."""

_PREPARE = 4
"""Cycles from a pass to the next at least, as ``hw.pass_generator``."""

_EARLY = 4
"""A bubble in front of one of so many first pixels may delay the next pass: ``hw.sequencer``."""


Gap = tuple[int, int, int, int, bool]


def _mean_latency(config: EngineConfig) -> int:
    """From an instruction's last pixel on for so long no other one's last pass may start: ``hw.mean``."""
    return 2 * config.cols + 6 + (config.wgt_width - 1).bit_length()


@dataclass
class Span:
    """What happened to one COMPUTE, in cycles after the engine's start.

    The last five add up to the cycles from the last pixel of the COMPUTE before to its own last one: pixels, and
    stalls as the engine's registers count them.
    """

    index: int
    """in the program's COMPUTEs."""
    image: int
    passes: int
    weight_beats: int
    cause: str = "fetch"
    """what its record waited for last: "fetch", "load", "compute", "store"."""
    start: int = 0
    """the array's first pixel."""
    end: int = 0
    """its last output is written."""
    pixels: int = 0
    wait: int = 0
    weight: int = 0
    bank: int = 0
    short: int = 0

    @property
    def cycles(self) -> int:
        """All of them."""
        return self.pixels + self.wait + self.weight + self.bank + self.short


@dataclass(slots=True)
class Run:
    """Pixels of one pass: at the loops from cycle ``first`` to ``last``; ``at`` where they do not follow each other."""

    first: int
    last: int
    accesses: Accesses
    index: int
    at: list[int] | None


class Compute:
    """Passes in order: start(s) = max(end of the pass before, tile, parameters, record, ...)."""

    def __init__(self, plan: Plan, queue: Queue, stream: Pusher, images: int, done: list[int]) -> None:
        self.config, self.queue, self.stream, self.done = plan.config, queue, stream, done
        self.records = plan.records["compute"]
        self.accesses = [Accesses(record, plan.config) for record in self.records]
        self.beats = [plan.config.header_words + segment.words for segment in plan.segments]
        self.images = images
        self.residuals = any(accesses.res for accesses in self.accesses)
        self.means = any(accesses.mean for accesses in self.accesses)
        self.spans: list[Span] = []
        self.bound = 0
        """no pixel beyond the known ones is at the loops before this cycle."""
        self.limit = 0
        """passes that start later are left for the next time: who asks the port before them is served first."""
        self.held: int | None = None
        """the start of the pass that was left."""
        self.runs: list[Run] = []
        self.gaps: list[Gap] = []
        """cycles without a pixel between passes: first, last, and what ``_count`` tells their causes by."""
        self.firsts = array("q")
        self._due: list[Run] = []
        products = any(accesses.vector for accesses in self.accesses)
        self.vectors = Vectors(self.at, plan.config.rows + 1, products)
        self._moved = False
        # The COMPUTE at work: its span, its next pass; tiles taken; the pass before: its start.
        self.span, self.passed, self.tiles = Span(0, 0, 0, 0), 0, 0
        self.before = -_PREPARE
        self.last = self.left = -1  # the last pixel's cycle; when it left the loops
        self._closed: set[int] = set()  # cycles without a start, for bubbles before
        self._added = -plan.config.rows  # the last pixel with a residual
        self._steps = self._all()
        self.over = False

    def run(self) -> bool:
        """As far as can be known; whether anything was new."""
        self._moved = False
        if not self.over and next(self._steps, None) is None:
            self.over = True
        return self._moved

    def _all(self) -> Iterator[bool]:
        config, stream, queue = self.config, self.stream, self.queue
        to_done = config.rows + config.cols + 16 + config.operand_latency + config.table_latency
        room = [-1] * _TAILS  # when the pipeline has room for each of the next instructions
        to_last, quiet = _mean_latency(config), 0
        for index in range(len(self.records) * self.images):
            image, number = divmod(index, len(self.records))
            record, accesses = self.records[number], self.accesses[number]
            keep, passes = record.values["keep"], record.passes
            self.span = span = Span(number, image, passes, self.beats[number])
            while len(queue.valid) <= index:
                yield True
            span.cause = queue.causes[index]
            if accesses.vector:
                while len(stream.param_ready) <= index:
                    yield True
                at = self.vectors.read(accesses, max(queue.valid[index], stream.param_ready[index]))
                stream.vectors.append(at + config.operand_latency + 3)  # ``hw.diagonal_tile``
                self._moved = True
            self.passed = 0
            while self.passed < passes:
                p = self.passed
                takes = p > 0 or not keep
                known, ready = self.before + 2, 0
                if takes:
                    while len(stream.tile_ready) <= self.tiles:
                        yield True
                    ready = stream.tile_ready[self.tiles]
                start = max(self.before + _PREPARE, self.left)
                if p == 0:
                    known = max(known, queue.valid[index] + 1)
                    while len(stream.param_ready) <= index:
                        yield True
                    ready = max(ready, stream.param_ready[index])
                    start = max(start, known + 2, room[0] + 2)
                    if record.values["fir"]:  # nothing holds its pixels back
                        start = max(start, self._added + config.rows + 1)
                start = max(start, ready + 1)
                if p == passes - 1:
                    start = max(start, quiet)
                while start in self._closed:
                    start += 1
                if start > self.limit:
                    self.held, self.bound = start, start + 1
                    yield True
                    continue
                self.held = None
                self._count(span, self.last + 1, start, known, ready, p == 0)
                run = self._pass(accesses, p, start, span)
                if p == (0 if config.lookahead else passes - 1):
                    queue.taken.append(start + 1 if config.lookahead else self.left + 1)
                if p == 0:
                    self.vectors.later(start + 1)
                    stream.entered_instr.append(run.first)
                    span.start = run.first
                    taking = run.first + config.rows + config.operand_latency + 12
                if takes:
                    stream.entered_tile.append(run.first)
                    self.tiles += 1
                self.passed = p + 1
                self.before, self.last = start, run.last
                self.bound, self._moved = run.last + 1, True
            span.end = self.last - accesses.behind + to_done
            if accesses.mean:
                quiet = self.last + to_last
                span.end += to_last - config.cols + 1 - config.table_latency  # past the tables
            room = [*room[1:], max(taking, span.end - 1)]
            self.done.append(span.end)
            self.spans.append(span)
        self.lift(1 << 62)

    def _count(self, span: Span, begin: int, end: int, known: int, ready: int, fresh: bool) -> None:
        """What the cycles without a pixel, ``begin`` to ``end``, were lost to."""
        wait = weight = 0
        if fresh:
            wait = max(0, min(end, known) - begin + 1)
        if ready >= known + 2:
            weight = max(0, min(end, ready) - max(begin, known + 2) + 1)
        if end >= begin:
            self.gaps.append((begin, end, known, ready, fresh))
        span.wait += wait
        span.weight += weight
        span.short += max(0, end - begin + 1) - wait - weight

    def _pass(self, accesses: Accesses, p: int, start: int, span: Span) -> Run:
        pixels = accesses.pixels
        first = max(start, self.last) + 1
        last = first + pixels - 1
        self.left, self._closed = last, {cycle for cycle in self._closed if cycle > start}
        delay = self.config.rows + 1
        self._due = [run for run in self._due if run.last + delay >= first]
        run = Run(first, last, accesses, p, None)
        own = p == 0 and accesses.res
        if (self._due or own) and self._meets(accesses, p, own):
            self._slow(run, own, span)
        if own:
            self._due.append(run)
            self._added = run.last
        span.pixels += pixels
        self.runs.append(run)
        self.firsts.append(run.first)
        return run

    def _meets(self, accesses: Accesses, p: int, own: bool) -> bool:
        mine = 0
        for mask in set(accesses.compared(p).tolist()):
            mine |= mask
        other = 0
        for source in [*(run.accesses for run in self._due), *([accesses] if own else [])]:
            for mask in set(source.due.tolist()):
                other |= mask
        return bool(mine & other)

    def _slow(self, run: Run, own: bool, span: Span) -> None:
        """Pixel by pixel: one waits while a residual of its bank is read."""
        delay = self.config.rows + 1
        due: dict[int, int] = {}
        for other in self._due:
            at = range(other.first, other.last + 1) if other.at is None else other.at
            due.update({u + delay: mask for u, mask in zip(at, other.accesses.due.tolist(), strict=True)})
        masks = run.accesses.compared(run.index).tolist()
        theirs = run.accesses.due.tolist() if own else []
        at, now = [], run.first - 1
        for j, mask in enumerate(masks):
            now += 1
            while due.get(now, 0) & mask:
                span.bank += 1
                self._closed.update((now + 1, now + 2, now + 3) if j < _EARLY else (now + 1,))
                now += 1
            at.append(now)
            if own:
                due[now + delay] = theirs[j]
        # A pixel leaves the loops for the stage behind them when the one before has gone.
        self.left = at[-2] + 1 if len(at) > 1 else run.first
        run.first, run.last = at[0], now
        if now - at[0] + 1 != len(at):
            run.at = at

    # Many passes at once --------------------------------------------------------------------------------

    @property
    def passes(self) -> int:
        """Of the COMPUTE at work."""
        return self.span.passes

    @property
    def pixels(self) -> int:
        """Of its passes, each."""
        return self.accesses[self.span.index].pixels

    def steady(self) -> bool:
        """Whether only tiles decide when passes begin, from the one on that is held, and some are left."""
        if self.held is None or not 0 < self.passed < self.passes - 1 or self._closed:
            return False
        return all(run.last + self.config.rows + 1 <= self.held for run in self._due)

    def skip(self, passes: int, cycles: int, counts: Sequence[int], gaps: Iterable[Gap]) -> None:
        """So many passes have gone, their first pixels are in ``firsts``: ``counts`` pixels, wait, weight, short."""
        assert self.held is not None
        self.gaps.extend(gaps)
        span, accesses = self.span, self.accesses[self.span.index]
        later = self.pixels - 1
        for p, first in enumerate(self.firsts[len(self.runs) :], self.passed):
            self.runs.append(Run(first, first + later, accesses, p, None))
        self.passed += passes
        self.before += cycles
        self.last += cycles
        self.left += cycles
        self.held += cycles
        self.bound = self.held + 1
        span.pixels += counts[0]
        span.wait += counts[1]
        span.weight += counts[2]
        span.short += counts[3]

    # What others may not do --------------------------------------------------------------------------

    def lift(self, cycle: int) -> None:
        """What is not known yet comes in this cycle or later."""
        self.bound = max(self.bound, cycle)
        self.vectors.later(cycle)

    def at(self, cycle: int) -> tuple[Run, int] | None:
        """The pixel that leaves the loops in a cycle."""
        i = bisect_right(self.firsts, cycle) - 1
        if i < 0 or cycle > self.runs[i].last:
            return None
        run = self.runs[i]
        if run.at is None:
            return run, cycle - run.first
        j = bisect_right(run.at, cycle) - 1
        return (run, j) if run.at[j] == cycle else None

    def reads(self, cycle: int) -> int | None:
        """Banks that pixels and residuals read in a cycle, None where that is not known yet."""
        if cycle - 1 >= min(self.bound, self.vectors.bound):
            return None
        banks = self.vectors.reads(cycle - 1) if self.vectors.products else 0
        found = self.at(cycle - 1)
        if found:
            banks |= int(found[0].accesses.reads(found[0].index)[found[1]])
        found = self.at(cycle - self.config.rows - 2)
        if found and found[0].index == 0 and found[0].accesses.res:
            banks |= int(found[0].accesses.residuals[found[1]])
        return banks

    def quiet(self, cycle: int, bank: int) -> int:
        """The cycle before which no pixel of the pass that is read in ``cycle`` touches a bank; nothing else reads."""
        if self.residuals or self.vectors.products:
            return cycle
        i = bisect_right(self.firsts, cycle - 1) - 1
        if i < 0 or cycle - 1 > self.runs[i].last or self.runs[i].accesses.near(self.runs[i].index) & bank:
            return cycle
        return self.runs[i].last + 2

    def writes(self, cycle: int) -> int | None:
        """Banks that outputs write in a cycle, likewise."""
        past = cycle - self.config.rows - self.config.cols - 17 - self.config.operand_latency  # the tables
        at = past - self.config.table_latency
        if at >= self.bound:
            return None
        if self.means and (found := self.at(past - _mean_latency(self.config) + self.config.cols - 1)):
            accesses = found[0].accesses
            if accesses.mean and found[0].index == accesses.passes - 1 and found[1] == accesses.pixels - 1:
                return int(accesses.writes[0])
        found = self.at(at)
        if not found or found[0].index != found[0].accesses.passes - 1 or found[0].accesses.mean:
            return 0
        output = int(found[0].accesses.outputs[found[1]])
        return 0 if output < 0 else int(found[0].accesses.writes[output])
