"""A network that compiles in no time, and a job on it."""

from typing import Any

import pytest
from systolith.sim.random_network import random_network
from systolith.sw.sweep.axes import DEFAULTS
from systolith.sw.sweep.measure import Job
from systolith.sw.sweep.models import QuantizedNetworkWorkload


@pytest.fixture(scope="session")
def job() -> Job:
    return Job(workload=QuantizedNetworkWorkload(random_network(1, layers=3)), images=2, mem_latency=5)


@pytest.fixture(scope="session")
def points() -> dict[str, dict[str, Any]]:
    """Eight engines by key; the last one has no scratchpad to speak of."""
    found = {
        f"{rows}x{cols}": {**DEFAULTS, "rows": rows, "cols": cols} for rows in (2, 3, 4) for cols in (2, 5)
    }
    return {**found, "small": {**found["4x5"], "scratchpad": 512}, "none": {**found["4x5"], "scratchpad": 1}}
