"""A real browser for tests of pages: Chromium without a window, told what to do over a pipe (DevTools protocol).

with browser() as chromium:
    shown = chromium.open(path, width=400, dark=True)
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "headless_shell")
SECONDS = 120.0

START = """\
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""What becomes the browser: it reads orders from file 3 and answers to file 4."""


def found() -> str | None:
    """Path of a browser; None where there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@dataclass
class Shown:
    """A page that was opened: what it said, what it asked for, and it can be asked."""

    chromium: "Chromium"
    session: str
    console: list[str] = field(default_factory=list)
    """messages and errors of scripts and of the browser itself."""
    requests: list[str] = field(default_factory=list)
    """addresses, the page's own first."""

    def ask(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        found = self.chromium.call(
            "Runtime.evaluate", self.session, expression=expression, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, path: Path, whole: bool = True) -> None:
        """A screenshot as PNG."""
        found = self.chromium.call("Page.captureScreenshot", self.session, captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def printed(self) -> bytes:
        """As PDF."""
        found = self.chromium.call(
            "Page.printToPDF", self.session, printBackground=True, preferCSSPageSize=True
        )
        return base64.b64decode(found["data"])


class Chromium:
    """One browser; calls wait for their answers."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders, self._answers, self._rest, self._count = orders, answers, b"", 0
        self._pages: dict[str, Shown] = {}
        self._loaded: set[str] = set()

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """One command of the protocol; raises AssertionError for an error or silence."""
        self._count += 1
        order = {"id": self._count, "method": method, "params": parameters}
        os.write(
            self._orders, json.dumps(order | ({"sessionId": session} if session else {})).encode() + b"\0"
        )
        while True:
            message = self._next()
            if message.get("id") == self._count:
                assert "error" not in message, (method, message)
                result: dict[str, Any] = message["result"]
                return result

    def open(self, path: Path, width: int = 1200, dark: bool = False) -> Shown:
        """A file, loaded whole, in a window ``width`` pixels wide."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Shown(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable", session)
        self.call("Emulation.setDeviceMetricsOverride", session, width=width, height=900, deviceScaleFactor=1,
                  mobile=width < 600)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", session, features=[scheme])
        self.call("Page.navigate", session, url=path.resolve().as_uri())
        while session not in self._loaded:
            self._next()
        return page

    def _next(self) -> dict[str, Any]:
        """The next message; events are noted on the way."""
        end = time.monotonic() + SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select([self._answers], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            part = os.read(self._answers, 1 << 20)
            assert part, "the browser is gone"
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        page, what = self._pages.get(message.get("sessionId", "")), message.get("params", {})
        if page is None:
            return
        match message.get("method"):
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
                page.console.append(json.dumps(what))
            case "Network.requestWillBeSent":
                page.requests.append(what["request"]["url"])
            case "Page.loadEventFired":
                self._loaded.add(page.session)


@contextmanager
def browser() -> Iterator[Chromium]:
    """A running browser, ended at the end."""
    path = found()
    assert path is not None
    theirs, orders = os.pipe()
    answers, back = os.pipe()
    command = [sys.executable, "-c", START, str(theirs), str(back), path, "--headless", "--no-sandbox",
               "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe"]  # fmt: skip
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [*command, f"--user-data-dir={folder}"], pass_fds=(theirs, back), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs)
        os.close(back)
        chromium = Chromium(orders, answers)
        try:
            yield chromium
            chromium.call("Browser.close")
        finally:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(orders)
            os.close(answers)
