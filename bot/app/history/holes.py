"""Holes in what was fetched: where they are, and which requests would fill them.

An answer may be cut short, at either end or within, and nothing in it says so. Rules: every hole
between two rows is asked for again; what is then still missing is the exchange's own.
Pure: must not ask.
"""

from __future__ import annotations

import numpy as np

from bot.app.history.progress import TimeSpan
from bot.blocks import I64
from bot.timegrid import HOUR_MS

PAGE_ROWS = 999
"""Rows that one request brings."""

_LONGEST_STEP_MS = 8 * HOUR_MS
"""Bybit charges no funding more rarely."""


def holes(times: I64, step_ms: int) -> list[TimeSpan]:
    """Return the first and last missing time of each hole between rows that should be a step apart.

    >>> holes(np.array([0, 10, 40, 50, 70]), 10)
    [(20, 30), (60, 60)]
    """
    before = np.flatnonzero(np.diff(times) > step_ms)
    return [(int(times[i]) + step_ms, int(times[i + 1]) - step_ms) for i in before]


def funding_holes(times: I64) -> list[TimeSpan]:
    """Return where settlements may be missing: gaps longer than any step, or than both neighbours.

    A symbol's step may change for good, which is no hole.

    >>> hours = np.array([0, 8, 16, 32, 40, 44, 48, 56, 60, 64]) * HOUR_MS
    >>> [(first // HOUR_MS, last // HOUR_MS) for first, last in funding_holes(hours)]
    [(16, 31), (48, 55)]
    """
    gaps = np.diff(times)
    outer = np.concatenate([gaps[1:2], gaps, gaps[-2:-1]]) if len(gaps) > 1 else gaps
    found = []
    for i, gap in enumerate(gaps.tolist()):
        wider = len(gaps) > 2 and gap > outer[i] and gap > outer[i + 2]
        if gap > _LONGEST_STEP_MS or wider:
            found.append((int(times[i]) + 1, int(times[i + 1]) - 1))
    return found


def funding_ends(times: I64, due_ms: TimeSpan) -> tuple[list[TimeSpan], list[TimeSpan]]:
    """Return where settlements lack before the first rate and after the last, at most one span each.

    Args:
        due_ms: from when to when there should be some.

    >>> hours = np.array([24, 32, 40]) * HOUR_MS
    >>> funding_ends(hours, (17 * HOUR_MS, 47 * HOUR_MS))
    ([], [])
    >>> before, after = funding_ends(hours, (16 * HOUR_MS, 48 * HOUR_MS))
    >>> before == [(16 * HOUR_MS, 24 * HOUR_MS - 1)], after == [(40 * HOUR_MS + 1, 48 * HOUR_MS)]
    (True, True)
    """
    start_ms, end_ms = due_ms
    if len(times) == 0:
        return ([due_ms] if end_ms - start_ms >= _LONGEST_STEP_MS else []), []
    gaps = np.minimum(np.diff(times), _LONGEST_STEP_MS)
    first, last = int(times[0]), int(times[-1])
    step_at_first = int(max(gaps[:2], default=_LONGEST_STEP_MS))
    step_at_last = int(max(gaps[-2:], default=_LONGEST_STEP_MS))
    before = [(start_ms, first - 1)] if first - start_ms >= step_at_first else []
    after = [(max(last + 1, start_ms), end_ms)] if end_ms - last >= step_at_last else []
    return before, [span for span in after if span[1] - span[0] >= 0]


def requests_for(spans: list[TimeSpan], step_ms: int) -> list[TimeSpan]:
    """Return the spans to ask for, those joined that one request can fill.

    >>> requests_for([(0, 10), (500, 500), (20_000, 20_000)], 10)
    [(0, 500), (20000, 20000)]
    """
    asked: list[TimeSpan] = []
    for first, last in spans:
        if asked and last - asked[-1][0] < PAGE_ROWS * step_ms:
            asked[-1] = (asked[-1][0], last)
        else:
            asked.append((first, last))
    return asked
