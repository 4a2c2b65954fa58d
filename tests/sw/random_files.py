"""Random ONNX files of every operator the reader takes, in odd orders and with odd constants; some cannot run.

For one property: what ``check`` accepts, no later step refuses. The seed decides everything.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from systolith.sw.random_model import ModelBuilder

Step = Callable[["Drawn", str], str]
MOST = 12
"""Channels."""


class Drawn:
    """A file as it grows: ``maps`` are the tensors [N, C, H, W] there are."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        size = self.rng.integers(1, 13, 2)
        shape = (int(self.rng.integers(1, 6)), int(size[0]), int(size[1]))
        self.build = ModelBuilder(shape, seed, batch="N" if self.rng.integers(3) else 1)
        self.maps = ["input"]

    def shape(self, name: str) -> tuple[int, int, int]:
        c, h, w = self.build.shapes[name]
        return c, h, w

    def integer(self, low: int, high: int) -> int:
        """``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def number(self) -> float:
        """Mostly ordinary; now and then 0, huge or tiny."""
        odd = (0.0, 1e4, 1e-4, -3.0, 64.0)
        return float(self.rng.choice(odd)) if self.rng.random() < 0.2 else float(self.rng.normal())

    def put(self, op: str, sources: list[str], shape: tuple[int, ...], **attributes: object) -> str:
        output = self.build.node(op, *sources, **attributes)
        self.build.shapes[output] = shape
        return output

    def ints(self, *values: int) -> str:
        return self.build.constant(np.array(values, np.int64))


def _conv(d: Drawn, source: str) -> str:
    c, h, w = d.shape(source)
    kernel = (d.integer(1, min(h, 5)), d.integer(1, min(w, 5)))
    group = int(d.rng.choice([g for g in range(1, c + 1) if c % g == 0]))
    outputs = group * d.integer(1, max(1, MOST // group // 2))
    pads = (d.integer(0, 2), d.integer(0, 2), d.integer(0, 2), d.integer(0, 2))
    stride = (d.integer(1, 3), d.integer(1, 2))
    return d.build.conv(source, outputs, kernel, stride, pads, bias=bool(d.integer(0, 1)), group=group)


def _activation(d: Drawn, source: str) -> str:
    op = str(d.rng.choice(["Relu", "Clip", "Max", "Min", "Neg"]))
    if op == "Clip":
        low, high = sorted((d.number(), d.number()))
        return d.build.same(op, source, *(d.build.constant(np.array(v, np.float32)) for v in (low, high)))
    if op in ("Max", "Min"):
        return d.build.same(op, source, d.build.constant(np.full(1, d.number(), np.float32)))
    return d.build.same(op, source)


def _arithmetic(d: Drawn, source: str) -> str:
    c, h, w = d.shape(source)
    op = str(d.rng.choice(["Add", "Sub", "Mul", "Div"]))
    shape = [(1,), (1, c, 1, 1), (c, 1, 1), (1, c, h, w)][
        d.integer(0, 3) if d.rng.random() < 0.2 else d.integer(0, 2)
    ]
    values = np.array([d.number() for _ in range(int(np.prod(shape)))], np.float32).reshape(shape)
    operands = [source, d.build.constant(values)]
    turned = (
        d.rng.random() < 0.2 and op != "Div"
    )  # a map may hold 0: what images leave infinite, no check knows
    return d.put(op, operands[:: -1 if turned else 1], (c, h, w))


def _function(d: Drawn, source: str) -> str:
    op = str(d.rng.choice(["LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "Elu"]))
    return d.build.same(op, source)


def _gate(d: Drawn, source: str) -> str:
    """Times itself, or times its own means behind a Sigmoid."""
    by = d.build.same("Sigmoid", source)
    if d.rng.random() < 0.5:
        by = d.build.same("Sigmoid", d.build.pool("GlobalAveragePool", source))
    return d.build.same("Mul", source, by)


def _upsample(d: Drawn, source: str) -> str:
    c, h, w = d.shape(source)
    factors = (d.integer(1, 2), d.integer(1, 3))
    scales = d.build.constant(np.array([1.0, 1.0, *factors], np.float32))
    options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return d.put("Resize", [source, "", scales], (c, h * factors[0], w * factors[1]), **options)


def _batch_norm(d: Drawn, source: str) -> str:
    return d.build.batch_norm(source)


def _addition(d: Drawn, source: str) -> str:
    others = [name for name in d.maps if d.shape(name) == d.shape(source)]
    op = str(d.rng.choice(["Add", "Sum", "Sub"]))
    return d.build.same(op, source, str(d.rng.choice(others)), *([source] if op == "Sum" else []))


def _concat(d: Drawn, source: str) -> str:
    parts = [name for name in d.maps if d.shape(name)[1:] == d.shape(source)[1:]]
    chosen = [source, *(str(d.rng.choice(parts)) for _ in range(d.integer(0, 2)))]
    if d.rng.random() < 0.2:
        _, h, w = d.shape(source)
        zeros = d.build.constant(np.full((1, 2, h, w), d.number(), np.float32))
        d.build.shapes[zeros] = (2, h, w)
        chosen = [source, zeros]
    return d.build.concat(*chosen)


def _pool(d: Drawn, source: str) -> str:
    _, h, w = d.shape(source)
    op = str(
        d.rng.choice(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"], p=[0.4, 0.4, 0.1, 0.1])
    )
    kernel = (d.integer(1, min(h, 4)), d.integer(1, min(w, 4)))
    pads = (0, 0, 0, 0) if d.rng.random() < 0.5 else tuple(d.integer(0, kernel[i % 2] - 1) for i in range(4))
    return d.build.pool(op, source, kernel, (d.integer(1, 3), d.integer(1, 3)), pads)  # type: ignore[arg-type]


def _slice(d: Drawn, source: str) -> str:
    shape = d.shape(source)
    axis = d.integer(1, 3)
    first = d.integer(0, shape[axis - 1] - 1)
    step = d.integer(1, 3)
    taken = range(shape[axis - 1])[first::step]
    made = [*shape]
    made[axis - 1] = len(taken)
    operands = [source, d.ints(first), d.ints(1 << 30), d.ints(axis), d.ints(step)]
    return d.put("Slice", operands, (made[0], made[1], made[2]))


def _pad(d: Drawn, source: str) -> str:
    pads = [0, *(d.integer(0, 2) for _ in range(3)), 0, *(d.integer(0, 2) for _ in range(3))]
    c, h, w = (size + pads[i + 1] + pads[i + 5] for i, size in enumerate(d.shape(source)))
    return d.put("Pad", [source, d.ints(*pads)], (c, h, w))


def _reduce(d: Drawn, source: str) -> str:
    c, h, w = d.shape(source)
    axes = [[2], [3], [2, 3]][d.integer(0, 2)]
    shape = (c, 1 if 2 in axes else h, 1 if 3 in axes else w)
    op = str(d.rng.choice(["ReduceMean", "ReduceMax"]))
    return d.put(op, [source], shape, axes=axes, keepdims=1)


def _identity(d: Drawn, source: str) -> str:
    return d.build.same(str(d.rng.choice(["Identity", "Dropout"])), source)


def _shuffle(d: Drawn, source: str) -> str:
    c, h, w = d.shape(source)
    parts = [n for n in range(2, c) if c % n == 0]
    if not parts:
        return _identity(d, source)
    part = int(d.rng.choice(parts))
    apart = d.put("Reshape", [source, d.ints(0, part, c // part, h, w)], (part, c // part, h, w))
    turned = d.put("Transpose", [apart], (c // part, part, h, w), perm=[0, 2, 1, 3, 4])
    return d.put("Reshape", [turned, d.ints(0, c, h, w)], (c, h, w))


STEPS: tuple[tuple[Step, float], ...] = (
    (_conv, 5), (_activation, 4), (_arithmetic, 2), (_batch_norm, 1), (_addition, 3), (_concat, 2), (_pool, 2),
    (_slice, 1), (_pad, 1), (_reduce, 0.5), (_identity, 0.5), (_shuffle, 0.5), (_function, 1),
    (_gate, 0.5), (_upsample, 0.5),
)  # fmt: skip
"""And how often each is drawn."""


def random_file(seed: int) -> onnx.ModelProto:
    """1 to 9 nodes on tensors drawn from all there are; now and then a dense layer, a Softmax, two outputs."""
    d = Drawn(seed)
    weights = np.array([weight for _, weight in STEPS])
    for _ in range(d.integer(1, 9)):
        step = STEPS[int(d.rng.choice(len(STEPS), p=weights / weights.sum()))][0]
        source = d.maps[-1] if d.rng.random() < 0.75 else str(d.rng.choice(d.maps))
        d.maps.append(step(d, source))
    outputs = [d.maps[-1]]
    if d.rng.random() < 0.4:
        outputs[0] = d.build.dense(outputs[0], d.integer(1, 12), str(d.rng.choice(["Gemm", "MatMul"])))
        if d.rng.random() < 0.3:
            outputs[0] = d.build.same("Softmax", outputs[0], axis=1)
    if d.rng.random() < 0.2:
        outputs.append(str(d.rng.choice(d.maps)))
    return d.build.model(*dict.fromkeys(outputs))
