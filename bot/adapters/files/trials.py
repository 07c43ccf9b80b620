"""The register of trials, a file beside the runs: every backtest, comparison and sweep, a line each.

Rules: a line is only ever added, whole, under a lock that ends with its process however that dies. A
line that is no entry (half of one, of a killed process) stays where it is, is not counted, and is
named to whoever reads. The newest line of a key counts; the same key with the same outcome is not
added again. Must not know what a run is, nor what is made of the count.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from bot.timegrid import INTERVAL_MS
from bot.timestamps import format_utc

NAME = "trials.jsonl"
"""The file in a folder of runs."""

LAYOUT = 1
"""Of a line; one of another layout is named and not counted."""

TrialKind = Literal["backtest", "compare", "confirm", "discover", "search", "sweep"]

_TRIES, _PAUSE_S = 500, 0.02

_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK  # a pipe in the file's place must not be waited for


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one setting came to.

    Attributes:
        name: among the settings of its trial; empty where it is the only one.
        net_return: total return after costs; None where there is none.
        sharpe: mean over standard deviation of its returns a bar, not annualised; None without any.
        returns: number of returns.
        skew, kurtosis: of the returns; a normal has 0 and 3.
        settings: what differs from the settings of its trial, by section.key.
    """

    name: str
    net_return: float | None
    sharpe: float | None
    returns: int
    skew: float = 0.0
    kurtosis: float = 3.0
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """One or more settings that were tried on the same bars, and what they came to.

    Attributes:
        where: the run's or the study's folder, from the register's own.
        digest: of all that decides the outcome, but for symbols and span.
        settings: what differs from the defaults, by section.key.
        source: where the bars are from: "files", or one made market by its own name.
        symbols: with their venues, "bybit_linear:BTCUSDT".
        start_ms, end_ms: from the open of the first bar traded to the close of the last, ms UTC.
        periods_per_year: bars a year, that Sharpe ratios are annualised by.
        outcomes: one a setting tried.
        time_ms: when it was entered.
    """

    kind: TrialKind
    where: str
    digest: str
    settings: Mapping[str, Any]
    source: str
    symbols: tuple[str, ...]
    interval: str
    start_ms: int
    end_ms: int
    periods_per_year: float
    outcomes: tuple[Outcome, ...]
    time_ms: int

    @property
    def key(self) -> str:
        """Return what makes two entries one trial: the same settings on the same bars."""
        parts = [self.kind, self.digest, self.source, sorted(self.symbols), self.interval]
        text = json.dumps([*parts, self.start_ms, self.end_ms])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def same_data(self, other: Trial) -> bool:
        """Return whether both saw a symbol of one source at the same time, at any interval."""
        return (
            self.source == other.source
            and not set(self.symbols).isdisjoint(other.symbols)
            and self.start_ms < other.end_ms
            and other.start_ms < self.end_ms
        )

    def as_json(self) -> dict[str, Any]:
        """Return the entry as JSON values, times in words beside the numbers that count."""
        return {
            "layout": LAYOUT, "id": self.key, "time": format_utc(self.time_ms), "kind": self.kind,
            "where": self.where, "symbols": list(self.symbols), "interval": self.interval,
            "from": format_utc(self.start_ms), "to": format_utc(self.end_ms),
            "tried": len(self.outcomes), "settings": dict(self.settings), "source": self.source,
            "digest": self.digest, "periods_per_year": self.periods_per_year,
            "start_ms": self.start_ms, "end_ms": self.end_ms, "time_ms": self.time_ms,
            "outcomes": [self._outcome_json(outcome) for outcome in self.outcomes],
        }  # fmt: skip

    def annual_sharpe(self, outcome: Outcome) -> float | None:
        """Return an outcome's Sharpe ratio of a year."""
        return None if outcome.sharpe is None else outcome.sharpe * math.sqrt(self.periods_per_year)

    def _outcome_json(self, o: Outcome) -> dict[str, Any]:
        return {
            "name": o.name, "net_return": o.net_return, "sharpe_per_bar": o.sharpe,
            "sharpe_annual": self.annual_sharpe(o), "returns": o.returns, "skew": o.skew,
            "kurtosis": o.kurtosis, "settings": dict(o.settings),
        }  # fmt: skip


def enter(path: Path, trial: Trial, pause: Callable[[float], None] = time.sleep) -> bool:
    """Add a trial, unless the same one with the same outcome is there; return whether it was added.

    Args:
        pause: waits while another process writes, in seconds.

    Raises:
        OSError: the file cannot be written or locked; it is as it was.
    """
    line = json.dumps(trial.as_json(), allow_nan=False).encode()
    outcomes = _trial(json.loads(line)).outcomes  # as they will be read
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _FLAGS, 0o644)
    with _locked(descriptor, fcntl.LOCK_EX, pause):
        content = _content(descriptor)
        here, _ = _parsed(content, path)
        if any((t.key, t.outcomes) == (trial.key, outcomes) for t in here):
            return False
        ended = not content or content.endswith(b"\n")
        try:
            _write(descriptor, (b"" if ended else b"\n") + line + b"\n")
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, len(content))
            raise
    return True


def read(
    path: Path, pause: Callable[[float], None] = time.sleep
) -> tuple[list[Trial], tuple[str, ...]]:
    """Return the trials, the newest last, and a sentence for each line that is none.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return [], ()
    with _locked(descriptor, fcntl.LOCK_SH, pause):
        lines, faults = _parsed(_content(descriptor), path)
    newest: dict[str, Trial] = {}
    for trial in lines:
        newest.pop(trial.key, None)
        newest[trial.key] = trial
    return list(newest.values()), faults


@contextmanager
def _locked(descriptor: int, kind: int, pause: Callable[[float], None]) -> Iterator[None]:
    """Hold the file's lock, and close the file at the end."""
    try:
        for left in range(_TRIES, -1, -1):
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not left:
                    raise TimeoutError(0, "another process holds its lock") from None
                pause(_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def _content(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        return file.read() or b""


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _parsed(content: bytes, path: Path) -> tuple[list[Trial], tuple[str, ...]]:
    """Return the entries in order, and what the other lines are."""
    found, faults = [], []
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(_trial(json.loads(line)))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            faults.append(
                f"{path}, line {number}: no entry of a trial ({what}); it is not counted: if it is half a "
                "line, run that backtest again, and it is entered anew"
            )
    return found, tuple(faults)


def _trial(given: Any) -> Trial:
    """Return the entry of a line.

    Raises:
        ValueError, TypeError, KeyError: it is none.
    """
    if not isinstance(given, dict):
        raise TypeError("expected an object")
    if given["layout"] != LAYOUT:
        raise ValueError(f"layout {given['layout']}, this bot reads {LAYOUT}")
    kind, interval, symbols = given["kind"], _text(given, "interval"), given["symbols"]
    if kind not in get_args(TrialKind):
        raise ValueError(f"kind = {kind!r}")
    if interval not in INTERVAL_MS:
        raise ValueError(f"interval = {interval!r}")
    if not isinstance(symbols, list) or not all(isinstance(name, str) for name in symbols):
        raise TypeError("symbols is no list of names")
    outcomes = tuple(_outcome(each) for each in given["outcomes"])
    if not outcomes:
        raise ValueError("it has no outcome")
    start, end = _whole(given, "start_ms"), _whole(given, "end_ms")
    if start >= end:
        raise ValueError("it ends before it starts")
    return Trial(
        kind=cast(TrialKind, kind), where=_text(given, "where"), digest=_text(given, "digest"),
        settings=_table(given), source=_text(given, "source"), symbols=tuple(symbols),
        interval=interval, start_ms=start, end_ms=end,
        periods_per_year=_number(given, "periods_per_year"), outcomes=outcomes,
        time_ms=_whole(given, "time_ms"),
    )  # fmt: skip


def _outcome(given: Any) -> Outcome:
    if not isinstance(given, dict):
        raise TypeError("an outcome is no object")
    known = given["sharpe_per_bar"] is not None
    return Outcome(
        _text(given, "name"),
        None if given["net_return"] is None else _number(given, "net_return"),
        _number(given, "sharpe_per_bar") if known else None,
        _whole(given, "returns"),
        skew=_number(given, "skew"),
        kurtosis=_number(given, "kurtosis"),
        settings=_table(given),
    )


def _number(given: Mapping[str, Any], key: str) -> float:
    value = given[key]
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError(f"{key} = {value!r} is no number")
    return float(value)


def _whole(given: Mapping[str, Any], key: str) -> int:
    value = given[key]
    if type(value) is not int or not 0 <= value < 2**53:
        raise TypeError(f"{key} = {value!r} is no whole number")
    return value


def _text(given: Mapping[str, Any], key: str) -> str:
    value = given[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} = {value!r} is no text")
    return value


def _table(given: Mapping[str, Any]) -> dict[str, Any]:
    value = given["settings"]
    if not isinstance(value, dict):
        raise TypeError("settings is no table")
    return value
