"""What a summary and a tear sheet hold of all bars and symbols at once, beside the run's own arrays.

The measure is Python's own: tracemalloc counts what NumPy allocates in memory, and not the run's room.
"""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot import timegrid
from bot.adapters.system.disk_room import DiskRoom
from bot.blocks import FILL
from bot.config.schema import Report
from bot.report.inputs import RunData
from bot.report.money.activity import run_metrics, symbol_rows
from bot.report.money.buy_and_hold import buy_and_hold
from bot.report.money.controls import control_figures
from bot.report.money.jumps import jumps_held
from bot.report.page.chart_data import charts
from bot.report.summary import build
from bot.report.tear.sheet import tear_sheet
from tests.report.conftest import make_run

BARS, FEW, MANY = 1_500, 4, 24
CONFIG = Report(bootstrap_samples=100)


@pytest.mark.no_cover
@pytest.mark.parametrize(("what", "bytes_each", "share"), [("money", 12, 0.1), ("all", 12, 0.1)])
def test_the_peak_of_a_report_grows_little_with_the_number_of_symbols(
    what: str, bytes_each: int, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [_untraded(symbols, tmp_path) for symbols in (FEW, MANY)]
    _peak(runs[0], what)  # compiles, and keeps what is kept once
    more = BARS * (MANY - FEW)
    whole = (_peak(runs[1], what) - _peak(runs[0], what)) / more
    monkeypatch.setattr(timegrid, "SPAN_SYMBOL_BARS", BARS)
    many, few = (min(_peak(run, what) for _ in range(2)) for run in (runs[1], runs[0]))
    cut = (many - few) / more
    assert cut < share * whole
    assert cut < bytes_each


def _untraded(symbols: int, folder: Path) -> RunData:
    """Return a run without a fill: those are as many as were made, however many bars there are."""
    run = make_run(BARS, symbols, start=300)
    nothing = np.zeros(BARS)
    books: dict[str, Any] = dict.fromkeys(("fees", "spread", "slippage", "funding"), nothing)
    capital = np.full(BARS, run.initial_capital)
    return replace(
        run, fills=np.empty(0, FILL), quantity=np.zeros_like(run.quantity), equity=capital, cash=capital,
        room=DiskRoom(folder, least_bytes=BARS * FEW), **books,
    )  # fmt: skip


def _peak(run: RunData, what: str) -> int:
    """Return the bytes that were allocated at once while money, or all, was told of a run."""
    fresh = replace(run)  # knows no prices yet
    start = fresh.start_index
    tracemalloc.start()
    try:
        metrics = run_metrics(fresh, start)
        symbol_rows(fresh, start)
        jumps_held(fresh)
        control_figures(fresh, start, metrics)
        buy_and_hold(fresh, start)
        charts(fresh, tear_sheet(fresh, CONFIG.bootstrap_samples))
        if what == "all":
            build(fresh, CONFIG)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
