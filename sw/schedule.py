"""The order of the instructions: what each phase needs is loaded during the phase before.

LOAD the network's input, if it is resident: the rows the first strip needs, the rows the next one needs besides, ...
for operation:
  for phase:                          # strips outer, so that the next operation finds its first rows early
    for block:
      LOAD residuals of the blocks to come;  COMPUTE;  STORE what is complete;  LOAD a share of the next phase's input
  STORE the output, if it is one of the network's and resident

Each unit executes its own instructions in this order, so one that waits holds up those behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from ..hw.config import EngineConfig
from ..hw.isa import REGIONS, STORE
from ..quant.network import QuantizedNetwork, Tensor
from .allocation import tensor_blocks
from .folding import Fold
from .homes import Home
from .lowering import Lowering, Operands
from .patches import Patch, View, output_patch, residual_patch, whole
from .program import OutputInfo
from .residency import Plan
from .slots import Slot
from .step import Step
from .streams import Phase, Stream, block_words
from .transfers import FoldedImage, fetch_words, load_image, store_words

__all__ = ["schedule"]


def schedule(
    network: QuantizedNetwork,
    plan: Plan,
    outputs: Sequence[OutputInfo],
    config: EngineConfig,
    fold: Fold | None,
) -> list[Step]:
    """Every instruction but CONFIG, in program order, ``last`` marked."""
    scheduler = _Scheduler(network, plan, config, fold)
    result = list(scheduler.steps({out.tensor: out for out in outputs}))
    last = {step.instruction.unit: step for step in result}
    for step in last.values():
        step.values["last"] = 1
    return result


@dataclass
class _Phase:
    """One phase's instructions: LOADs it needs first, then those of each COMPUTE. ``early``: these come before it."""

    early: list[Step] = field(default_factory=list)
    late: list[Step] = field(default_factory=list)
    body: list[list[Step]] = field(default_factory=list)


class _Scheduler:
    def __init__(
        self, network: QuantizedNetwork, plan: Plan, config: EngineConfig, fold: Fold | None
    ) -> None:
        self.network, self.plan, self.config = network, plan, config
        self._folded = FoldedImage(network.tensors[network.input], fold, config) if fold else None

    def steps(self, outputs: dict[str, OutputInfo]) -> Iterator[Step]:
        """All of them."""
        image = self.network.input
        stores = {name: self._store(out) for name, out in outputs.items() if self._resident(name)}
        yield from self._image()
        if image in stores:
            yield stores[image]
        phases = [
            (phase, stream.op)
            for i, stream in enumerate(self.plan.streams)
            for phase in _Operation(self, i, stream).phases()
        ]
        for i, op in enumerate(self.plan.ops):
            if op.output.name in stores:
                stores[op.output.name].op = i
        ready = np.zeros(sum(home.words for home in self.plan.homes.values()), bool)
        yield from phases[0][0].early
        for n, (phase, op) in enumerate(phases):
            after = phases[n + 1] if n + 1 < len(phases) else None
            yield from phase.late
            waiting = deque(after[0].early if after else [])
            total, count = len(waiting), len(phase.body)
            for k, group in enumerate(phase.body):
                for step in group:
                    for low, high in step.memory_writes:
                        ready[low:high] = True
                yield from group
                left = total - -(-total * (k + 1) // count)
                while len(waiting) > left and all(
                    ready[low:high].all() for low, high in waiting[0].memory_reads
                ):
                    yield waiting.popleft()
            yield from waiting
            if (after is None or after[1] is not op) and op.output.name in stores:
                yield stores[op.output.name]

    def resident(self, tensor: Tensor) -> View:
        """The view of a resident tensor."""
        height, width, channels = tensor.shape
        place = self.plan.placement(tensor.name, tensor_blocks(channels, self.config))
        assert place is not None
        planes = {block: place.base + block * place.block_step for block in range(place.blocks)}
        return View(planes, whole(height, width))

    def _resident(self, name: str) -> bool:
        return self.plan.joined.root(name) not in self.plan.homes

    def home(self, tensor: Tensor) -> Home:
        """Where a spilled tensor lies in external memory."""
        home = self.plan.home(tensor)
        assert home is not None
        return home

    def load(self, tensor: Tensor, view: View, act: bool = True) -> Iterator[Step]:
        """LOADs of the network's input, in program order. ``act``: for the operand that may be folded."""
        if act and self._folded is not None:
            return self._folded.load(view)
        return load_image(tensor, view, self.config)

    def _store(self, output: OutputInfo) -> Step:
        """The STORE of a whole resident tensor."""
        view = self.resident(self.network.tensors[output.tensor])
        values = {
            "region": REGIONS.index("output"),
            "offset": output.offset,
            "pixels": output.pixels,
            "blocks": output.blocks,
            "base": view.planes[0],
            "block_step": view.step(0) % self.config.words,
        }
        return Step(instruction=STORE, values=values, reads=view.spans(range(output.blocks)))

    def _image(self) -> Iterator[Step]:
        """LOADs of the network's input where it is resident, split where its first reader's strips ask for more."""
        name = self.network.input
        if self.plan.image_streamed:
            return
        tensor = self.network.tensors[name]
        ends, reader, act = set[int](), 0, tensor
        for i, (op, stream) in enumerate(zip(self.plan.ops, self.plan.streams, strict=True)):
            if name in [read.name for read in op.operands]:
                reader, act = i, op.act if op.act.name == name else tensor
                if op.vector is not None and op.vector.name == name:
                    break
                rows = [stream.op.rows_read(p.strip.y0, p.strip.y1 - 1)[1] + 1 for p in stream.phases]
                pixels = stream.op.act.shape[0] // op.act.shape[0]  # of a row, if the stream is flat
                ends |= {-(-row // pixels) for row in rows}
                break
        if self._folded is not None:
            ends = {self._folded.end(row) for row in ends}
        ends.add(act.shape[0])
        view = self.resident(act)
        top = 0
        for bottom in sorted(end for end in ends if end > 0):
            patch = view.patch._replace(y0=top, rows=bottom - top)
            planes = {block: plane + top * patch.width for block, plane in view.planes.items()}
            for step in self.load(tensor, View(planes, patch)):
                step.op = reader
                yield step
            top = bottom


class _Operation:
    """One operation's phases."""

    def __init__(self, scheduler: _Scheduler, index: int, stream: Stream) -> None:
        self.all, self.index, self.op, self.stream = scheduler, index, stream.op, stream
        self.places, self.config = scheduler.plan.places, scheduler.config
        self.lowering = Lowering(stream.op, self.config)
        self.numbers: list[int] = []  # of each phase's first slot in the rings
        number = 0
        for phase in stream.phases:
            self.numbers.append(number)
            number += len(_words(stream, phase))

    def phases(self) -> Iterator[_Phase]:
        """In order."""
        stream = self.stream
        computes = [
            (k, phase, block) for k, phase in enumerate(stream.phases) for block in self._blocks(phase)
        ]
        residuals = _Residuals(self, computes) if stream.modes.res_ring else None
        current = _Phase()
        for c, (k, phase, block) in enumerate(computes):
            if c == 0 or computes[c - 1][0] != k:
                current = self._start(k, phase)
            group = [] if residuals is None else residuals.before(c)
            if c == 0 and self.index > 0 and self._wished(Slot(self.index, self._residual_key)):
                current.early, group = current.early + group, []
            operands = self._operands(k, phase, block)
            after = computes[c + 1][1:] if c + 1 < len(computes) else None
            group += self.lowering.computes(
                phase.strip, block, operands, after and (after[0].strip, after[1])
            )
            group += self._stores(k, phase, block)
            current.body.append(group)
            if after is None or computes[c + 1][0] != k:
                for step in chain(current.early, current.late, *current.body):
                    step.op = self.index
                yield current

    def _blocks(self, phase: Phase) -> Sequence[int]:
        """In the order of their COMPUTEs: as they are numbered where each takes or leaves something of its own."""
        fir, table = self.lowering.tiles.fir, self.op.table
        if fir is None or self.stream.modes.out_ring or (table is not None and len(table) > 1):
            return range(phase.first, phase.last)
        return fir.order(phase.first, phase.last)

    @property
    def _residual_key(self) -> str:
        return "out" if self.stream.in_place else "ring"

    def _wished(self, slot: Slot) -> bool:
        return slot in self.places and self.places[slot].wished

    def _start(self, k: int, phase: Phase) -> _Phase:
        """A phase with the LOADs of its slots."""
        modes, result = self.stream.modes, _Phase()
        for kind, used in (("act", modes.act), ("res", modes.res_slots)):
            if not used:
                continue
            slot = Slot(self.index, kind, k % self.stream.slots)
            early = self.stream.slots > 1 if k else self._wished(slot)
            (result.early if early else result.late).extend(self._loads(kind, k, phase))
        return result

    def _loads(self, kind: str, k: int, phase: Phase) -> Iterator[Step]:
        tensor = self.op.act if kind == "act" else self.op.residual
        assert tensor is not None
        view = self._slot(kind, k, phase)
        if not view.patch.pixels:
            return
        if tensor.name == self.all.network.input:
            yield from self.all.load(tensor, view, kind == "act")
        else:
            yield from fetch_words(self.all.home(tensor), view, view.planes, self.config)

    # Views ------------------------------------------------------------------------------------------

    def _slot(self, kind: str, k: int, phase: Phase) -> View:
        """What phase ``k`` reads, in its slot."""
        base = self.places[Slot(self.index, kind, k % self.stream.slots)].base
        if kind == "act":
            patch, blocks = self.stream.act(phase), self.stream.act_blocks(phase)
        else:
            assert self.op.residual is not None
            patch = residual_patch(self.op, phase.strip)
            blocks = range(-(-self.op.residual.shape[2] // self.config.lanes))
        return View({block: base + n * patch.pixels for n, block in enumerate(blocks)}, patch)

    def ring(self, kind: str, k: int, patch: Patch, words: Sequence[int]) -> View:
        """Blocks ``words`` of phase ``k`` in a ring."""
        place = self.places[Slot(self.index, kind)]
        start = _words(self.stream, self.stream.phases[k])[0]
        numbers = {word: self.numbers[k] + word - start for word in words}
        return View({w: place.base + n % place.blocks * place.block_step for w, n in numbers.items()}, patch)

    def _operands(self, k: int, phase: Phase, block: int) -> Operands:
        op, modes = self.op, self.stream.modes
        words = block_words(block, self.config)
        act = self._slot("act", k, phase) if modes.act else self.all.resident(op.act)
        out = (
            self.all.resident(op.output)
            if not modes.out_ring
            else self.ring("out", k, output_patch(phase.strip), words)
        )
        residual = None
        if modes.res_slots:
            residual = self._slot("res", k, phase)
        elif modes.res_ring:
            residual = self.ring(self._residual_key, k, residual_patch(op, phase.strip), words)
        elif op.residual is not None:
            residual = self.all.resident(op.residual)
        vector = None if op.vector is None else self.all.resident(op.vector)
        return Operands(act, residual, out, vector)

    def _stores(self, k: int, phase: Phase, block: int) -> Iterator[Step]:
        """STOREs of the words that are complete with this block."""
        if not self.stream.modes.out_ring:
            return
        words = block_words(block, self.config)
        if block < phase.last - 1:
            words = range(words[0], block_words(block + 1, self.config)[0])
        if words:
            view = self.ring("out", k, output_patch(phase.strip), words)
            yield from store_words(self.all.home(self.op.output), view, words, self.config)


def _words(stream: Stream, phase: Phase) -> range:
    """The blocks of words that a phase writes."""
    return range(block_words(phase.first, stream.config)[0], stream.last_word(phase) + 1)


class _Residuals:
    """LOADs of a spilled residual, each as soon as its slot in the ring is free in program order."""

    def __init__(self, operation: _Operation, computes: Sequence[tuple[int, Phase, int]]) -> None:
        self.operation, self.computes = operation, computes
        stream = operation.stream
        self.queue = [
            (operation.numbers[k] + n, k, phase, word)
            for k, phase in enumerate(stream.phases)
            for n, word in enumerate(_words(stream, phase))
        ]
        self.next = 0

    def _numbers(self, c: int) -> tuple[int, int]:
        """First and last slot number that a COMPUTE touches."""
        operation = self.operation
        k, phase, block = self.computes[c]
        words = block_words(block, operation.config)
        shift = operation.numbers[k] - _words(operation.stream, phase)[0]
        return words[0] + shift, words[-1] + shift

    def before(self, c: int) -> list[Step]:
        """Those to issue before COMPUTE ``c``."""
        operation = self.operation
        stream = operation.stream
        kind = operation._residual_key
        size = operation.places[Slot(operation.index, kind)].blocks
        least = self._numbers(c)[0]
        most = self._numbers(min(c + stream.ahead, len(self.computes) - 1))[1]
        assert stream.op.residual is not None
        home = operation.all.home(stream.op.residual)
        result: list[Step] = []
        while self.next < len(self.queue):
            number, k, phase, word = self.queue[self.next]
            if number > most or number - size >= least:
                break
            view = operation.ring(kind, k, residual_patch(stream.op, phase.strip), [word])
            result += fetch_words(home, view, [word], operation.config)
            self.next += 1
        return result
