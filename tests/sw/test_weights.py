"""The weight stream: what is encoded is decoded, bit for bit where the contract says so."""

from dataclasses import replace

import numpy as np
import pytest
from systolith.hw.config import EngineConfig
from systolith.sw.weights import Segment, decode_segment, encode_segment, tile_width


def random_segment(config: EngineConfig, width: int, n_rows: int, seed: int = 0) -> Segment:
    rng = np.random.default_rng(seed)
    limit, top = 1 << width - 1, 1 << config.acc_width - 1
    return Segment(
        width=width,
        tiles=rng.integers(-limit, limit, (n_rows, config.cols)),
        bias=rng.integers(-top, top, config.cols),
        shift=rng.integers(-config.max_left_shift, config.acc_width + 1, config.cols),
        res_shift=rng.integers(0, config.acc_width, config.cols),
    )


@pytest.mark.parametrize("port_width", [32, 64, 512])
@pytest.mark.parametrize("cols", [1, 3, 8, 33, 65, 128])
@pytest.mark.parametrize("width", [2, 5, 8, 16])
def test_round_trip(cols: int, port_width: int, width: int) -> None:
    config = EngineConfig(
        rows=3,
        cols=cols,
        port_width=port_width,
        acc_width=40,
        wgt_width=16 if width == 16 else 8,
        act_width=16,
    )
    for n_rows in (0, 3, 12):
        segment = random_segment(config, width, n_rows, n_rows)
        stream = np.frombuffer(encode_segment(segment, config) + b"\xa5" * 64, np.uint8)
        decoded, size = decode_segment(stream, config)
        assert size == len(stream) - 64 and size % config.port_bytes == 0
        assert decoded.width == width
        for name in ("tiles", "bias", "shift", "res_shift"):
            assert np.array_equal(getattr(decoded, name), getattr(segment, name)), name


def test_planes_lie_where_the_contract_says() -> None:
    config = EngineConfig(rows=2, cols=3, port_width=32, acc_width=32)
    segment = Segment(
        width=2,
        tiles=np.array([[1, -2, 0], [-1, 0, 1]]),
        bias=np.array([1, 0, -1]),
        shift=np.zeros(3, np.int64),
        res_shift=np.zeros(3, np.int64),
    )
    words = np.frombuffer(encode_segment(segment, config), "<u4")
    assert words[0] == 0xA5 | 2 << 8 | 2 << 13
    planes = [int(words[1 + i // 10]) >> i % 10 * 3 & 7 for i in range((len(words) - 1) * 10)]
    assert planes[0] == 0b101 and planes[1] == 0b100  # bias, bits 0 and 1 of the three columns
    first = config.param_rows * config.wgt_width
    assert planes[first : first + 4] == [0b001, 0b010, 0b101, 0b001]


def test_refuses_what_does_not_fit() -> None:
    config = EngineConfig(rows=2, cols=2)
    good = random_segment(config, 4, 2)
    for change, message in (
        ({"bias": np.array([0, 1 << 31])}, "bias must fit in 32 bits"),
        ({"shift": np.array([0, -10])}, "shift must fit"),
        ({"res_shift": np.array([0, 32])}, "res_shift must fit in 5 bits"),
        ({"width": 16}, "width must be at most 8 bits, not 16"),
        ({"tiles": np.array([[8, 0]])}, r"weights must fit in 4 bits, not 0\.\.8"),
    ):
        with pytest.raises(ValueError, match=message):
            encode_segment(replace(good, **change), config)


def test_decoder_refuses_a_stream_out_of_step() -> None:
    config = EngineConfig(rows=2, cols=2)
    stream = np.frombuffer(encode_segment(random_segment(config, 4, 2), config), np.uint8)
    for part, message in (
        (stream[:0], "ends where a segment should begin"),
        (stream[8:], "must begin with 0xa5"),
        (stream[:-8], "ends inside a segment"),
    ):
        with pytest.raises(ValueError, match=message):
            decode_segment(part, config)
    wide = stream.copy()
    wide[1] = 31
    with pytest.raises(ValueError, match=r"must have 2\.\.8 bits, not 31"):
        decode_segment(wide, config)


@pytest.mark.parametrize(("codes", "width"), [([0], 2), ([1, -2], 2), ([2], 3), ([-128], 8), ([128], 16)])
def test_tile_width(codes: list[int], width: int) -> None:
    assert tile_width(np.array(codes)) == width
