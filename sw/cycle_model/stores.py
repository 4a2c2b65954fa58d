"""STORE: from words of the scratchpad to the memory's responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .loads import region
from .plan import Plan
from .port import BURST
from .whole import Jobs, Reads, Whole

__all__ = ["Store"]

_OUTSTANDING = 16
_AHEAD = 16


class Store:
    """``hw.store_unit`` and the bench memory's write channels.

    Three chains: bursts on AW, words read, beats on W.
    """

    def __init__(
        self, plan: Plan, queue: Jobs, compute: Reads, images: int, latency: int, done: list[int]
    ) -> None:
        self.config, self.queue, self.compute, self.done = plan.config, queue, compute, done
        self.plan, self.records, self.registers = plan, plan.records["store"], plan.registers
        self.total, self.latency = len(plan.records["store"]) * images, latency
        self.low = (self.config.bank_depth - 1).bit_length()
        self.blocked: int | None = None
        self.at = [0, 0, 0]  # the job of each chain
        self.begun = -1  # the last job that a chain has begun
        self.accepted: list[int] = []  # when each command was taken by the burst writer
        self.read: list[int] = []  # when each job's last word was asked for
        self.bursts: list[tuple[int, int, bool]] = []  # AW handshake, beats, the command's last
        self.left: list[int] = []  # when each burst left the writer's queue
        self.asks: list[int] = []  # of words
        self.reads: list[int] = []  # by the scratchpad
        self.words: list[int] = []  # words that left the queue for the shifter
        self.entered: list[int] = []  # when each beat entered the slice in front of W
        self.sent: list[int] = []
        """when each beat left the slice in front of W."""
        self.answers: list[int] = []  # responses
        self.idle = self.burst = 0  # AW is idle from this cycle on; bursts that began on W
        self.length = -1  # when the last one's length left its slice
        self._chains = [self._take(), self._ask(), self._words_all(), self._beats()]
        self._whole = Whole(self)
        self._moved = False

    def run(self) -> bool:
        """As far as can be known; whether anything was new."""
        moved = False
        while True:
            self._moved = False
            next(self._chains[0], None)
            if self._whole.run():
                self._moved = True
            elif not self._whole.waits:
                for chain in self._chains[1:]:
                    next(chain, None)
            if not self._moved:
                return moved
            moved = True

    def beat(self, n: int) -> int:
        """The port word at which job ``n`` begins."""
        image, index = divmod(n, len(self.records))
        v = self.records[index].values
        return (v["offset"] + region(self.registers, v["region"], image)) // self.config.port_bytes

    def _jobs(self, chain: int) -> Iterator[tuple[int, Mapping[str, int]]]:
        """The jobs of a chain, as they come; some are done by others meanwhile."""
        while self.at[chain] < self.total:
            n = self.at[chain]
            if len(self.queue.taken) <= n:
                yield -1, {}
                continue
            self.begun = max(self.begun, n)
            yield n, self.records[n % len(self.records)].values
            self.at[chain] = n + 1
            yield -1, {}  # all chains may be here: the next job at once, if it can be

    def _take(self) -> Iterator[bool]:
        for n in range(self.total):
            while len(self.queue.valid) <= n or len(self.accepted) < n or len(self.read) < n:
                yield True
            at = self.queue.valid[n]
            if n:
                at = max(at, self.accepted[n - 1] + 1, self.read[n - 1] + 1)
            self.queue.taken.append(at)
            self._moved = True

    def _ask(self) -> Iterator[bool]:
        """AW: a burst every 3 cycles, up to 17 under way."""
        left = self.left
        for n, v in self._jobs(0):
            if n < 0:
                yield True
                continue
            accepted = max(self.queue.taken[n] + 2, self.idle)
            self.accepted.append(accepted)
            self._moved = True
            beat, room, at = self.beat(n), accepted + 2, 0
            for b in range(v["blocks"]):
                beats = v["pixels"] * self.config.word_beats
                while beats:
                    size = min(beats, BURST - beat % BURST)
                    k = len(self.bursts)
                    at = room
                    if k >= _OUTSTANDING:
                        at = max(at, left[k - _OUTSTANDING] + 2)
                    at += 1
                    beats, beat, room = beats - size, beat + size, at + 2
                    self.bursts.append((at, size, not beats and b == v["blocks"] - 1))
                    self._moved = True
                    while k and len(self.answers) < k:
                        yield True
                    left.append(max(at, self.answers[k - 1]) if k else at)
            self.idle = at + 1

    def _words_all(self) -> Iterator[bool]:
        """Requests, the slice in front of the scratchpad, words back."""
        asks, reads = self.asks, self.reads
        quiet, quiet_bank = 0, 0  # up to a cycle nobody else reads this bank
        for n, v in self._jobs(1):
            if n < 0:
                yield True
                continue
            room = self.queue.taken[n]  # room for the next request, which is on offer a cycle later
            for b in range(v["blocks"]):
                for p in range(v["pixels"]):
                    k = len(asks)
                    at = room + 1
                    if k >= _AHEAD:
                        while len(self.words) <= k - _AHEAD:
                            yield True
                        at = max(at, self.words[k - _AHEAD] + 1)
                    if k >= 2:
                        at = max(at, reads[k - 2] + 1)
                    asks.append(at)
                    room = at
                    at += 1
                    if k:
                        at = max(at, reads[-1] + 1)
                    bank = 1 << ((v["base"] + p + b * v["block_step"]) % self.config.words >> self.low)
                    if bank != quiet_bank:
                        quiet, quiet_bank = 0, bank
                    while at >= quiet:
                        busy = self.compute.reads(at)
                        if busy is None:
                            self.blocked = at
                            yield True
                            self.blocked = None
                        elif busy & bank:
                            at += 1
                        else:
                            quiet = self.compute.quiet(at, bank)
                            break
                    reads.append(at)
                    self._moved = True
            self.read.append(asks[-1])

    def _beats(self) -> Iterator[bool]:
        """Beats of the words through slices to W, in bursts whose address was taken; responses."""
        entered, sent, words = self.entered, self.sent, self.words
        rest, active = 0, 0
        beats = self.config.word_beats
        for n, v in self._jobs(2):
            if n < 0:
                yield True
                continue
            for _ in range(v["pixels"] * v["blocks"]):
                while len(self.reads) <= len(words):
                    yield True
                at = self.reads[len(words)] + self.config.scratchpad_latency + 1
                if words:
                    at = max(at, words[-1] + 1, entered[-1])
                words.append(at)
                self._moved = True
                for _ in range(beats):
                    at += 1
                    if len(entered) >= 2:
                        at = max(at, sent[-2] + 1)
                    entered.append(at)
                    if not rest:
                        while len(self.bursts) <= self.burst:
                            yield True
                        asked, rest, last = self.bursts[self.burst]
                        # Through a queue and a slice; the slice leaves when the burst before has gone.
                        length = asked + 2 if self.burst == 0 else max(asked + 2, self.length + 1)
                        self.length = max(length, sent[-1]) if sent else length
                        active = self.length + 1
                        self.burst += 1
                    go = max(at + 1, active)
                    if sent:
                        go = max(go, sent[-1] + 1)
                    sent.append(go)
                    rest -= 1
                    if not rest:
                        answer = go + 1 + self.latency
                        if self.answers:
                            answer = max(answer, self.answers[-1] + 1)
                        self.answers.append(answer)
                        if last:
                            self.done.append(answer + 1)
                        self._moved = True
