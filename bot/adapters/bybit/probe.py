"""Whether a host of Bybit answers, how fast, and what time it has: one request, within seconds.

For `bot doctor`, which asks many hosts at once and before anything else works; so it neither waits nor
tries again. Must not decide which host is right.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from urllib.parse import urlsplit

PATH = "/v5/market/time"
TIMEOUT_S = 4.0
_SILENT = "no answer in time"


@dataclass(frozen=True)
class Probe:
    """What a host did.

    Attributes:
        took_ms: from the question to the answer; None where there was none.
        ahead_ms: its time less ours, at the middle of that.
        fault: why it is of no use, empty where it is.
        refused: it answered HTTP 403: not for where we are.
    """

    host: str
    took_ms: float | None = None
    ahead_ms: float | None = None
    fault: str = ""
    refused: bool = False


def probe_all(hosts: list[str], timeout_s: float = TIMEOUT_S) -> list[Probe]:
    """Ask hosts for their time, all at once; a name server that is silent holds nothing up."""
    found = {host: Probe(host, fault=_SILENT) for host in hosts}

    def ask(host: str) -> None:
        found[host] = probe(host, timeout_s)

    threads = [threading.Thread(target=ask, args=(host,), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 1.5 * timeout_s
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0.0))
    return [found[host] for host in hosts]


def probe(host: str, timeout_s: float = TIMEOUT_S) -> Probe:
    """Ask a host for its time.

    Args:
        host: base of its requests, such as https://api.bybit.com.
    """
    asked = time.time()
    try:
        request = urllib.request.Request(host + PATH, headers={"User-Agent": "mtl-paper-bot"})
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            body = answer.read(10_000)
        took_s = time.time() - asked
        its_ms = float(json.loads(body)["time"])
    except urllib.error.HTTPError as error:
        refused = error.code == 403
        why = (
            "HTTP 403: it does not serve where this machine is" if refused else f"HTTP {error.code}"
        )
        return Probe(host, fault=why, refused=refused)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Probe(host, fault=_reason(error))
    return Probe(host, took_s * 1000.0, its_ms - (asked + took_s / 2.0) * 1000.0)


def stream_fault(base: str, timeout_s: float = TIMEOUT_S) -> str:
    """Return why a stream's host cannot be connected to; empty where it can."""
    parts = urlsplit(base)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout_s).close()
    except OSError as error:
        return _reason(error)
    return ""


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, socket.gaierror):
        return "its name is not known: no network, or no DNS"
    if isinstance(cause, ssl.SSLError):
        return f"TLS: {cause.reason or 'refused'}"
    if isinstance(cause, TimeoutError):
        return _SILENT
    if isinstance(cause, OSError):
        return cause.strerror or type(cause).__name__
    return "an answer that makes no sense"
