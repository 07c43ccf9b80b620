"""When a retraining is due: a pure function of bar times and the configured trigger.

Rules: the backtest and the daemon ask the same object; UTC, no jitter, an explicit start, asked at
bar closes only. A bar is due if a fire time lies in (close of the bar before, close of this one].
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bot.blocks import I64, Bool
from bot.config.schema import Retrain
from bot.errors import ConfigError


@dataclass(frozen=True)
class Due:
    """A bar at whose close a training is due, and the bar from which its model decides."""

    index: int
    effective_index: int


class DueBars:
    """Tell at which bars a retraining is due.

    Args:
        changes: (open time, settings) in order: from the close of this bar on, these decide.

    Raises:
        ConfigError: the cron line or the start cannot be read.
    """

    def __init__(
        self, config: Retrain, interval_ms: int, changes: Sequence[tuple[int, Retrain]] = ()
    ) -> None:
        self._first = _Due(config, interval_ms)
        self._changes = [(from_ms, _Due(later, interval_ms)) for from_ms, later in changes]
        self._interval_ms = interval_ms

    def change(self, from_ms: int, config: Retrain) -> None:
        """Let these settings decide from the close of this bar on, after all others."""
        self._changes.append((from_ms, _Due(config, self._interval_ms)))

    def due(self, open_time: I64, previous_open: int | None = None) -> Bool:
        """Return bool[n]: a training is due at the close of the bar.

        Args:
            open_time: int64[n], bars that follow one another.
            previous_open: the bar before the first one, where there is a gap between them.
        """
        starts = [0, *(int(np.searchsorted(open_time, at)) for at, _ in self._changes)]
        parts = [np.zeros(0, dtype=np.bool_)]
        for k, (a, b) in enumerate(itertools.pairwise([*starts, len(open_time)])):
            deciding = self._first if k == 0 else self._changes[k - 1][1]
            before = previous_open if a == 0 else None
            parts.append(deciding.due(open_time[a:b], before))
        return np.concatenate(parts)

    def next_fire_ms(self, after_ms: int) -> int | None:
        """Return the first fire time after this one, by what decides last; None where there is never one."""
        newest = self._changes[-1][1] if self._changes else self._first
        return newest.next_fire_ms(after_ms)


class _Due:
    """When a retraining is due by one trigger."""

    def __init__(self, config: Retrain, interval_ms: int) -> None:
        self._config = config
        self._interval_ms = interval_ms
        self._start_ms = _start_ms(config.start)
        self._trigger = _trigger(config)

    def due(self, open_time: I64, previous_open: int | None) -> Bool:
        """Return bool[n], as `DueBars.due`."""
        due = np.zeros(len(open_time), dtype=np.bool_)
        if len(open_time) == 0 or self._config.trigger == "never":
            return due
        close = open_time + self._interval_ms
        before = int(open_time[0]) if previous_open is None else previous_open + self._interval_ms
        if self._config.trigger == "every_bars":
            step = self._config.every_bars * self._interval_ms
            fired = (np.concatenate([[before], close]) - self._start_ms) // step
            return np.asarray((np.diff(fired) > 0) & (fired[1:] >= 0))
        fire = self.next_fire_ms(before)
        while fire is not None and fire <= close[-1]:
            due[np.searchsorted(close, fire)] = True
            fire = self.next_fire_ms(fire)
        return due

    def next_fire_ms(self, after_ms: int) -> int | None:
        """Return the first fire time after this one; None where there is never one."""
        if self._config.trigger == "every_bars":
            step = self._config.every_bars * self._interval_ms
            return self._start_ms + max((after_ms - self._start_ms) // step + 1, 0) * step
        if self._trigger is None:
            return None
        now = datetime.fromtimestamp((after_ms + 1) / 1000, UTC)
        fire = self._trigger.get_next_fire_time(None, now)
        return None if fire is None else round(fire.timestamp() * 1000)


def _start_ms(text: str) -> int:
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"retrain.start = '{text}': expected a UTC date such as 2020-01-01"
        ) from None
    return round(start.replace(tzinfo=start.tzinfo or UTC).timestamp() * 1000)


def _trigger(config: Retrain) -> Any:
    if config.trigger == "interval":
        start = datetime.fromtimestamp(_start_ms(config.start) / 1000, UTC)
        return IntervalTrigger(hours=config.hours, start_date=start, timezone=UTC)
    if config.trigger != "cron":
        return None
    weekday = config.cron.split()[-1]
    if any(letter.isdigit() for letter in weekday.partition("/")[0]) or weekday[:2] == "*/":
        raise ConfigError(
            f"retrain.cron = '{config.cron}': write the weekday by name (mon … sun); its numbers "
            "mean different days in cron and in APScheduler"
        )
    try:
        trigger = CronTrigger.from_crontab(config.cron, timezone=UTC)
    except ValueError as error:
        raise ConfigError(
            f"retrain.cron = '{config.cron}': {error}; expected minute hour day month weekday, "
            "for example '0 0 1 * *'"
        ) from None
    day = config.cron.split()[2]
    if day[:1] != "*" and weekday[:1] != "*":
        raise ConfigError(
            f"retrain.cron = '{config.cron}': a day and a weekday at once mean either of them in cron "
            "and both together in APScheduler; leave one of them '*'"
        )
    return trigger


def planned_dues(
    due: Iterable[bool] | np.ndarray, start_index: int, latency_bars: int
) -> list[Due]:
    """Return the trainings that matter: the last one in force at the start, and those after it.

    Args:
        due: bool[n], from `DueBars.due`.

    >>> planned_dues([True, True, False, True, False, True], 3, 1)
    [Due(index=1, effective_index=2), Due(index=3, effective_index=4)]
    """
    flags = np.asarray(due, dtype=np.bool_)
    every = [
        Due(int(i), int(i) + latency_bars)
        for i in np.flatnonzero(flags)
        if i + latency_bars < len(flags)
    ]
    before = [d for d in every if d.effective_index <= start_index]
    return before[-1:] + [d for d in every if d.effective_index > start_index]
