"""Recordings: cycles by the array's state, and the first event that two of them do not share."""

from dataclasses import replace

import numpy as np
import pytest
from systolith.sw.recording import CLIENTS, UNITS, Recording, difference


@pytest.fixture
def recording() -> Recording:
    def times(*cycles: int) -> np.ndarray:
        return np.array(cycles, np.int64)

    return Recording(
        source="model", images=1, cycles=40,
        offered={unit: times(3, 9) for unit in UNITS}, taken={unit: times(4, 9) for unit in UNITS},
        done={unit: times(12, 30) for unit in UNITS}, reads={client: times(5, 6, 8) for client in CLIENTS},
        writes=times(20, 21), since=times(0, 4, 10, 11, 25), states=np.array([1, 0, 3, 0, 1], np.int8),
    )  # fmt: skip


def test_states_add_up(recording: Recording) -> None:
    assert recording.stalls() == {"pixel": 20, "wait": 19, "weight": 0, "bank": 1, "short": 0}


def test_equal(recording: Recording) -> None:
    assert difference(recording, replace(recording, source="rtl")) is None


def test_another_cycle(recording: Recording) -> None:
    late = replace(
        recording, source="rtl", done={**recording.done, "store": recording.done["store"] + [0, 1]}
    )
    assert difference(recording, late) == "store done, number 1: 30 in the model, 31 in the rtl"


def test_fewer_of_them(recording: Recording) -> None:
    fewer = replace(recording, source="rtl", writes=recording.writes[:-1])
    assert difference(recording, fewer) == "words written: 2 in the model, 1 in the rtl"


def test_another_state(recording: Recording) -> None:
    other = replace(recording, source="rtl", states=np.array([1, 0, 2, 0, 1], np.int8))
    assert difference(recording, other) == "states of the array, number 2: 3 in the model, 2 in the rtl"


def test_cycles_come_first(recording: Recording) -> None:
    other = replace(recording, source="rtl", cycles=41, writes=recording.writes[:-1])
    assert difference(recording, other) == "cycles: 40 in the model, 41 in the rtl"
