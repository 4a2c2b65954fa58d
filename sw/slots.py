"""What is to be placed in the scratchpad: resident tensors, and the slots and rings that streams go through.

Moments: 3i in operation i's first phase, 3i + 1 in those between, 3i + 2 in its last one. Phases take the two slots
of an operation in turn; they lie at both ends of the scratchpad, so that slots of different sizes follow each other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..hw.config import EngineConfig
from ..quant.network import QuantizedNetwork, Tensor
from .allocation import Conflicts, Request, tensor_blocks
from .joining import Joined
from .streams import Stream

__all__ = ["Slot", "conflicts", "requests"]


@dataclass(frozen=True)
class Slot:
    """The key of what operation ``op`` streams through: act or res slot ``number``, out ring or ring of residuals."""

    op: int
    kind: str
    number: int = 0


def requests(
    network: QuantizedNetwork,
    tensors: Mapping[str, Tensor],
    resident: Mapping[str, tuple[int, int]],
    streams: Sequence[Stream],
    config: EngineConfig,
) -> list[Request]:
    """Requests for tensors that are ``resident`` from one operation to another, and for all slots.

    The network's input wishes for words nobody else uses: the next image loads meanwhile.
    """
    end = 3 * len(streams) - 1
    result = []
    for name, (first, last) in resident.items():
        height, width, channels = tensors[name].shape
        wishes = (-1, end) if name == network.input else (None, None)
        blocks = tensor_blocks(channels, config)
        result.append(Request(name, height * width, blocks, 3 * first, 3 * last + 2, *wishes))
    phases = 0
    for i, stream in enumerate(streams):
        result += _slots(i, stream, end, phases)
        phases += len(stream.phases)
    return result


def _slots(i: int, stream: Stream, end: int, phases: int) -> Iterator[Request]:
    """What a stream needs, when; it wishes for its first input during the operation before.

    ``phases`` before it decide whether its first slot is at the start or the end of the scratchpad.
    """
    count, before = len(stream.phases), 3 * i - 1
    for kind, words, used in (
        ("act", stream.act_words, stream.modes.act),
        ("res", stream.res_words, stream.modes.res_slots),
    ):
        for number in range(min(stream.slots, count) if used else 0):
            final = 3 * i + 2 if (count - 1) % stream.slots == number else 3 * i + (1 if count > 2 else 0)
            early, high = None if number else before, (phases + number) % 2 == 1
            yield Request(Slot(i, kind, number), words, 1, 3 * i, final, early, high=high)
    later, high = 3 * i + 3 if 3 * i + 2 < end else None, (phases + count - 1) % 2 == 1
    if stream.modes.out_ring:
        early = before if stream.in_place else None
        words = max(stream.out_words, stream.res_words if stream.in_place else 0)
        yield Request(Slot(i, "out"), words, stream.ring, 3 * i, 3 * i + 2, early, later, high)
    if stream.modes.res_ring and not stream.in_place:
        words = stream.res_words
        yield Request(Slot(i, "ring"), words, stream.ring, 3 * i, 3 * i + 2, before, high=high)


def conflicts(network: QuantizedNetwork, streams: Sequence[Stream], joined: Joined) -> Conflicts:
    """How bad each word is that two requests have in the same bank.

    Operands of one COMPUTE cost a cycle a word, always. STORE waits while its bank is read. The rest only
    delays LOAD, or keeps room for better choices.
    """
    weights: dict[Hashable, dict[Hashable, int]] = {}

    def add(ones: Iterable[Hashable], others: Iterable[Hashable], weight: int) -> None:
        for one in ones:
            for other in others:
                if one != other:
                    for a, b in ((one, other), (other, one)):
                        found = weights.setdefault(a, {})
                        found[b] = found.get(b, 0) + weight

    image: list[Hashable] = [network.input]
    for i, stream in enumerate(streams):
        act, residual, out = _operands(i, stream, joined)
        added, stored = _turns(stream)
        add(act, residual, 64 * added)
        if stream.op.vector is not None:  # read while the block before computes
            add(act, [joined.root(stream.op.vector.name)], 8 * len(stream.phases))
        for ones in (act, residual):
            add(ones, out, 16 * stored if stream.modes.out_ring else 1)
        if stream.op.output.name in network.outputs:
            add(act, out, 7)
        add(image, out, 2)
    add(image, [joined.root(streams[-1].op.output.name)], 7)
    return weights


def _turns(stream: Stream) -> tuple[int, int]:
    """How often a word of the residual is read, how often one of the output is stored: each turn of the ring."""
    blocks = sum((phase.last - phase.first) * phase.strip.outputs for phase in stream.phases)
    words = blocks * stream.config.cols // stream.config.lanes
    added = (
        words * stream.op.window_pixels // (stream.ring * stream.res_words) if stream.modes.res_ring else 1
    )
    stored = words // (stream.ring * stream.out_words) if stream.modes.out_ring else 1
    return max(added, 1), max(stored, 1)


def _operands(
    i: int, stream: Stream, joined: Joined
) -> tuple[list[Hashable], list[Hashable], list[Hashable]]:
    """Keys of input, residual and output."""
    op, modes = stream.op, stream.modes
    act: list[Hashable] = [Slot(i, "act", n) for n in (0, 1)] if modes.act else [joined.root(op.act.name)]
    out: list[Hashable] = [Slot(i, "out")] if modes.out_ring else [joined.root(op.output.name)]
    if op.residual is None:
        return act, [], out
    if modes.res_slots:
        return act, [Slot(i, "res", n) for n in (0, 1)], out
    if modes.res_ring:
        return act, out if stream.in_place else [Slot(i, "ring")], out
    return act, [joined.root(op.residual.name)], out
