"""Random activation functions, for ``random_network``."""

from __future__ import annotations

import numpy as np

from ..quant.network import Layer, Tensor

__all__ = ["narrowed", "random_table"]


def random_table(rng: np.random.Generator, name: str, act: Tensor, output: Tensor) -> Layer:
    """Any function of the codes, one for all channels or one each; half of them keep the codes' order."""
    fmt, width = output.format, act.format.width
    rows = act.shape[2] if rng.random() < 0.4 else 1
    table = rng.integers(fmt.min, fmt.max, (rows, 1 << width), endpoint=True).astype(np.int64)
    if rng.random() < 0.5:
        table.sort(axis=1)
        if act.format.signed:
            table = np.roll(table, 1 << width - 1, axis=1)
    return Layer(
        name=name, kind="table", inputs=(act.name,), output=output.name, table=table, lo=fmt.min, hi=fmt.max
    )


def narrowed(name: str, act: Tensor, output: Tensor, wgt_width: int) -> Layer:
    """The same map in fewer bits."""
    fmt = output.format
    return Layer(
        name=name, kind="avgpool", inputs=(act.name,), output=output.name, wgt=np.ones((1, 1, 1, 1), np.int64),
        wgt_width=wgt_width, shift=np.full(1, act.format.width - fmt.width), lo=fmt.min, hi=fmt.max,
    )  # fmt: skip
