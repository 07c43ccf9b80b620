"""Grow a file of a contract's funding rates at both ends, and fill its holes.

Rules: as of `fetch_bybit`. A step between two settlements may change, so what lacks is told by the
steps beside it; none is longer than eight hours. Must not know candles.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bot.adapters.bybit.rest import BybitRest
from bot.adapters.files.data_root import Series
from bot.adapters.files.funding import Funding, read_funding, write_funding
from bot.app.history.holes import PAGE_ROWS, funding_ends, funding_holes, requests_for
from bot.app.history.lifetime import Lifetime
from bot.app.history.progress import ABSENT, ASKED_FROM, Fetched, asked_from, noted_absent
from bot.timegrid import HOUR_MS


def extend_funding(
    path: Path, series: Series, span_ms: tuple[int, int], rest: BybitRest, lifetime: Lifetime
) -> Fetched:
    """Fetch what a file lacks of the rates of first..last of `span_ms`, and keep it."""
    start_ms, end_ms = span_ms
    known = Funding(np.empty(0, np.int64), np.empty(0))
    ranges, asked_ms, noted = [span_ms], start_ms, noted_absent(path)
    if path.is_file():
        known = read_funding(path)
        asked_ms = asked_from(path, int(known.time[0]))
        ranges = [(start_ms, asked_ms - 1), (int(known.time[-1]) + 1, end_ms)]
    funding = known

    def ask(low: int, high: int) -> int:
        """Add the rates of these times; return how many there are."""
        nonlocal funding
        if low > high:
            return 0
        found = rest.funding_history(series.venue, series.symbol, low, high)
        rates = dict(zip(found.time.tolist(), found.rate.tolist(), strict=True))
        rates |= dict(zip(funding.time.tolist(), funding.rate.tolist(), strict=True))
        times = sorted(rates)
        funding = Funding(np.array(times, np.int64), np.array([rates[t] for t in times], float))
        return len(found.time)

    for low, high in ranges:
        ask(low, high)
    oldest_ms = min(start_ms, asked_ms)
    anew = len(known.time) == 0 or start_ms < asked_ms
    again = anew or any(first < known.time[0] for first, _ in noted)
    while len(funding.time) and again:
        first = int(funding.time[0])  # is the symbol no older, or was the answer cut?
        if not ask(max(oldest_ms, first - PAGE_ROWS * HOUR_MS), first - 1):
            break
    for low, high in requests_for(funding_holes(funding.time), HOUR_MS):
        ask(low, high)
    until_ms = lifetime.due_until(end_ms)
    before, after = funding_ends(funding.time, (oldest_ms, until_ms))
    if before and (again or lifetime.launch_known):
        before, after = funding_ends(funding.time, (lifetime.due_from(oldest_ms), until_ms))
    else:
        before = []  # an earlier fetch has asked whether it was listed
    absent = (*before, *funding_holes(funding.time))
    new_rows = len(funding.time) - len(known.time)
    if len(funding.time) and (new_rows or oldest_ms != asked_ms or absent != noted):
        write_funding(path, funding, {ASKED_FROM: str(oldest_ms), ABSENT: json.dumps(absent)})
    return Fetched(
        series.symbol, "funding", path, rows=len(funding.time), new_rows=new_rows,
        absent=(*absent, *after),
    )  # fmt: skip
