"""The instruction set, as data: encoder, decoder, disassembler, simulator, RTL and docs derive from here.

A program is a sequence of records of equal size (``record_words`` port words each). Fields are packed from
bit 0 in the order written; widths come from ``EngineConfig``. Every record starts with HEADER. The engine has
three units, load, compute and store; each executes its own instructions in order and runs ahead of the others.
An instruction starts when, for each unit, at least ``iteration * n_unit + wait_unit`` of that unit's instructions
have completed; ``n_unit`` is the count an iteration holds (see CONFIG) and the field may be negative, which
means "of the iteration before". The program runs once per image: after the last record the fetch unit starts
again at the first, until all images are done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import ceil

from . import field_widths as widths
from .config import EngineConfig
from .record import Field, Instruction

__all__ = ["COMPUTE", "CONFIG", "FOLD_CHANNELS", "HEADER", "INSTRUCTIONS", "LOAD", "MAGIC", "NO_WAIT",
           "POOL_MAX", "POOL_MEAN", "POOL_NONE", "POOL_SUM", "REGIONS", "SEGMENT", "STORE", "Field",
           "Instruction", "decode", "encode", "layout", "loop_counts", "no_wait", "ranges", "record_bits",
           "record_words", "steps"]  # fmt: skip

REGIONS = ("program", "input", "output", "spill")
"""What a memory offset counts from: input and output advance by their stride register each iteration."""

FOLD_CHANNELS = 6
"""Channels a pixel may have for LOAD to fold its neighbours into its word: 3 of each of two that are taken as one."""

POOL_NONE, POOL_SUM, POOL_MAX, POOL_MEAN = 0, 1, 2, 3


HEADER = (
    Field("opcode", 4, "which instruction; 0 is none, so that memory of zeros is an error"),
    Field("last", 1, "1: the last of its unit in this iteration"),
    Field(
        "wait_load", widths.wait, "LOADs completed before this starts, relative to the iteration", signed=True
    ),
    Field("wait_compute", widths.wait, "COMPUTEs completed, likewise", signed=True),
    Field("wait_store", widths.wait, "STOREs completed, likewise", signed=True),
)

CONFIG = Instruction(
    "config", 1, "fetch",
    """The first record: error unless hash equals the engine's own.""",
    (
        Field("hash", 32, "EngineConfig.hash of the engine this program is for"),
        Field("n_load", widths.instructions, "LOADs in one iteration"),
        Field("n_compute", widths.instructions, "COMPUTEs in one iteration"),
        Field("n_store", widths.instructions, "STOREs in one iteration"),
    ),
)  # fmt: skip

LOAD = Instruction(
    "load", 2, "load",
    """for p in 0..pixels-1:
    for b in 0..blocks-1:
        n = tail if b == blocks-1 else lanes
        word[base + p + b*block_step] = next n elements (the other lanes 0)

The elements lie densely (N H W C) from `offset` of the region on, `beats` port words are read, the first
`skip` elements are dropped. An element takes lane_bytes bytes; its low act_width bits count.

With fold a pixel has `tail` elements, and its words hold neighbours too, so that a convolution of few channels fills
the array; width = row_last+1+zeros pixels are in a row, height = pixels/(row_last+1) + rows_zero rows:

for y in 0..height-1:                          # image[y][x] is 0 in the zeros behind its rows and below them
    for x in 0..width-1:
        tall[x] = image[y][x], line[0][x] if y + rows_held >= 1, line[1][x] if y + rows_held >= 2, ...
        line[0][x], line[1][x] = image[y][x], line[0][x]          # only if rows_above > 0
        if x >= before and y >= rows_before:
            window = tall[x], tall[x-1], tall[x-2], ...           # of this row, 0 before it
            for b in 0..blocks-1:
                word[base + n + b*block_step] = elements b*lanes .. (b+1)*lanes-1 of the window
            n += 1

tall[x] are `rows_above` + 1 pixels one after the other, 0 for those that are not there; the window has
EngineConfig.fold_elements elements, 0 behind them. The two rows in `line` stay for the next LOAD with fold. With
rows_above a row has 3 to fold_width pixels.

With turns (EngineConfig.fold_turns) a pixel is two of 3 channels, tail is 6, rows_above 2, blocks 1, and 27 elements
around a pixel lie in the words of two rows; n = min(lanes - 9, 9):

    k[i] = 9 elements of pixels x-1, x of row y-i: from the first on, with half from the 4th      # oldest first
    word[...] = k[0], then k[1][0..n-1], in every second row k[2][9-n..8]; 0 behind

With table the elements are codes of activation functions (`blocks` is 1, fold 0), and nothing goes to the scratchpad:

for p in 0..pixels-1:
    entry[base + p][c] = element c of the next `tail` elements, 0 behind them   # of a single one: in every column""",
    (
        Field("region", 2, "index into REGIONS"),
        Field("offset", widths.offset, "bytes from the region's start, a multiple of the port's bytes"),
        Field("beats", widths.beats, "port words to read, at least 1"),
        Field("skip", widths.skip, "elements of the first beat to drop"),
        Field("pixels", lambda c: widths.load_addr(c) + 1, "pixels to read, at least 1; with fold whole rows"),
        Field("blocks", widths.blocks, "words a pixel, at least 1; with fold at most ceil(fold_elements / lanes)"),
        Field("tail", widths.lanes, "elements of a pixel's last word, 1..lanes; with fold a pixel's, 1..FOLD_CHANNELS"),
        Field("base", widths.load_addr, "word address of pixel 0, block 0; with table a number of entries"),
        Field("block_step", widths.addr, "words from a block to the next"),
        Field("fold", widths.folding(1), "1: words of neighbouring pixels"),
        Field("row_last", widths.row_last, "pixels of a row - 1"),
        Field("before", widths.folding(4), "pixels of a row that make no word of their own, at most row_last"),
        Field("zeros", widths.folding(5), "pixels of 0 behind a row"),
        Field("rows_above", widths.folding(2), "rows above a pixel's own in its word, 0..2; 0 without a line buffer"),
        Field("rows_held", widths.folding(2), "of those above the first row, how many count: of the LOAD before"),
        Field("rows_before", widths.folding(2), "rows at the start that make no words, at most 2 and fewer than all"),
        Field("rows_zero", widths.folding(2), "rows of pixels of 0 below the last one, at most 2"),
        Field("turns", widths.folding(1), "1: the rows' words take turns, two hold all that a 3x3 kernel needs"),
        Field("second", widths.folding(1), "turns: 1: the first row of words has rows y and y-2, 0: y and y-1"),
        Field("half", widths.folding(1), "turns: 1: the kernel's columns begin with the second half of a pixel"),
        Field("table", widths.table, "1: entries of tables, not words; only on an engine that has tables"),
    ),
)  # fmt: skip

_LOOPS = ("wx", "wy", "ox", "oy")

COMPUTE = Instruction(
    "compute", 3, "compute",
    """base, rot = in_base, in_rot
for kb in 0..kb_last:                     # blocks of `rows` input channels
  for ky in 0..ky_last:
    for kx in 0..kx_last:                 # one pass: one rows x cols weight tile
      tile = next tile of the weight stream (the one in the array if keep)
      a = 0
      for oy, ox, wy, wx in 0..*_last:    # wx innermost; a pass streams one pixel a cycle
        y, x, addr = position              # y0, x0, base at the start, plus the steps
        act[r] = word[addr][rot + r] if 0 <= y < in_height and 0 <= x < in_width else 0
        acc[a][c] (+)= sum_r act[r] * tile[r][c]       # first pass: = bias[c] + (res[c] << res_shift[c]) + ...
        a += 1
  base, rot = base + block_step * ((rot + rows) // lanes), (rot + rows) % lanes
out = 0
for oy, ox: for wy, wx:                   # with the last pass, no drain
    v = acc[a][c];  pool SUM: v = sum over wy, wx of v
    q = clamp(round_half_even(v >> shift[c]), lo, hi)
    pool MAX: q = max over wy, wx of q; if skip, a pixel outside of the map counts as lo
    if table: q = entry[slot << table_bits | q mod 2**table_bits][c]
    word[out_base + out][out_rot + c] = q;  out += 1   # once a window of pool SUM, MAX
pool MEAN, in place of the last two lines, once an instruction:
    s = sum over oy, ox, wy, wx of q          # codes are not written
    word[out_base][out_rot + c] = clamp(round_half_even(s * mean_weight >> mean_shift), mean_lo, mean_hi)

`word[addr][lane]` with lane >= lanes means the next block: word[addr + block_step][lane - lanes].
A *_step_L field is what is added when loop L advances and all loops inside wrap: see `steps`.
Addresses are modulo the scratchpad's words. The weight stream holds one segment per COMPUTE: see docs/isa.md.

With fir (depthwise) column c holds channel in_rot + c, row r < 3 * fir_lines one tap of it; kb_last, res, pool are 0:

for ky, kx:                               # one pass: its y0, x0, base and tile are as above
  for oy, ox in 0..*_last:                # a slot: y, x, addr move as above, one a cycle
    slot[oy][ox][c] = word[addr][rot + c] if 0 <= y < in_height + ahead and 0 <= x < in_width else 0
  for i in 0..wy_last: for j in 0..wx_last:                      # outputs; where they go is as above
    oy, ox = y_step_wx + i * y_step_wy, x_step_wy + j * x_step_wx
    acc[a][c] (+)= sum_r slot[oy + r//3 - fir_lines + 1][ox + r%3 - 1][c] * tile[r][c];  a += 1

Slots left and right of 0..ox_last, and rows of slots whose y lies outside of the map, count as 0. Rows above the first
one are the last rows of the depthwise pass before, which must be as long. So the last slots of a COMPUTE can read the
first rows of what the next one works on: `ahead` rows below the map, where the next block of channels follows.
A row has 2..fir_width slots. One pass alone, of any COMPUTE, may have more pixels than acc_depth.

With product the tiles are no part of the weight stream but made of activations:

for c in 0..cols-1:                       # read before the first pixel; lane >= lanes: word[res_base + res_block_step]
    vector[c] = word[res_base][out_rot + c]
for kb in 0..kb_last: for r in 0..rows-1:
    tile[r][c] = vector[c] if kb*rows + r == c else 0

An activation's low wgt_width bits are the signed weight; res_signed extends one that has fewer. Of a product ky_last,
kx_last, res and fir are 0, kb_last is ceil(cols / rows) - 1; the tile of the last pass stays in the array.""",
    (
        Field("kb_last", widths.last_block, "input blocks - 1"),
        Field("ky_last", 4, "kernel rows - 1"),
        Field("kx_last", 4, "kernel columns - 1"),
        *(Field(f"{loop}_last", widths.size, f"count of loop {loop} - 1") for loop in _LOOPS),
        Field("in_base", widths.addr, "word address of position (y0, x0), may lie before the tensor"),
        Field("in_block_step", widths.addr, "words from an input block to the next"),
        Field("in_rot", widths.lane, "lane of row 0, a multiple of group_lanes"),
        Field("in_signed", 1, "1: activation codes are signed"),
        Field("in_height", widths.size, "rows of the input map"),
        Field("in_width", widths.size, "columns of the input map"),
        Field("y0", widths.coord, "row of the first pixel, negative in the padding", signed=True),
        Field("x0", widths.coord, "column of the first pixel", signed=True),
        Field("kx_x_step", widths.coord, "columns from a kernel column to the next", signed=True),
        Field("kx_addr_step", widths.addr, "words likewise"),
        Field("ky_y_step", widths.coord, "rows from a kernel row to the next", signed=True),
        Field("ky_addr_step", widths.addr, "words likewise, kx having wrapped"),
        *(Field(f"x_step_{loop}", widths.coord, f"columns when {loop} advances", signed=True) for loop in _LOOPS),
        *(Field(f"y_step_{loop}", widths.coord, f"rows when {loop} advances", signed=True) for loop in _LOOPS),
        *(Field(f"addr_step_{loop}", widths.addr, f"words when {loop} advances") for loop in _LOOPS),
        Field("keep", 1, "1: the first pass uses the tile already in the array"),
        Field("res", 1, "1: a residual is added"),
        Field("res_signed", 1, "1: its codes are signed"),
        Field("res_base", widths.addr, "word address of its first pixel; its lanes are rotated by out_rot"),
        Field("res_block_step", widths.addr, "words from a residual block to the next"),
        *(Field(f"res_step_{loop}", widths.addr, f"words when {loop} advances") for loop in _LOOPS),
        Field("out_base", widths.addr, "word address of output 0"),
        Field("out_block_step", widths.addr, "words from an output block to the next"),
        Field("out_rot", widths.lane, "lane of column 0, a multiple of group_lanes"),
        Field("pool", 2, "0 none, 1 sum before, 2 maximum after the requantizer, 3 mean of all codes"),
        Field("skip", 1, "1: pool MAX ignores pixels outside of the map (a pool with pads); 0: a fused convolution's"),
        Field("lo", widths.bound, "least output code", signed=True),
        Field("hi", widths.bound, "greatest output code (act_width + 1 bits hold unsigned codes)", signed=True),
        Field("mean_weight", widths.mean(widths.wgt), "pool MEAN: code that the sum is multiplied by", signed=True),
        Field("mean_shift", widths.mean(widths.shift), "its right shift + max_left_shift, as the parameters' shifts"),
        Field("mean_lo", widths.mean(widths.bound), "least code of the mean", signed=True),
        Field("mean_hi", widths.mean(widths.bound), "its greatest code", signed=True),
        Field("fir", widths.fir(1), "1: depthwise; wx_last, wy_last, *_step_wx, *_step_wy: which slots make outputs"),
        Field("ahead", widths.fir(2), "fir: rows below the map that are read all the same"),
        Field("table", widths.table, "1: the codes go through a table; only on an engine that has tables"),
        Field("slot", widths.slot, "which"),
        Field("product", widths.product, "1: the tile is a diagonal of activations, of which says res_base"),
    ),
)  # fmt: skip

STORE = Instruction(
    "store", 4, "store",
    """for b in 0..blocks-1:
    for p in 0..pixels-1:
        memory[offset + (b*pixels + p) * word_beats beats] = word[base + p + b*block_step]

A word is padded to whole beats; an element takes lane_bytes bytes, its code in the low act_width bits.""",
    (
        Field("region", 2, "index into REGIONS"),
        Field("offset", widths.offset, "bytes from the region's start, a multiple of the port's bytes"),
        Field("pixels", widths.count, "words a block, at least 1"),
        Field("blocks", widths.blocks, "blocks, at least 1"),
        Field("base", widths.addr, "word address of block 0"),
        Field("block_step", widths.addr, "words from a block to the next"),
    ),
)  # fmt: skip

MAGIC = 0xA5

SEGMENT = (
    Field("magic", 8, "0xA5, else the stream is out of step: an error"),
    Field("width", 5, "bits of a weight in this segment's tiles, 2..wgt_width"),
    Field("n_rows", 19, "rows of tiles that follow the parameters: passes * rows, 0 if kept or a product's"),
)
"""The header of a segment of the weight stream, header_words port words. One segment per COMPUTE, in order.

After it come param_rows rows of wgt_width planes, then n_rows rows of `width` planes: tile after tile in the
order of the passes (kb, ky, kx), rows 0 first. A plane is `cols` bits, bit c for column c; plane i of a row
holds bit i of each column's value (two's complement). planes_per_word planes lie in a port word from bit 0 on
(plane_words words a plane where cols > port_width); the segment is padded to whole words.
Parameter row i holds bits i*wgt_width.. of each column's block: bias (acc_width bits), then
shift + max_left_shift (shift_width bits), then res_shift (res_shift_width bits), from bit 0 up.
"""

INSTRUCTIONS = {i.opcode: i for i in (CONFIG, LOAD, COMPUTE, STORE)}


def no_wait(config: EngineConfig) -> int:
    """A threshold that always holds: an iteration has fewer than 2**(wait_width - 3) instructions of a unit."""
    return -(1 << (config.wait_width - 2))


NO_WAIT = no_wait(EngineConfig())
"""That of engines with the wait_width they have unless told otherwise."""


def layout(instruction: Instruction, config: EngineConfig) -> Iterator[tuple[Field, int, int]]:
    """Yield (field, lowest bit, bits) of HEADER and the instruction's own fields."""
    position = 0
    for field in (*HEADER, *instruction.fields):
        bits = field.bits(config)
        yield field, position, bits
        position += bits


def record_bits(instruction: Instruction, config: EngineConfig) -> int:
    """Bits the instruction's fields take, HEADER included."""
    return sum(bits for _, _, bits in layout(instruction, config))


@cache
def record_words(config: EngineConfig) -> int:
    """Port words of every record of a program."""
    return ceil(max(record_bits(i, config) for i in INSTRUCTIONS.values()) / config.port_width)


@cache
def _layout(opcode: int, config: EngineConfig) -> Mapping[str, tuple[Field, int, int]]:
    """``layout`` by the fields' names."""
    return {found[0].name: found for found in layout(INSTRUCTIONS[opcode], config)}


def ranges(instruction: Instruction, config: EngineConfig) -> dict[str, tuple[int, int]]:
    """The least and the greatest value of every field, by name."""
    return {name: field.range(config) for name, (field, _, _) in _layout(instruction.opcode, config).items()}


def encode(instruction: Instruction, config: EngineConfig, values: Mapping[str, int]) -> bytes:
    """The record: little-endian bytes, ``record_words`` port words. Fields not named are 0.

    Raises ``ValueError`` for an unknown field and for a value that does not fit, naming both.
    """
    fields, record = _layout(instruction.opcode, config), 0
    if unknown := values.keys() - fields.keys():
        raise ValueError(f"{instruction.name} has no field {', '.join(sorted(unknown))}")
    for name, value in {"opcode": instruction.opcode, **values}.items():
        field, low, _ = fields[name]
        try:
            record |= field.check(value, config) << low
        except ValueError as error:
            raise ValueError(f"{instruction.name}: {error}") from None
    return record.to_bytes(record_words(config) * config.port_bytes, "little")


def decode(record: bytes, config: EngineConfig) -> tuple[Instruction, dict[str, int]]:
    """The instruction and every field's value. Raises ``ValueError`` for an unknown opcode."""
    bits = int.from_bytes(record, "little")
    opcode = bits & 15
    if opcode not in INSTRUCTIONS:
        raise ValueError(f"opcode must be one of {sorted(INSTRUCTIONS)}, not {opcode}")
    instruction, values = INSTRUCTIONS[opcode], {}
    for field, low, width in _layout(opcode, config).values():
        value = bits >> low & (1 << width) - 1
        values[field.name] = (
            value - (1 << width) if field.signed and width and value >> (width - 1) else value
        )
    return instruction, values


def steps(strides: Sequence[int], counts: Sequence[int]) -> list[int]:
    """step[l] = stride[l] - sum_{i < l} (count[i] - 1) * stride[i], innermost loop first.

    What to add when loop l advances while the loops inside it go back to their start.
    """
    result, inside = [], 0
    for stride, count in zip(strides, counts, strict=True):
        result.append(stride - inside)
        inside += (count - 1) * stride
    return result


def loop_counts(values: Mapping[str, int]) -> tuple[int, ...]:
    """How often a COMPUTE runs through wx, wy, ox, oy; a depthwise one has no windows: those are its slots."""
    return tuple(1 if values["fir"] and loop[0] == "w" else values[f"{loop}_last"] + 1 for loop in _LOOPS)
