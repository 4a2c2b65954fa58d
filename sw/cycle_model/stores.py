"""STORE: from words of the scratchpad to the memory's responses."""

from __future__ import annotations

from collections.abc import Iterator

from .compute import Compute
from .fetch import Queue
from .loads import region
from .plan import Plan
from .port import BURST

__all__ = ["Store"]

_OUTSTANDING = 16
_AHEAD = 16
_ANSWER = 4
"""Cycles from a read of the scratchpad to its word."""


class Store:
    """``hw.store_unit`` and the bench memory's write channels.

    Three chains: bursts on AW, words read, beats on W.
    """

    def __init__(
        self, plan: Plan, queue: Queue, compute: Compute, images: int, latency: int, done: list[int]
    ) -> None:
        self.config, self.queue, self.compute, self.done = plan.config, queue, compute, done
        self.records, self.registers = plan.records["store"], plan.registers
        self.total, self.latency = len(plan.records["store"]) * images, latency
        self.low = (self.config.bank_depth - 1).bit_length()
        self.blocked: int | None = None
        self._accepted: list[int] = []  # when each command was taken by the burst writer
        self._read: list[int] = []  # when each job's last word was asked for
        self._bursts: list[tuple[int, int, bool]] = []  # AW handshake, beats, the command's last
        self._given: list[int] = []  # words on their way back
        self._words: list[int] = []  # words that left the queue for the shifter
        self._answers: list[int] = []  # responses
        self.sent: list[int] = []
        """when each beat left the slice in front of W."""
        self._chains = [self._take(), self._ask(), self._words_all(), self._beats()]
        self._moved = False

    def run(self) -> bool:
        """As far as can be known; whether anything was new."""
        moved = False
        while True:
            self._moved = False
            for chain in self._chains:
                next(chain, None)
            if not self._moved:
                return moved
            moved = True

    def _take(self) -> Iterator[bool]:
        for n in range(self.total):
            while len(self.queue.valid) <= n or len(self._accepted) < n or len(self._read) < n:
                yield True
            at = self.queue.valid[n]
            if n:
                at = max(at, self._accepted[n - 1] + 1, self._read[n - 1] + 1)
            self.queue.taken.append(at)
            self._moved = True

    def _ask(self) -> Iterator[bool]:
        """AW: a burst every 3 cycles, up to 17 under way."""
        idle, left = 0, []  # type: int, list[int]
        for n in range(self.total):
            while len(self.queue.taken) <= n:
                yield True
            image, index = divmod(n, len(self.records))
            v = self.records[index].values
            accepted = max(self.queue.taken[n] + 2, idle)
            self._accepted.append(accepted)
            self._moved = True
            beat = (v["offset"] + region(self.registers, v["region"], image)) // self.config.port_bytes
            room = accepted + 2
            for b in range(v["blocks"]):
                beats = v["pixels"] * self.config.word_beats
                while beats:
                    size = min(beats, BURST - beat % BURST)
                    k = len(self._bursts)
                    at = room
                    if k >= _OUTSTANDING:
                        at = max(at, left[k - _OUTSTANDING] + 2)
                    at += 1
                    beats, beat, room = beats - size, beat + size, at + 2
                    self._bursts.append((at, size, not beats and b == v["blocks"] - 1))
                    self._moved = True
                    while k and len(self._answers) < k:
                        yield True
                    left.append(max(at, self._answers[k - 1]) if k else at)
            idle = at + 1

    def _words_all(self) -> Iterator[bool]:
        """Requests, the slice in front of the scratchpad, words back."""
        asks: list[int] = []
        reads: list[int] = []
        quiet, quiet_bank = 0, 0  # up to a cycle nobody else reads this bank
        for n in range(self.total):
            while len(self.queue.taken) <= n:
                yield True
            v = self.records[n % len(self.records)].values
            room = self.queue.taken[
                n
            ]  # in this cycle there is room for the next request, on offer a cycle later
            for b in range(v["blocks"]):
                for p in range(v["pixels"]):
                    k = len(asks)
                    at = room + 1
                    if k >= _AHEAD:
                        while len(self._words) <= k - _AHEAD:
                            yield True
                        at = max(at, self._words[k - _AHEAD] + 1)
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
                    self._given.append(at + _ANSWER)
                    self._moved = True
            self._read.append(asks[-1])

    def _beats(self) -> Iterator[bool]:
        """Beats of the words through slices to W, in bursts whose address was taken; responses."""
        word = -1
        entered: list[int] = []  # when each beat entered the slice
        sent = self.sent
        burst, rest, active, length = -1, 0, 0, -1
        beats = self.config.word_beats
        for n in range(self.total):
            v = self.records[n % len(self.records)].values
            for _ in range(v["pixels"] * v["blocks"]):
                word += 1
                while len(self._given) <= word:
                    yield True
                at = self._given[word] + 1
                if word:
                    at = max(at, self._words[-1] + 1, entered[-1])
                self._words.append(at)
                self._moved = True
                for _ in range(beats):
                    at += 1
                    if len(entered) >= 2:
                        at = max(at, sent[-2] + 1)
                    entered.append(at)
                    if not rest:
                        burst += 1
                        while len(self._bursts) <= burst:
                            yield True
                        asked, rest, _ = self._bursts[burst]
                        # Through a queue and a slice; the slice leaves when the burst before has gone.
                        length = asked + 2 if burst == 0 else max(asked + 2, length + 1)
                        length = max(length, sent[-1]) if sent else length
                        active = length + 1
                    go = max(at + 1, active)
                    if sent:
                        go = max(go, sent[-1] + 1)
                    sent.append(go)
                    rest -= 1
                    if not rest:
                        answer = go + 1 + self.latency
                        if self._answers:
                            answer = max(answer, self._answers[-1] + 1)
                        self._answers.append(answer)
                        if self._bursts[burst][2]:
                            self.done.append(answer + 1)
                        self._moved = True
