"""A server in a thread, a daemon on the practice exchange, and a page in Chromium, for tests and pictures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from bot.serve.access.origins import ours
from bot.serve.access.token import read_or_make
from bot.serve.app import make_app
from bot.serve.command import listening_at
from bot.serve.site import Site, site_for
from scripts.documents.chromium import chromium_path

PRACTICE = [
    "data.history_bars=700", "features.names=core", "features.medium_window=30", "features.long_window=40",
    "features.correlation_window=30", "model.hidden=[16]", "model.members=1", "model.head_hidden=8",
    "training.epochs=2", "training.min_rows=300", "training.window_bars=600", "retrain.trigger=every_bars",
    "retrain.every_bars=200", "policy.kind=threshold", "signal.threshold=0.0002", "report.bootstrap_samples=100",
    "practice.speed=7200", "exchange.close_deadline_s=0.25", "exchange.decide_within_s=0.45",
    "exchange.quote_timeout_s=0.2", "log.heartbeat_s=1",
]  # fmt: skip
"""A daemon that closes two bars a second, with models that are made at once."""


@dataclass
class Serving:
    """A server at work."""

    site: Site
    base: str

    def link(self) -> str:
        """Return a link that opens the page once."""
        return f"{self.base}/open#{self.site.codes.new()}"


@contextmanager
def serving(runs_dir: Path, token_file: Path) -> Iterator[Serving]:
    """Serve a folder of runs in a thread of this process."""
    listening = listening_at("127.0.0.1", 0)
    port = int(listening.getsockname()[1])
    site = site_for(runs_dir, read_or_make(token_file), ours(port))
    config = uvicorn.Config(make_app(site), log_config=None, access_log=False, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield Serving(site, f"http://127.0.0.1:{port}")
    finally:
        site.watching.close()
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()


@contextmanager
def trading(run_dir: Path, *sets: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a daemon on the practice exchange; it is there once it has closed some bars."""
    options = [part for each in (*PRACTICE, *sets) for part in ("--set", each)]
    command = [sys.executable, "-m", "bot", "run", "--practice", "--no-rehearsal", *options]
    with subprocess.Popen(
        [*command, "--run-dir", str(run_dir)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:  # fmt: skip
        try:
            until(lambda: closed_bars(run_dir) >= 12 or process.poll() is not None, 300.0)
            assert process.poll() is None, "the daemon has ended"
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def closed_bars(run_dir: Path) -> int:
    """Return how many bars the run's log says are closed."""
    log = run_dir / "log.jsonl"
    return log.read_text("utf-8").count('"bar_closed"') if log.is_file() else 0


def until(true: Callable[[], bool], most_s: float = 20.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + most_s
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


@dataclass
class Seen:
    """What a browser complained of and asked for."""

    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        """Note what a page says from now on."""
        page.on("console", lambda m: self.complaints.append(m.text) if m.type != "log" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))


@contextmanager
def chromium() -> Iterator[Any]:
    """Start Chromium, as Debian has it."""
    from playwright.sync_api import sync_playwright

    found = chromium_path()
    with sync_playwright() as playwright:
        # in a container there is no sandbox to be had; it opens this machine's own page alone
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def shown(page: Any, name: str) -> str:
    """Return a figure of a run's head, without the marks between thousands."""
    text: str = page.locator(f".figure:has(dt:text-is('{name}')) dd").first.inner_text()
    return text.splitlines()[0].replace(",", "").replace("\u2212", "-").replace("\u202f%", "")


def api(page: Any, path: str) -> Any:
    """Ask the API as the page does."""
    return json.loads(page.evaluate("path => fetch(path).then(a => a.text())", path))
