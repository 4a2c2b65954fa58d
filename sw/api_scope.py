"""``scope``: signals of the RTL, cycle by cycle, as waveforms and as the wavefront in the array."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..hw.config import EngineConfig
from ..quant.network import IntArray
from .api_model import network_of
from .api_pictures import Picture, drawn
from .api_profile import Profile, against_model, run_recorded
from .api_results import config_json
from .compiler import compile_network
from .cycle_model.record import record
from .cycle_model.report import require_run
from .images import Preprocessing
from .picture_wavefront import SNAPSHOTS, draw_wavefront
from .picture_waves import Track, draw_waves
from .quantized_io import QuantizedModel
from .timeline import timeline
from .wavefront import wavefront

__all__ = ["Scope", "scope"]

_NUMBER = re.compile(r" (act|wgt|psum)$|^code \d")
"""Signals that are numbers."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Signals of a run in RTL from cycle ``first`` on, and the run as a whole."""

    config: EngineConfig
    first: int
    signals: Mapping[str, IntArray]
    """a value a cycle, by name: memory port, instructions, state of the array, ``pe ROW,COLUMN act``, outputs."""
    profile: Profile
    """all cycles of the run; its ``error`` says if outputs or events are wrong."""

    @property
    def last(self) -> int:
        """The last cycle of the window."""
        return self.first + len(self.signals["array: pixel"]) - 1

    def waveform(
        self, names: Sequence[str] = (), first: int | None = None, last: int | None = None
    ) -> Picture:
        """A strip a signal; by default what happens around PE 0,0, in the first 40 cycles.

        Raises ValueError for a name that is no signal, and for cycles outside of the window.
        """
        begin = self.first if first is None else first
        end = min(self.last, begin + 39) if last is None else last
        part = self._part(begin, end)
        chosen = names or (
            "word read",
            "array: pixel",
            "pe 0,0 switch",
            "pe 0,0 act",
            "pe 0,0 wgt",
            "pe 0,0 psum",
        )
        for name in chosen:
            if name not in self.signals:
                raise ValueError(
                    f"names must be signals of the scope ({', '.join(self.signals)}), not {name!r}"
                )
        tracks = [Track(name, self.signals[name][part], _NUMBER.search(name) is not None) for name in chosen]
        title = f"{self.profile.timeline.program.name} on {self.config.rows}x{self.config.cols}, RTL"
        return drawn(lambda path: draw_waves(path, title=title, first=begin, tracks=tracks))

    def wavefront(
        self, first: int | None = None, last: int | None = None, snapshot: int | None = None
    ) -> Picture:
        """Which PE multiplies which pixel in which cycle, by default 40 around the window's first change of tiles.

        ``snapshot``: the first of the cycles in which the whole array is drawn; None: at the first change of tiles.
        """
        config = self.config
        found = wavefront(self.signals, self.first, config.rows, config.cols)
        changes = (np.flatnonzero(self.signals["pe 0,0 switch"]) + self.first).tolist()
        shot = (
            snapshot
            if snapshot is not None
            else next((t for t in changes if first is None or t >= first), None)
        )
        if shot is None:
            raise ValueError(f"first and last must hold a change of tiles: none in {self.first}..{self.last}")
        begin = max(self.first, shot - 12) if first is None else first
        end = min(self.last, begin + 39) if last is None else last
        part = self._part(begin, end)
        if not begin <= shot <= end:
            raise ValueError(f"snapshot must be a cycle in {begin}..{end}, not {shot}")
        cut = type(found)(begin, *(a[..., part] for a in (found.passes, found.pixels, found.busy)))
        name = next((s.name for s in self.profile.timeline.of("compute") if s.ended >= shot), "")
        shown, size = min(SNAPSHOTS, end + 1 - shot), f"{config.rows}x{config.cols}"
        title = f"The wavefront in {name}: {shown} cycles of the {size} array"
        return drawn(lambda path: draw_wavefront(path, cut, title=title, snapshot=shot))

    def _part(self, begin: int, end: int) -> slice:
        if not self.first <= begin <= end <= self.last:
            raise ValueError(
                f"first and last must be cycles in {self.first}..{self.last}, not {begin} and {end}"
            )
        return slice(begin - self.first, end + 1 - self.first)

    def __repr__(self) -> str:
        return (
            f"{len(self.signals)} signals, cycles {self.first:,} to {self.last:,}; {self.profile.to_text()}"
        )


def scope(
    source: QuantizedModel | str | Path,
    config: EngineConfig | None = None,
    *,
    first: int,
    last: int,
    images: int = 1,
    mem_latency: int = 30,
    preprocessing: Preprocessing | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Scope:
    """Run the engine in Verilator on random images and keep its signals in cycles ``first`` to ``last``.

    ``source``, ``config``, ``images``, ``mem_latency``, ``preprocessing`` : as for ``profile``. Outputs are compared
    with the reference, all events with the cycle model. Raises ValueError naming what is wrong and the cure.
    """
    from ..sim.scope import require_window

    require_run(images, mem_latency)
    require_window((first, last))
    engine = config or EngineConfig()
    if engine.serial:
        raise ValueError("config must be an engine with an array, not a serial one: leave serial out")
    network, quantized = network_of(source, engine, preprocessing)
    program = compile_network(network, engine)
    modelled = record(program, images, mem_latency)
    if first >= modelled.cycles:
        raise ValueError(f"first must be a cycle of the run, 0..{modelled.cycles - 1}, not {first!r}")
    run, error = run_recorded(network, program, images, mem_latency, progress, (first, last))
    assert run.recording is not None
    whole = Profile(
        config={**config_json(engine), "mem_latency": mem_latency}, quantized=quantized,
        timeline=timeline(program, run.recording, mem_latency), error=error or against_model(modelled, run.recording),
    )  # fmt: skip
    return Scope(config=engine, first=first, signals=run.signals, profile=whole)
