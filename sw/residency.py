"""What stays in the scratchpad, what goes to external memory, and how each operation is cut for it.

All tensors are resident if they fit. Else, as long as some operation has no room, the tensor that takes the most
words there is spilled, one that the operation does not touch first; its makers and readers are streamed.

Moments: 3i in operation i's first phase, 3i + 1 in those between, 3i + 2 in its last one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ..hw.config import EngineConfig
from ..quant.network import QuantizedNetwork, Tensor
from .allocation import Placement, Request, place, tensor_blocks
from .homes import Home, homes
from .operations import Operation
from .overlap import overlapped
from .program import OutputInfo
from .stream_cost import best, busy, cycles
from .streams import Modes, Phase, Stream, candidates, smallest
from .tiles import Tiles

__all__ = ["Plan", "Slot", "plan"]


_WORTH, _LEAST = 0.01, 4096
"""Share of all cycles, and cycles: less lost is not worth the way through external memory."""

_Found = tuple[list[Stream], dict[Hashable, Placement]]

_SHARES = (1.0, 0.85, 0.7, 0.5, 0.3, 0.0)
"""Of the free words, for the strips of streamed operations: what is smaller is easier to place."""


@dataclass(frozen=True)
class Slot:
    """The key of what operation ``op`` streams through: act or residual slot ``number``, out or residual ring."""

    op: int
    kind: str
    number: int = 0


@dataclass(frozen=True)
class Plan:
    """``streams``, one an operation, those of resident operations too; ``places`` by tensor name or ``Slot``."""

    config: EngineConfig
    ops: Sequence[Operation]
    streams: Sequence[Stream]
    places: dict[Hashable, Placement]
    homes: dict[str, Home]
    spill_bytes: int
    image_streamed: bool
    """The network's input is never whole in the scratchpad."""


def plan(
    network: QuantizedNetwork, ops: Sequence[Operation], outputs: Sequence[OutputInfo], config: EngineConfig
) -> Plan:
    """How the operations run. Raises ``ValueError`` naming the layer that has no room, the bytes, and the cure."""
    return _Planner(network, ops, config).plan(outputs)


class _Planner:
    def __init__(self, network: QuantizedNetwork, ops: Sequence[Operation], config: EngineConfig) -> None:
        self.network, self.ops, self.config = network, ops, config
        acts = {op.act.name: op.act for op in ops if op.act.name == network.input}
        self.tensors: dict[str, Tensor] = {**network.tensors, **acts}  # a folded input has words of its own
        self.made = {network.input: 0} | {op.output.name: i for i, op in enumerate(ops)}
        self.read = dict(self.made)
        for i, op in enumerate(ops):
            for tensor in (op.act, op.residual):
                if tensor is not None:
                    self.read[tensor.name] = i
        for name in network.outputs:  # one operation more, so that its STORE hides behind that
            self.read[name] = min(self.read[name] + 1, len(ops) - 1)

    def words(self, name: str) -> int:
        """Of a resident tensor."""
        height, width, channels = self.tensors[name].shape
        return height * width * tensor_blocks(channels, self.config)

    def plan(self, outputs: Sequence[OutputInfo]) -> Plan:
        """Spill until all fits, with strips as large as there is room for, or smaller ones that are easier to place."""
        spilled: dict[str, None] = {}
        found = self._settle(spilled)
        while (other := self._better(spilled, found)) is not None:
            spilled, found = other
        streams, places = found
        spilled.pop(self.network.input, None)
        kept = [name for name in self.made if name in spilled]
        memory, spill_bytes = homes(kept, self.tensors, outputs, self.config)
        streamed = self.network.input not in places
        return Plan(self.config, self.ops, streams, places, memory, spill_bytes, streamed)

    def _fit(self, spilled: dict[str, None]) -> _Found | None:
        """Streams and places; None with one tensor more in ``spilled``."""
        crowded: list[int] = []
        for share in _SHARES if spilled else _SHARES[:1]:
            streams, short = self._streams(spilled, share)
            if short is not None:
                crowded = crowded or [short]
                break
            requests = self._requests(streams, spilled)
            places = place(requests, self._conflicts(streams), self.config)
            if places is not None:
                return streams, places
            crowded = sorted(range(len(self.ops)), key=lambda i: -_alive(requests, i))
        self._spill(crowded, spilled)
        return None

    def _settle(self, spilled: dict[str, None]) -> _Found:
        """The first that fits, with more and more in ``spilled``."""
        while (found := self._fit(spilled)) is None:
            pass
        return found

    def _better(self, spilled: dict[str, None], found: _Found) -> tuple[dict[str, None], _Found] | None:
        """A tensor more in external memory, where that saves cycles: room for longer strips, STORE behind compute."""
        cost, least = self._cost(found), [busy(stream) for stream in found[0]]
        if cost - sum(least) < max(_WORTH * cost, _LEAST):
            return None
        lost = [cycles(stream) - compute for stream, compute in zip(found[0], least, strict=True)]
        worst = max(range(len(self.ops)), key=lost.__getitem__)
        for name in dict.fromkeys(
            [*self._resident(worst, spilled), self.network.input, *self.network.outputs]
        ):
            if name in spilled or (name == self.network.input and name in self.network.outputs):
                continue
            more = {**spilled, name: None}
            try:
                other = self._settle(more)
            except ValueError:
                continue
            if self._cost(other) < (1 - _WORTH / 4) * cost:
                return more, other
        return None

    def _cost(self, found: _Found) -> float:
        """Cycles an image, about, back to back: of the operations, of what LOAD and STORE do not hide behind them."""
        streams, places = found
        spans = [cycles(stream, len(streams) == 1) for stream in streams]
        total = sum(spans)
        for name in {self.network.input, *self.network.outputs} & places.keys():
            others = [self._begins(key) for key, place in places.items() if _overlap(place, places[name])]
            hidden = spans[: min(others)]  # of the next image, until the words are written again
            if name == self.network.input:  # the next one comes when this one is read
                hidden = spans[self.read[name] + 1 :] if len(others) == 1 else []
            total += max(0.0, self.words(name) * self.config.word_beats - sum(hidden))
        return total

    def _begins(self, key: Hashable) -> int:
        """The operation that first writes what a place is for."""
        return key.op if isinstance(key, Slot) else self.made[str(key)]

    # What is spilled ------------------------------------------------------------------------------

    def _resident(self, index: int, spilled: dict[str, None]) -> list[str]:
        """Tensors in the scratchpad while an operation runs."""
        return [n for n, made in self.made.items() if n not in spilled and made <= index <= self.read[n]]

    def _spill(self, crowded: Sequence[int], spilled: dict[str, None]) -> None:
        """One tensor more, at the first operation of ``crowded`` that has one. Raises ``ValueError`` if none has."""
        fixed = self.network.input if self.network.input in self.network.outputs else None
        for index in crowded:
            op = self.ops[index]
            touched = {t.name for t in (op.act, op.residual, op.output) if t is not None}
            names = [name for name in self._resident(index, spilled) if name != fixed]
            if names:
                spilled[max(names, key=lambda name: self.words(name) * (1 if name in touched else 2))] = None
                return
        raise ValueError(self._refusal(crowded[0], spilled))

    def _refusal(self, index: int, spilled: dict[str, None]) -> str:
        op, config = self.ops[index], self.config
        resident = sum(self.words(name) for name in self._resident(index, spilled))
        least, size = smallest(op, self._modes(op, spilled), config).words + resident, config.word_bytes
        if least <= config.words:
            problem = "finds no place for its strips beside those of its neighbours"
        else:
            problem = (
                f"needs {least * size} bytes of scratchpad for the smallest strip of its map, "
                f"there are {config.words * size}"
            )
        return f"layer {op.name!r} {problem}: use --scratchpad with more bytes"

    # How operations are cut -----------------------------------------------------------------------

    def _modes(self, op: Operation, spilled: dict[str, None]) -> Modes:
        image = self.network.input
        residual = None if op.residual is None else op.residual.name
        return Modes(
            act=op.act.name in spilled,
            res_slots=residual == image and image in spilled,
            res_ring=residual != image and residual in spilled,
            out_ring=op.output.name in spilled,
            act_image=op.act.name == image,
            act_folded=op.act.shape != self.network.tensors[op.act.name].shape,
        )

    def _streams(self, spilled: dict[str, None], share: float) -> tuple[list[Stream], int | None]:
        """Every operation's stream in a share of the free words, or the first operation that has no room for one."""
        config, loading = self.config, True
        streamed: dict[int, Stream] = {}
        for i, op in enumerate(self.ops):
            modes = self._modes(op, spilled)
            first = loading and self.network.input in (op.act.name, op.residual and op.residual.name)
            loading = loading and not first
            free = config.words - sum(self.words(name) for name in self._resident(i, spilled))
            if free < 0:
                return [], i
            if modes.any:
                stream = best(candidates(op, modes, config, first), int(free * share), len(self.ops) == 1)
                stream = stream or smallest(op, modes, config)
                if stream.words > free:
                    return [], i
                streamed[i] = stream
        cuts = {i: [phase.strip for phase in stream.phases] for i, stream in streamed.items()}
        result, strips = [], overlapped(self.ops, config, self.network.input, cuts)
        for i, (op, cut) in enumerate(zip(self.ops, strips, strict=True)):
            blocks = Tiles(op, config).blocks
            phases = tuple(Phase(strip, 0, blocks) for strip in cut)
            result.append(streamed.get(i) or Stream(op, self._modes(op, {}), phases, config))
        return result, None

    # What is placed -------------------------------------------------------------------------------

    def _requests(self, streams: Sequence[Stream], spilled: dict[str, None]) -> list[Request]:
        end = 3 * len(self.ops) - 1
        result = []
        for name, made in self.made.items():
            if name in spilled:
                continue
            height, width, channels = self.tensors[name].shape
            wishes = (-1, end) if name == self.network.input else (None, None)
            blocks = tensor_blocks(channels, self.config)
            last = 3 * self.read[name] + 2
            result.append(Request(name, height * width, blocks, 3 * made, last, *wishes))
        for i, stream in enumerate(streams):
            result += _slots(i, stream, end)
        return result

    def _conflicts(self, streams: Sequence[Stream]) -> dict[Hashable, dict[Hashable, int]]:
        """How bad each word is that two requests have in the same bank.

        Operands of one COMPUTE cost a cycle a word, always. STORE waits while its bank is read. The rest only
        delays LOAD, or keeps room for better choices.
        """
        weights: dict[Hashable, dict[Hashable, int]] = {}

        def add(ones: list[Hashable], others: list[Hashable], weight: int) -> None:
            for one in ones:
                for other in others:
                    if one != other:
                        for a, b in ((one, other), (other, one)):
                            weights.setdefault(a, {})[b] = weights.setdefault(a, {}).get(b, 0) + weight

        image: list[Hashable] = [self.network.input]
        for i, (op, stream) in enumerate(zip(self.ops, streams, strict=True)):
            act, residual, out = self._operands(i, stream)
            if op.residual is not None:
                add(act, residual, 64)
            for ones in (act, residual):
                if ones != out:
                    add(ones, out, 16 if stream.modes.out_ring else 1)
            if op.output.name in self.network.outputs:
                add(act, out, 7)
            add(image, out, 2)
        add(image, [self.ops[-1].output.name], 7)
        return weights

    def _operands(self, i: int, stream: Stream) -> tuple[list[Hashable], list[Hashable], list[Hashable]]:
        """Keys of input, residual and output."""
        op, modes = stream.op, stream.modes
        act: list[Hashable] = [Slot(i, "act", n) for n in (0, 1)] if modes.act else [op.act.name]
        out: list[Hashable] = [Slot(i, "out")] if modes.out_ring else [op.output.name]
        if op.residual is None:
            return act, [], out
        if modes.res_slots:
            return act, [Slot(i, "res", n) for n in (0, 1)], out
        if modes.res_ring:
            return act, out if stream.in_place else [Slot(i, "ring")], out
        return act, [op.residual.name], out


def _slots(i: int, stream: Stream, end: int) -> list[Request]:
    """What a stream needs, when; it wishes for its first input during the operation before."""
    result = []
    count = len(stream.phases)
    before = 3 * i - 1
    for kind, words, used in (
        ("act", stream.act_words, stream.modes.act),
        ("res", stream.res_words, stream.modes.res_slots),
    ):
        for number in range(min(stream.slots, count) if used else 0):
            final = 3 * i + 2 if (count - 1) % stream.slots == number else 3 * i + (1 if count > 2 else 0)
            early = None if number else before
            result.append(Request(Slot(i, kind, number), words, 1, 3 * i, final, early))
    later = 3 * i + 3 if 3 * i + 2 < end else None
    if stream.modes.out_ring:
        early = before if stream.in_place else None
        words = max(stream.out_words, stream.res_words if stream.in_place else 0)
        result.append(Request(Slot(i, "out"), words, stream.ring, 3 * i, 3 * i + 2, early, later))
    if stream.modes.res_ring and not stream.in_place:
        result.append(Request(Slot(i, "ring"), stream.res_words, stream.ring, 3 * i, 3 * i + 2, before))
    return result


def _overlap(one: Placement, other: Placement) -> bool:
    """Words in common; a place has them with itself."""
    return one.base < other.end and other.base < one.end


def _alive(requests: Sequence[Request], index: int) -> int:
    """Words needed at the worst of an operation's moments."""
    return max(
        sum(r.words for r in requests if r.first <= moment <= r.last)
        for moment in range(3 * index, 3 * index + 3)
    )
