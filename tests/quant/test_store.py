"""The activation store, in memory and in files."""

import numpy as np
import pytest
from systolith.quant.store import ActivationStore


@pytest.mark.parametrize("budget", [0, 500, 1 << 20])
def test_keeps_replaces_and_forgets(budget: int) -> None:
    with ActivationStore(budget) as store:
        for name in ("a", "b"):
            for b in range(3):
                store[name, b] = np.full((10, 10), b, np.float32)
        store["a", 1] = np.full((2, 2), 7.0)
        assert store["a", 1].tolist() == [[7.0, 7.0], [7.0, 7.0]]
        assert float(store["b", 2].sum()) == 200.0
        store.forget("a")
        with pytest.raises(KeyError):
            store["a", 0]
        assert float(store["b", 1].sum()) == 100.0
    with pytest.raises(KeyError):
        store["b", 1]


def test_refuses_a_negative_budget() -> None:
    with pytest.raises(ValueError, match="budget must not be negative"):
        ActivationStore(-1)
