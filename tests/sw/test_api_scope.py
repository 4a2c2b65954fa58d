"""Signals of the RTL: every PE multiplies and adds what it says, the wavefront is the one that the array has."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from systolith.hw.config import SERIAL
from systolith.sw import api
from systolith.sw.wavefront import DELAY, wavefront


@pytest.fixture(scope="module")
def seen(tiny: Any) -> api.Scope:
    """The first 1500 cycles of the tiny network on 4x4."""
    return api.scope(tiny.quantized, tiny.config, first=0, last=1499)


def test_the_run_is_right_and_recorded(seen: api.Scope) -> None:
    assert seen.profile.error == "" and seen.profile.timeline.recording.source == "rtl"
    assert (seen.first, seen.last) == (0, 1499) and seen.profile.timeline.cycles > 1500
    recording = seen.profile.timeline.recording
    words = np.sort(np.concatenate(list(recording.reads.values())))
    assert np.flatnonzero(seen.signals["word read"]).tolist() == words[words < 1500].tolist()
    for unit, times in recording.done.items():
        assert np.flatnonzero(seen.signals[f"{unit} done"]).tolist() == times[times < 1500].tolist()
    assert "cycles 0 to 1,499" in repr(seen)


def test_every_pe_adds_its_product(seen: api.Scope) -> None:
    """psum_o(t + 5) = psum of the PE above (t + 4) + act(t) * weight(t), wherever the PE has a pixel."""
    for r in range(4):
        for c in range(4):
            act, wgt, psum = (seen.signals[f"pe {r},{c} {what}"] for what in ("act", "wgt", "psum"))
            above = seen.signals[f"pe {r - 1},{c} psum"] if r else np.zeros_like(psum)
            assert np.array_equal(psum[5:], above[4:-1] + act[:-5] * wgt[:-5]), (r, c)
            assert r or c or np.count_nonzero(act * wgt) > 300


def test_the_wavefront_is_the_pixels_that_the_array_takes(seen: api.Scope) -> None:
    found = wavefront(seen.signals, 0, 4, 4)
    taken = seen.signals["array: pixel"]
    for r in range(4):
        for c in range(4):
            begins = np.flatnonzero(seen.signals[f"pe {r},{c} switch"]) + 1
            begins = begins[begins < 1500]
            assert len(begins) > 5 and taken[begins - DELAY - r - c].all()
            assert not found.pixels[r, c, begins].any()
            act = seen.signals[f"pe {r},{c} act"]
            if c:
                left = seen.signals[f"pe {r},{c - 1} act"]
                assert np.array_equal(act[1:], left[:-1])
    shifted = found.pixels[0, 0, : 1500 - 6], found.pixels[3, 3, 6:]
    assert np.array_equal(*shifted)


def test_pictures_and_what_they_cannot_show(seen: api.Scope) -> None:
    plain = seen.waveform()
    assert plain.png.startswith(b"\x89PNG") and seen.waveform(["pe 3,3 psum"], 300, 330).png != plain.png
    assert seen.wavefront(first=390, last=430).png.startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="names must be signals of the scope"):
        seen.waveform(["absent"])
    with pytest.raises(ValueError, match=r"first and last must be cycles in 0\.\.1499, not 1400 and 1600"):
        seen.waveform(first=1400, last=1600)
    with pytest.raises(ValueError, match="snapshot must be a cycle in"):
        seen.wavefront(first=300, last=340, snapshot=200)
    still = {**seen.signals, "pe 0,0 switch": np.zeros(1500, np.int64)}
    with pytest.raises(ValueError, match="must hold a change of tiles"):
        replace(seen, signals=still).wavefront()


def test_bad_windows_before_any_work(tiny: Any) -> None:
    with pytest.raises(ValueError, match="in this order"):
        api.scope(tiny.quantized, tiny.config, first=5, last=4)
    with pytest.raises(ValueError, match="first must be a cycle of the run"):
        api.scope(tiny.quantized, tiny.config, first=10**6, last=10**6)
    with pytest.raises(ValueError, match="leave serial out"):
        api.scope(tiny.quantized, api.EngineConfig(**SERIAL | {"serial": True}), first=0, last=4)
