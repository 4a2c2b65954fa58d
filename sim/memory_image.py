"""The files through which the bench memory is loaded and dumped, as ``sim/bench.sv`` describes them.

load.bin: word after word, each big-endian (what $fread wants)
dump.bin: word after word, each little-endian (what $fwrite %u gives)
traceN.bin: records of cycle u32, address u32, codes of cols * act_width bits padded to 32, all little-endian
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..hw.config import EngineConfig

__all__ = ["Trace", "decode_trace", "from_dump", "to_load"]


@dataclass(frozen=True)
class Trace:
    """Output writes in order: ``cycle`` since start, scratchpad word ``addr``, raw unsigned ``codes`` [n, cols]."""

    cycle: npt.NDArray[np.int64]
    addr: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.cycle)

    def split(self, counts: Sequence[int]) -> list[Trace]:
        """Pieces of so many writes each, the last one shorter if there are not enough."""
        ends = np.cumsum(counts)
        return [
            Trace(self.cycle[end - count : end], self.addr[end - count : end], self.codes[end - count : end])
            for count, end in zip(counts, ends, strict=True)
        ]


def to_load(data: bytes, port_bytes: int) -> bytes:
    """Memory content as load.bin, padded with zeros to whole words."""
    padded = data + bytes(-len(data) % port_bytes)
    return np.frombuffer(padded, np.uint8).reshape(-1, port_bytes)[:, ::-1].tobytes()


def from_dump(dump: bytes, size: int) -> bytes:
    """The first ``size`` bytes of memory in dump.bin. Raises ValueError if it is shorter."""
    if len(dump) < size:
        raise ValueError(f"the dump must have {size} bytes, not {len(dump)}")
    return dump[:size]


def decode_trace(content: bytes, config: EngineConfig) -> Trace:
    """The records of a trace file; an incomplete last one is dropped."""
    words = 2 + -(-config.cols * config.act_width // 32)
    records = np.frombuffer(content[: len(content) // (4 * words) * 4 * words], "<u4").reshape(-1, words)
    bits = np.unpackbits(np.ascontiguousarray(records[:, 2:]).view(np.uint8), axis=1, bitorder="little")
    lanes = bits[:, : config.cols * config.act_width].reshape(len(records), config.cols, config.act_width)
    codes = lanes.astype(np.int64) @ (1 << np.arange(config.act_width, dtype=np.int64))
    return Trace(records[:, 0].astype(np.int64), records[:, 1].astype(np.int64), codes)
