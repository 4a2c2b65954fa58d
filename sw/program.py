"""``Program``: a compiled network as the host needs it: records, weight stream, layouts, debug tables.

memory = program | weight stream | input images | results | working memory
         each from a multiple of 4096 on, of 64 where the engine is serial
program = records | tables, from a multiple of 64 on
image  = H x W x C elements, dense, lane_bytes each, the next image input_stride bytes later
result = for each output: for b in blocks: for p in pixels: one scratchpad word in word_beats port words
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..hw.config import EngineConfig
from ..quant.formats import QFormat
from ..quant.network import IntArray

__all__ = [
    "PAGE",
    "STRIDE",
    "ComputeInfo",
    "LayerInfo",
    "MemoryMap",
    "Outline",
    "OutputInfo",
    "Program",
    "Sizes",
    "TensorInfo",
]

PAGE = 4096
"""Every region starts at a multiple of this."""

STRIDE = 64
"""Images, results and outputs inside a result start at a multiple of this: a beat of the widest port."""


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """A tensor and its place: channel c of pixel p is in word base + p + c // lanes * block_step, if it is resident.

    Others are in the scratchpad in parts, each for a while.
    """

    name: str
    shape: tuple[int, int, int]
    format: QFormat
    base: int
    block_step: int
    blocks: int
    resident: bool = True


@dataclass(frozen=True, kw_only=True)
class OutputInfo:
    """Where an output lies in a result: ``offset`` bytes in, ``blocks`` times ``pixels`` words."""

    tensor: str
    offset: int
    pixels: int
    blocks: int


@dataclass(frozen=True, kw_only=True)
class ComputeInfo:
    """What one COMPUTE makes: ``count`` pixels of ``output`` from ``pixel`` on, from ``channel`` on."""

    layer: int
    """index into QuantizedNetwork.layers (of the convolution, where a pool is fused into it)."""
    name: str
    output: str
    pixel: int
    channel: int
    count: int
    macs: int
    """useful MACs; the COMPUTEs of a layer add up to ``Layer.macs``."""


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """How an operation was planned, and the bytes it moves."""

    layer: int
    """as ``ComputeInfo.layer``."""
    name: str
    strips: int
    """pieces of its output, each with all weights."""
    act: str
    """input: "scratchpad", or "memory" if it is loaded strip by strip."""
    residual: str
    """the same, "" if there is none."""
    output: str
    """the same, "memory" if it is stored block by block."""
    loaded: int
    """bytes that LOADs read for it."""
    weights: int
    """bytes of its segments of the weight stream."""
    stored: int
    """bytes that STOREs write of its output."""


@dataclass(frozen=True, kw_only=True)
class MemoryMap:
    """Byte addresses of the regions, and the address after the last one."""

    program: int
    weights: int
    input: int
    output: int
    spill: int
    end: int


def _round(value: int, unit: int) -> int:
    return -(-value // unit) * unit


class Sizes(NamedTuple):
    """Bytes of what is the same for all images."""

    records: int
    weights: int
    tables: int


@dataclass(frozen=True, kw_only=True)
class Outline:
    """A compiled network but for its codes: where everything lies in memory, what each instruction makes."""

    name: str
    config: EngineConfig
    n_load: int
    n_compute: int
    n_store: int
    input: str
    outputs: tuple[OutputInfo, ...]
    tensors: dict[str, TensorInfo]
    computes: tuple[ComputeInfo, ...]
    spill_bytes: int = 0
    layers: tuple[LayerInfo, ...] = ()

    @property
    def sizes(self) -> Sizes:
        """Of records, weights and tables."""
        raise NotImplementedError

    @property
    def macs(self) -> int:
        """Useful MACs of one image."""
        return sum(info.macs for info in self.computes)

    @property
    def table_offset(self) -> int:
        """Bytes from the first record to the tables."""
        return _round(self.sizes.records, STRIDE)

    @property
    def input_bytes(self) -> int:
        """Bytes of one image."""
        height, width, channels = self.tensors[self.input].shape
        return height * width * channels * self.config.lane_bytes

    @property
    def input_stride(self) -> int:
        """Bytes from an image to the next."""
        return _round(self.input_bytes, STRIDE)

    @property
    def output_bytes(self) -> int:
        """Bytes of one result."""
        last = self.outputs[-1]
        return last.offset + last.blocks * last.pixels * self.config.word_beats * self.config.port_bytes

    @property
    def output_stride(self) -> int:
        """Bytes from a result to the next."""
        return _round(self.output_bytes, STRIDE)

    def memory_map(self, images: int = 1, base: int = 0) -> MemoryMap:
        """Addresses for a batch, the regions one after the other from ``base`` (a multiple of 4096) on.

        Each begins at a multiple of 4096, which no burst may cross; of 64 where the engine is serial, which has none.
        Raises ``ValueError`` naming the network whose memory the engine cannot address.
        """
        if images < 1:
            raise ValueError(f"images must be a positive integer, not {images!r}")
        if base % PAGE:
            raise ValueError(f"base must be a multiple of {PAGE}, not {base!r}")
        found = self.sizes
        sizes = (self.table_offset + found.tables, found.weights, images * self.input_stride,
                 images * self.output_stride, self.spill_bytes)  # fmt: skip
        addresses = [base]
        for size in sizes:
            addresses.append(addresses[-1] + _round(size, STRIDE if self.config.serial else PAGE))
        if addresses[-1] > 1 << self.config.memory_width:
            raise ValueError(
                f"{images} images of {self.name!r} need memory up to address {addresses[-1]}, the engine has addresses "
                f"of {self.config.memory_width} bits: use a memory_width of {(addresses[-1] - 1).bit_length()}"
            )
        names = ("program", "weights", "input", "output", "spill", "end")
        return MemoryMap(**dict(zip(names, addresses, strict=True)))

    def registers(self, images: int = 1, base: int = 0) -> dict[str, int]:
        """What the host writes before start, by the names of ``hw.registers``."""
        places = self.memory_map(images, base)
        return {
            "program_addr": places.program,
            "program_beats": self.sizes.records // self.config.port_bytes,
            "weight_addr": places.weights,
            "weight_beats": self.sizes.weights // self.config.port_bytes,
            "input_addr": places.input,
            "input_stride": self.input_stride,
            "output_addr": places.output,
            "output_stride": self.output_stride,
            "spill_addr": places.spill,
            "images": images,
        }


@dataclass(frozen=True, kw_only=True)
class Program(Outline):
    """Everything a host or a simulator needs to run a network, and to name what went wrong."""

    records: bytes
    weights: bytes
    tables: bytes = b""
    """entries that LOADs bring, ``table_offset`` bytes behind the first record."""

    @property
    def sizes(self) -> Sizes:
        """As they are."""
        return Sizes(len(self.records), len(self.weights), len(self.tables))

    def parts(self, base: int = 0) -> list[tuple[int, bytes]]:
        """(address, bytes) of what is the same for all images: records, tables, weights."""
        places = self.memory_map(1, base)
        tables = places.program + self.table_offset
        return [(places.program, self.records), (tables, self.tables), (places.weights, self.weights)]

    # Codes -------------------------------------------------------------------------------------

    def _dtype(self) -> np.dtype[np.unsignedinteger]:
        return np.dtype("<u1" if self.config.lane_bytes == 1 else "<u2")

    def pack_input(self, codes: npt.ArrayLike) -> bytes:
        """Codes [H, W, C] or [N, H, W, C] as memory wants them, ``input_stride`` bytes an image.

        Raises ``ValueError`` for another shape and for a code outside of the input's format.
        """
        info = self.tensors[self.input]
        array = np.asarray(codes)
        batch = array[None] if array.ndim == 3 else array
        if batch.ndim != 4 or batch.shape[1:] != info.shape:
            raise ValueError(f"input {info.name!r} must be codes of shape {info.shape}, not {array.shape}")
        if array.dtype.kind not in "iu":
            raise ValueError(f"input {info.name!r} must be integer codes, not {array.dtype}")
        if batch.size and (batch.min() < info.format.min or batch.max() > info.format.max):
            raise ValueError(
                f"input {info.name!r} must be codes in {info.format.min}..{info.format.max}, "
                f"not {batch.min()}..{batch.max()}"
            )
        raw = (batch.astype(np.int64) & ((1 << self.config.act_width) - 1)).astype(self._dtype())
        result = np.zeros((len(raw), self.input_stride), np.uint8)
        result[:, : self.input_bytes] = raw.reshape(len(raw), -1).view(np.uint8)
        return result.tobytes()

    def unpack_output(self, result: bytes | bytearray | memoryview) -> dict[str, IntArray]:
        """One image's result as codes [H, W, C] of every output."""
        if len(result) < self.output_bytes:
            raise ValueError(f"a result must have {self.output_bytes} bytes, not {len(result)}")
        config, unpacked = self.config, {}
        for output in self.outputs:
            words = output.blocks * output.pixels
            size = config.word_beats * config.port_bytes
            raw = np.frombuffer(result, np.uint8, words * size, output.offset).reshape(words, size)
            lanes = raw[:, : config.word_bytes].copy().view(self._dtype()).astype(np.int64)
            height, width, channels = self.tensors[output.tensor].shape
            pixels = lanes.reshape(output.blocks, output.pixels, config.lanes).transpose(1, 0, 2)
            codes = pixels.reshape(height, width, -1)[:, :, :channels]
            unpacked[output.tensor] = self.signed(output.tensor, codes)
        return unpacked

    def signed(self, tensor: str, raw: IntArray) -> IntArray:
        """The codes that the low ``act_width`` bits in ``raw`` stand for in a tensor."""
        width = self.config.act_width
        code = raw.astype(np.int64) & ((1 << width) - 1)
        if not self.tensors[tensor].format.signed:
            return code
        return code - ((code >> (width - 1)) << width)

    def image(self, codes: npt.ArrayLike, base: int = 0) -> tuple[bytearray, dict[str, int]]:
        """Memory from ``base`` on that holds everything to run these images, and the registers to write."""
        packed = self.pack_input(codes)
        images = len(packed) // self.input_stride
        places = self.memory_map(images, base)
        memory = bytearray(places.end - base)
        for address, blob in (*self.parts(base), (places.input, packed)):
            memory[address - base : address - base + len(blob)] = blob
        return memory, self.registers(images, base)

    def results(self, memory: bytes | bytearray, images: int = 1, base: int = 0) -> list[dict[str, IntArray]]:
        """Every image's outputs from memory laid out by ``image``."""
        start = self.memory_map(images, base).output - base
        view = memoryview(memory)
        return [self.unpack_output(view[start + i * self.output_stride :]) for i in range(images)]

    # Identity ----------------------------------------------------------------------------------

    def require(self, config: EngineConfig) -> None:
        """Raises ``ValueError`` naming both configurations and what differs, unless they are equal."""
        if config == self.config:
            return
        mine, other = asdict(self.config), asdict(config)
        differ = _differences(mine, other)
        raise ValueError(
            f"the program of {self.name!r} is for another engine: {differ}; "
            f"compiled for: {self.config.describe()}; this engine: {config.describe()}"
        )


def _differences(mine: Mapping[str, int], other: Mapping[str, int]) -> str:
    return ", ".join(
        f"{name} is {mine[name]} there and {other[name]} here" for name in mine if mine[name] != other[name]
    )
