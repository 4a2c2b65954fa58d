"""What stays in the scratchpad, what goes to external memory, and how each operation is cut for it.

All tensors are resident if they fit. Else, as long as some operation has no room, the tensor that takes the most
words there is spilled, one that the operation does not touch first; then whatever more makes the estimate of
``stream_cost`` smaller. The makers and readers of spilled tensors are streamed.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace

from ..hw.config import EngineConfig
from ..quant.network import QuantizedNetwork, Tensor
from .allocation import Placement, Request, place, tensor_blocks
from .folding import port_words
from .homes import Home, homes
from .joining import NOTHING, Joined
from .operations import Operation
from .overlap import in_phases, overlapped
from .patches import flat
from .program import OutputInfo
from .slots import Slot, conflicts, requests
from .stream_cost import busy, cycles
from .streams import Modes, Phase, Stream, smallest, ways
from .strips import in_rows, strips
from .tiles import Tiles

__all__ = ["SMALLEST", "Plan", "Planner", "plan"]

_SHARES = (1.0, 0.85, 0.7, 0.5, 0.3, 0.0)
"""Of the free words, for the strips of streamed operations: what is smaller is easier to place."""

SMALLEST = len(_SHARES) - 1

_GAIN = 0.002
"""A tensor is spilled for less cycles only if that saves this part of all."""

_WORTH, _LEAST = 0.01, 4096
"""Share of all cycles, and cycles: if less is lost between images, nothing is changed."""

_Found = tuple[list[Stream], dict[Hashable, Placement]]


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
    joined: Joined
    cycles: float
    """An image, about, back to back."""
    busy: int
    """The array's work, of these."""

    def home(self, tensor: Tensor) -> Home | None:
        """Where a tensor lies in external memory, if it does."""
        root, block = self.joined.place(tensor.name)
        if root not in self.homes:
            return None
        return (
            self.homes[root].shaped(tensor).part(block, -(-tensor.shape[2] // self.config.lanes), self.config)
        )

    def placement(self, name: str, blocks: int) -> Placement | None:
        """Where ``blocks`` blocks of a tensor lie in the scratchpad, if all of it does."""
        root, block = self.joined.place(name)
        if root not in self.places:
            return None
        place = self.places[root]
        return replace(
            place, base=place.base + block * place.block_step, blocks=min(blocks, place.blocks - block)
        )


def plan(
    network: QuantizedNetwork,
    ops: Sequence[Operation],
    outputs: Sequence[OutputInfo],
    config: EngineConfig,
    joined: Joined = NOTHING,
) -> Plan:
    """How the operations run. Raises ``ValueError`` naming the layer that has no room, the bytes, and the cure."""
    planner = Planner(network, ops, joined, config)
    spilled: set[str] = set()
    found = planner.settle(spilled)
    while (other := planner.better(spilled, found)) is not None:
        spilled, found = other
    streams, places = found
    kept = [name for name in planner.made if name in spilled and name != network.input]
    memory, spill_bytes = homes(kept, planner.tensors, outputs, config)
    return Plan(
        config, ops, streams, places, memory, spill_bytes, network.input not in places, joined, planner.total(found),
        sum(busy(stream) for stream in streams),
    )  # fmt: skip


class Planner:
    """Where tensors lie and how operations are cut, with ever more tensors in external memory."""

    def __init__(
        self, network: QuantizedNetwork, ops: Sequence[Operation], joined: Joined, config: EngineConfig
    ) -> None:
        self.network, self.ops, self.joined, self.config = network, ops, joined, config
        self.flat = [op if self._folded(op) else flat(op, config) for op in ops]
        acts = {op.act.name: op.act for op in ops if op.act.name == network.input}
        # a folded input has words of its own, as joined tensors have
        self.tensors: dict[str, Tensor] = {**network.tensors, **acts, **joined.tensors}
        self.made = {network.input: 0}
        self.read: dict[str, int] = {}
        for i, op in enumerate(ops):
            self.made.setdefault(joined.root(op.output.name), i)
            for tensor in (*op.operands, op.output):
                self.read[joined.root(tensor.name)] = i
        for name in network.outputs:  # one operation more, so that its STORE hides behind that
            self.read[name] = min(self.read[name] + 1, len(ops) - 1)
        self.words = {
            name: self.tensors[name].shape[0]
            * self.tensors[name].shape[1]
            * tensor_blocks(self.tensors[name].shape[2], config)
            for name in self.made
        }
        self.loads = next(
            i for i, op in enumerate(ops) if network.input in [tensor.name for tensor in op.operands]
        )
        """the first operation that reads the network's input"""
        self._known: dict[tuple[int, Modes, int], Stream | None] = {}
        self._least: dict[tuple[int, Modes], Stream] = {}

    def fits(self, spilled: Collection[str], share: int) -> bool:
        """Is there room with these tensors in external memory and strips of this share, as they are?"""
        if self._crowded(spilled) is not None:
            return False
        return not isinstance(self._placed(spilled, self._streams(spilled, [share] * len(self.ops))), Request)

    def settle(self, spilled: set[str]) -> _Found:
        """The first that fits, with more and more in ``spilled``."""
        while (found := self._fit(spilled)) is None:
            pass
        return found

    def better(self, spilled: set[str], found: _Found) -> tuple[set[str], _Found] | None:
        """A tensor more in external memory, where that saves cycles: room for longer strips, STORE behind compute."""
        cost, least = self.total(found), [busy(stream) for stream in found[0]]
        if cost - sum(least) < max(_WORTH * cost, _LEAST):
            return None
        lost = [cycles(stream) - compute for stream, compute in zip(found[0], least, strict=True)]
        worst = max(range(len(self.ops)), key=lost.__getitem__)
        for name in dict.fromkeys(
            [*self._resident(worst, spilled), self.network.input, *self.network.outputs]
        ):
            if name in spilled or not self.spillable(name):
                continue
            more = {*spilled, name}
            try:
                other = self.settle(more)
            except ValueError:
                continue
            if self.total(other) < (1 - _WORTH / 4) * cost:
                return more, other
        return None

    def total(self, found: _Found) -> float:
        """Cycles an image, about, back to back: of the operations, of what LOAD and STORE do not hide behind them."""
        streams, places = found
        spans = [self._cycles(stream) for stream in streams]
        total = sum(spans)
        for name in {self.network.input, *self.network.outputs} & places.keys():
            others = [self._begins(key) for key, place in places.items() if place.overlaps(places[name])]
            hidden = spans[: min(others)]  # of the next image, until the words are written again
            if name == self.network.input:  # the next one comes when this one is read, or while it is
                hidden = spans[self.read[name] + 1 :] if len(others) == 1 else [spans[self.loads]]
            total += max(0.0, self.words[str(name)] * self.config.word_beats - sum(hidden))
        return total

    def _begins(self, key: Hashable) -> int:
        """The operation that first writes what a place is for."""
        return key.op if isinstance(key, Slot) else self.made[str(key)]

    def _fit(self, spilled: set[str]) -> _Found | None:
        """Streams and places; None with one tensor more in ``spilled``."""
        short = self._crowded(spilled)
        if short is not None:
            self._spill(short, spilled)
            return None
        if spilled:
            self._improve(spilled)
        shares = [0] * len(self.ops)
        while True:
            streams = self._streams(spilled, shares)
            places = self._placed(spilled, streams)
            if not isinstance(places, Request):
                return streams, places
            shrunk = self._shrink(places, streams, shares)
            if shrunk is None:
                break
            shares = shrunk
        self._spill(places.first // 3, spilled)
        return None

    def _placed(
        self, spilled: Collection[str], streams: Sequence[Stream]
    ) -> dict[Hashable, Placement] | Request:
        resident = {n: (made, self.read[n]) for n, made in self.made.items() if n not in spilled}
        wanted = requests(self.network, self.tensors, resident, streams, self.config)
        return place(wanted, conflicts(self.network, streams, self.joined), self.config)

    def _shrink(self, failed: Request, streams: Sequence[Stream], shares: Sequence[int]) -> list[int] | None:
        """Less words for an operation's strips where a request found no room: the largest there."""
        lives = range(failed.first // 3, failed.last // 3 + 1)
        large = [i for i in lives if streams[i].modes.any and shares[i] + 1 < len(_SHARES)]
        if not large:
            return None
        chosen = max(large, key=lambda i: streams[i].words)
        return [share + (i == chosen) for i, share in enumerate(shares)]

    # What is spilled ------------------------------------------------------------------------------

    def _resident(self, index: int, spilled: Collection[str]) -> list[str]:
        """Tensors in the scratchpad while an operation runs."""
        return [n for n, made in self.made.items() if n not in spilled and made <= index <= self.read[n]]

    def spillable(self, name: str) -> bool:
        """May it lie in external memory?"""
        vectors = [self.joined.root(op.vector.name) for op in self.ops if op.vector is not None]
        return name not in vectors and (name != self.network.input or name not in self.network.outputs)

    def _spill(self, short: int, spilled: set[str]) -> None:
        """One tensor more, at operation ``short`` or the nearest that has one. Raises ``ValueError`` if none has."""
        for index in sorted(range(len(self.ops)), key=lambda i: abs(i - short)):
            op = self.ops[index]
            touched = {self.joined.root(t.name) for t in (*op.operands, op.output)}
            names = [name for name in self._resident(index, spilled) if self.spillable(name)]
            if names:
                spilled.add(max(names, key=lambda name: self.words[name] * (1 if name in touched else 2)))
                return
        raise ValueError(self._refusal(short, spilled))

    def _improve(self, spilled: set[str]) -> None:
        """Spill what more makes the operations faster, the best of all tensors first."""
        costs = [self._cost(i, spilled) for i in range(len(self.ops))]
        while True:
            gains: list[tuple[float, str]] = []
            for name, made in self.made.items():
                if name not in spilled and self.spillable(name):
                    lives = range(made, self.read[name] + 1)
                    more = sum(self._cost(i, spilled | {name}) for i in lives)
                    gains.append((sum(costs[i] for i in lives) - more, name))
            if not gains or max(gains)[0] <= _GAIN * sum(costs):
                return
            spilled.add(max(gains)[1])
            costs = [self._cost(i, spilled) for i in range(len(self.ops))]

    def _cost(self, index: int, spilled: Collection[str]) -> float:
        """Cycles of an operation, an estimate; endless if it has no room."""
        op, config = self.ops[index], self.config
        modes = self._modes(op, spilled)
        if not modes.any:
            phases = tuple(Phase(strip, 0, Tiles(op, config).blocks) for strip in strips(op, config))
            return cycles(Stream(op, modes, phases, config))
        stream = self._best(index, modes, self._free(index, spilled))
        return float("inf") if stream is None else self._cycles(stream)

    def _cycles(self, stream: Stream) -> float:
        """Cycles of an operation that others follow, or itself; before it the image's first rows come."""
        first = stream.phases[0]
        begin = len(stream.act_blocks(first)) * stream.act(first).pixels if stream.modes.act_image else 0
        return cycles(stream, len(self.ops) == 1) + begin * stream.modes.act

    def _refusal(self, index: int, spilled: Collection[str]) -> str:
        op, config = self.ops[index], self.config
        resident = sum(self.words[name] for name in self._resident(index, spilled))
        least, size = self._smallest(index, self._modes(op, spilled)).words + resident, config.word_bytes
        if least <= config.words:
            problem = "finds no place for its strips beside those of its neighbours"
        else:
            problem = (
                f"needs {least * size} bytes of scratchpad for the smallest strip of its map, "
                f"there are {config.words * size}"
            )
        return f"layer {op.name!r} {problem}: use --scratchpad with more bytes"

    # How operations are cut -----------------------------------------------------------------------

    def _modes(self, op: Operation, spilled: Collection[str]) -> Modes:
        image = self.network.input
        residual = None if op.residual is None else self.joined.root(op.residual.name)
        return Modes(
            act=self.joined.root(op.act.name) in spilled,
            res_slots=residual == image and image in spilled,
            res_ring=residual != image and residual in spilled,
            out_ring=self.joined.root(op.output.name) in spilled,
            act_image=op.act.name == image,
            act_folded=port_words(self.network.tensors[image], op.act, self.config) * self._folded(op),
        )

    def _folded(self, op: Operation) -> bool:
        return op.act.name == self.network.input and op.act.shape != self.network.tensors[op.act.name].shape

    def _free(self, index: int, spilled: Collection[str]) -> int:
        """Words beside the resident tensors."""
        return self.config.words - sum(self.words[name] for name in self._resident(index, spilled))

    def _best(self, index: int, modes: Modes, free: int) -> Stream | None:
        """The fastest stream that fits ``free`` words."""
        key = index, modes, free
        if key not in self._known:
            found = ways(self.flat[index], modes, self.config, index == self.loads, free) if free > 0 else []
            self._known[key] = min(found, key=self._cycles, default=None)
        return self._known[key]

    def _smallest(self, index: int, modes: Modes) -> Stream:
        """The stream that takes the fewest words."""
        if (index, modes) not in self._least:
            self._least[index, modes] = smallest(self.flat[index], modes, self.config)
        return self._least[index, modes]

    def _crowded(self, spilled: Collection[str]) -> int | None:
        """The first operation that has no room."""
        for i, op in enumerate(self.ops):
            modes, free = self._modes(op, spilled), self._free(i, spilled)
            if free < 0 or (modes.any and self._smallest(i, modes).words > free):
                return i
        return None

    def _streams(self, spilled: Collection[str], shares: Sequence[int]) -> list[Stream]:
        """Every operation's stream, each in one of ``_SHARES`` of the free words."""
        streamed: dict[int, Stream] = {}
        for i, op in enumerate(self.ops):
            modes = self._modes(op, spilled)
            if modes.any:
                stream = self._best(i, modes, int(self._free(i, spilled) * _SHARES[shares[i]]))
                streamed[i] = stream or self._smallest(i, modes)
        cuts = {
            i: [in_rows(p.strip, stream.op, self.ops[i]) for p in stream.phases]
            for i, stream in streamed.items()
        }
        result = []
        for i, cut in enumerate(overlapped(self.ops, self.config, self.network.input, cuts, self.joined)):
            op = self.ops[i]
            phases = in_phases(op, cut, self.config)
            result.append(streamed.get(i) or Stream(op, self._modes(op, ()), phases, self.config))
        return result
