"""Ten clients look at a live run for five minutes: it does not notice, and nothing grows without end.

`WATCHED_S=3600 pytest -m long -s tests/long/test_watchers.py` looks for an hour.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("playwright", reason="the extra 'browsers' is not installed")

from scripts.documents.browsing import trading

CLIENTS, ALONE_S = 10, 60.0
WATCHED_S = float(os.environ.get("WATCHED_S", "300"))
MOST_WAL_BYTES = 16_000_000
MOST_IDLE = 0.01
"""Of a core, while nobody looks."""
DECIDED_MS = 450.0
"""What this daemon decides within (`exchange.decide_within_s`): 99 of 100 bars, whoever looks."""
PATHS = (
    "/api/v1/runs", "/api/v1/runs/live/status", "/page/runs/live/equity", "/page/runs/live/candles?symbol=SYN0USDT",
    "/api/v1/runs/live/fills?limit=100", "/api/v1/runs/live/events", "/metrics",
)  # fmt: skip


@contextmanager
def serving(runs: Path, token: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "bot", "serve", str(runs), "--port", "0", "--token-file", str(token)]  # fmt: skip
    with (
        token.with_name("said").open("w") as said,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, stdin=subprocess.DEVNULL, text=True
        ) as process,
    ):
        assert process.stdout is not None
        base = re.match(r"page: (http://[^/]+)/", process.stdout.readline())
        assert base is not None
        try:
            yield process, base[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


class Client(threading.Thread):
    """Listen to what changes and ask for all that a page asks, until told to stop."""

    def __init__(self, base: str, headers: dict[str, str], over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.base, self.headers, self.over = base, headers, over
        self.answers, self.pushed, self.faults = 0, 0, list[str]()

    def _open(self, path: str, timeout_s: float = 20.0) -> object:
        return urllib.request.urlopen(
            urllib.request.Request(self.base + path, headers=self.headers), timeout=timeout_s
        )

    def _listen(self) -> None:
        with suppress(OSError, ValueError), self._open("/api/v1/changes?run=live", 30.0) as stream:  # type: ignore[attr-defined]
            while not self.over.is_set():
                self.pushed += stream.readline().startswith(b"event: run")

    def run(self) -> None:
        """Look."""
        threading.Thread(target=self._listen, daemon=True).start()
        while not self.over.is_set():
            for path in PATHS:
                try:
                    with self._open(path) as answer:  # type: ignore[attr-defined]
                        answer.read()
                    self.answers += 1
                except OSError as error:
                    self.faults.append(f"{path}: {error}")
            self.over.wait(0.5)


def lags(log: Path, since: float) -> list[float]:
    """Return how late bars were closed that the log has from a place in it on."""
    events = map(json.loads, log.read_text("utf-8").splitlines()[int(since) :])
    return [each["lag_ms"] for each in events if each["event"] == "bar_closed" and each["tradable"]]


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1000.0


@pytest.mark.long
def test_ten_clients_disturb_no_daemon(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    token, over = tmp_path / "token", threading.Event()
    wal, log = runs / "live" / "journal.db-wal", runs / "live" / "log.jsonl"
    with trading(runs / "live"), serving(runs, token) as (server, base):
        time.sleep(5.0)  # kernels are loaded
        before, began = cpu_s(server.pid), time.monotonic()
        start = len(log.read_text("utf-8").splitlines())
        time.sleep(ALONE_S)
        idle = (cpu_s(server.pid) - before) / (time.monotonic() - began)
        alone, start = lags(log, start), len(log.read_text("utf-8").splitlines())
        headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
        clients = [Client(base, headers, over) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        sizes, memory = [0], []
        end = time.monotonic() + WATCHED_S
        while time.monotonic() < end:
            sizes.append(wal.stat().st_size if wal.exists() else 0)
            memory.append(memory_mb(server.pid))
            time.sleep(0.5)
        over.set()
        for client in clients:
            client.join(30.0)
        watched = lags(log, start)
    p99 = [float(np.percentile(each, 99)) for each in (alone, watched)]
    answers, pushed = sum(c.answers for c in clients), min(c.pushed for c in clients)
    half = len(memory) // 2
    print(
        f"\n{CLIENTS} clients, {WATCHED_S:.0f} s: {answers:,} answers, WAL at most {max(sizes) / 1e6:.1f} MB, "
        f"99 of 100 bars closed within {p99[1]:.0f} ms ({p99[0]:.0f} alone), server idle {idle:.2%} of a core, "
        f"{max(memory[:half]):.0f} MB, then {max(memory[half:]):.0f} MB"
    )  # fmt: skip
    faults = [fault for client in clients for fault in client.faults]
    assert faults == [], (tmp_path / "said").read_text("utf-8")
    assert pushed > 0.3 * len(watched)
    assert max(sizes) < MOST_WAL_BYTES
    assert p99[1] < DECIDED_MS
    assert idle < MOST_IDLE
    assert max(memory[half:]) < 1.2 * max(memory[:half])
