"""Results on disk: one SQLite file, each result under its key; several processes may share it.

    results(key, document)          written once, whole
    claims(key, owner, until)       who is computing what; a claim whose owner is gone is anybody's

An interrupted sweep leaves its results and claims; the next one takes both over.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["Store"]

_LEASE = 300.0
"""Seconds that a claim holds unless it is renewed: for owners on other machines, whose end nobody sees."""

_WAIT = 60.0
"""Seconds to wait for another process's transaction."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, document TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL)",
)


class Store:
    """Results by key. ``path`` None: in memory, for this process alone. Raises ``ValueError`` for another file."""

    def __init__(self, path: str | Path | None = None) -> None:
        self._owner = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
        try:
            self._db = sqlite3.connect(
                ":memory:" if path is None else path, timeout=_WAIT, isolation_level=None
            )
            for table in _TABLES:
                self._db.execute(table)
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{str(path)!r} cannot be used as a store of results ({error}): name another directory"
                             ) from None  # fmt: skip

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.execute("DELETE FROM claims WHERE owner = ?", (self._owner,))
        self._db.close()

    def get(self, key: str) -> dict[str, Any] | None:
        """The result, if it is there."""
        row = self._db.execute("SELECT document FROM results WHERE key = ?", (key,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def put(self, key: str, document: Mapping[str, Any]) -> None:
        """Keep a result; its claim ends. A second one of the same key changes nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        text = json.dumps(document, allow_nan=False)
        self._db.execute("INSERT OR IGNORE INTO results VALUES (?, ?)", (key, text))
        self._db.execute("DELETE FROM claims WHERE key = ?", (key,))
        self._db.execute("COMMIT")

    def claim(self, key: str) -> bool:
        """Whether this process may compute it: nobody else does, and there is no result yet."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if self.get(key) is not None:
                return False
            row = self._db.execute("SELECT owner, until FROM claims WHERE key = ?", (key,)).fetchone()
            if row is not None and row[0] != self._owner and row[1] > time.time() and _alive(row[0]):
                return False
            self._db.execute(
                "INSERT OR REPLACE INTO claims VALUES (?, ?, ?)", (key, self._owner, time.time() + _LEASE)
            )
            return True
        finally:
            self._db.execute("COMMIT")

    def renew(self) -> None:
        """Hold all claims of this process for another while."""
        self._db.execute("UPDATE claims SET until = ? WHERE owner = ?", (time.time() + _LEASE, self._owner))

    def release(self, keys: Iterable[str]) -> None:
        """Give claims back."""
        self._db.executemany(
            "DELETE FROM claims WHERE key = ? AND owner = ?", [(key, self._owner) for key in keys]
        )


def _alive(owner: str) -> bool:
    """Whether a claim's process still runs, as far as can be seen from here."""
    host, pid, _ = owner.rsplit(" ", 2)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
