"""Results once each, whoever writes them; claims of the living hold, those of the dead do not."""

import json
import multiprocessing
import os
import sqlite3
import time
from pathlib import Path

import pytest
from systolith.sw.sweep import store as module
from systolith.sw.sweep.store import Store


def test_results_stay(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        assert store.get("a") is None
        store.put("a", {"x": [1, 2], "y": "z"})
        store.put("a", {"x": "another"})
    with Store(tmp_path / "s") as store:
        assert store.get("a") == {"x": [1, 2], "y": "z"}


def test_one_claim_at_a_time(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as one, Store(tmp_path / "s") as other:
        assert one.claim("a") and one.claim("a") and not other.claim("a")
        one.release(["a"])
        assert other.claim("a") and not one.claim("a")
        one.release(["a"])  # another's: it stays
        assert not one.claim("a")
        other.put("a", {})
        assert not one.claim("a") and not other.claim("a") and one.get("a") == {}


def test_claims_end_with_the_store(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as one:
        one.claim("a")
    with Store(tmp_path / "s") as other:
        assert other.claim("a")


def test_claims_run_out_unless_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path / "s") as one, Store(tmp_path / "s") as other:
        now = time.time()
        one.claim("a")
        monkeypatch.setattr(time, "time", lambda: now + module._LEASE - 1)
        one.renew()
        monkeypatch.setattr(time, "time", lambda: now + 2 * module._LEASE - 10)
        assert not other.claim("a")
        monkeypatch.setattr(time, "time", lambda: now + 2 * module._LEASE + 10)
        assert other.claim("a")


def _claim_and_die(path: str) -> None:
    Store(path).claim("a")
    os._exit(1)


def _count(path: str, keys: list[str]) -> None:
    with Store(path) as store:
        for key in keys:
            if store.claim(key):
                time.sleep(0.001)
                store.put(key, {"by": os.getpid()})


def test_claims_of_the_dead_are_taken(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    child = multiprocessing.get_context("spawn").Process(target=_claim_and_die, args=(path,))
    child.start()
    child.join()
    (owner,) = sqlite3.connect(path).execute("SELECT owner FROM claims").fetchone()
    assert f" {child.pid} " in owner
    with Store(path) as store:
        assert store.claim("a")


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    """Forwards and backwards at once: every result is there once, each side made some."""
    path, keys = str(tmp_path / "s"), [str(n) for n in range(150)]
    Store(path).__exit__(None, None, None)
    spawn = multiprocessing.get_context("spawn")
    children = [spawn.Process(target=_count, args=(path, part)) for part in (keys, keys[::-1])]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    rows = dict(sqlite3.connect(path).execute("SELECT key, document FROM results").fetchall())
    assert sorted(rows) == sorted(keys)
    assert {json.loads(text)["by"] for text in rows.values()} <= {child.pid for child in children}
    assert sqlite3.connect(path).execute("SELECT count(*) FROM claims").fetchone() == (0,)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("no database, but long enough to be read as one " * 20)
    with pytest.raises(ValueError, match="cannot be used as a store of results"):
        Store(tmp_path / "s")
