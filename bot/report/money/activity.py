"""The figures of a whole run: its equity, its trades, its costs, and each symbol's part.

Rules: everything counts from a given bar on, so that the same functions serve a run from its start
and from its first model. Must not format.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.blocks import F64, Bool
from bot.portfolio.reasons import FillReason
from bot.report.inputs import RunData
from bot.report.money.days import COSTS, days_of
from bot.report.money.metrics import (
    Figure,
    Figures,
    bar_returns,
    equity_metrics,
    finite,
    win_figures,
)
from bot.report.money.round_trips import Trips, closed_trips, profits, round_trips
from bot.report.money.trials import Tried
from bot.report.some_symbols import groups_of_symbols
from bot.timegrid import spans


def run_metrics(run: RunData, start: int, tried: Tried | None = None) -> Figures:
    """Return all figures of the run from bar `start` on.

    Win rate and profit factor by bar look at the bars in which something was held or traded;
    `num_trades` counts the bars that carry a position into the next one, `trades` the round trips.
    """
    equity = run.equity[start:]
    capital = run.equity_before(start)
    figures = equity_metrics(
        equity, capital, run.periods_per_year, elapsed_ms(run, start), tried=tried
    )
    curve = np.concatenate(([capital], equity))
    active = active_bars(run, start)
    alive = bool(np.all(curve > 0.0))
    figures |= win_figures(bar_returns(curve)[active] if alive else np.empty(0))
    figures |= trip_figures(closed_trips(run, start))
    return finite(figures | exposure_figures(run, start))


def elapsed_ms(run: RunData, start: int) -> float:
    """Return the time from the open of bar `start` to the close of the last bar."""
    return float(run.open_time[-1] - run.open_time[start] + run.interval_ms)


def active_bars(run: RunData, start: int) -> Bool:
    """Return bool[m], bars that opened or closed with a position."""
    active = np.empty(len(run.quantity) - start, dtype=np.bool_)
    for at in spans(len(active), run.n_symbols):
        before, after = run.quantities_around(start + at.start, start + at.stop)
        active[at] = (np.abs(before) + np.abs(after)).sum(axis=1) > 0.0
    return active


def trip_figures(trips: Trips) -> Figures:
    """Return the figures of round trips.

    Expectancy is the mean profit of a trip in quote currency and as a fraction of the equity before
    it; SQN is Van Tharp's √trips × mean / std of those fractions.
    """
    n = len(trips)
    deviation = float(np.std(trips.fraction, ddof=1)) if n > 1 else 0.0
    return {
        "trades": n,
        **win_figures(trips.profit, "_by_trade"),
        "expectancy": float(trips.profit.mean()) if n else None,
        "expectancy_fraction": float(trips.fraction.mean()) if n else None,
        "sqn": float(np.sqrt(n) * trips.fraction.mean() / deviation) if deviation > 0.0 else None,
        "mean_bars_held": float(np.mean(trips.last - trips.first)) if n else None,
    }


def exposure_figures(run: RunData, start: int) -> Figures:
    """Return how much was held and traded.

    Exposure is the share of bars that close with a position, `mean_gross_exposure` the mean of the
    positions' absolute value over equity. Turnover is the notional traded over the equity of its day;
    there is none of both where the account went bankrupt.
    """
    equity = run.equity[start:]
    held, gross = np.empty(len(equity), dtype=np.bool_), np.empty(len(equity))
    for at in spans(len(gross), run.n_symbols):
        first, stop = start + at.start, start + at.stop
        held[at] = (run.quantity[first:stop] != 0.0).any(axis=1)
        gross[at] = np.abs(run.value(first, stop)).sum(axis=1)
    years = len(equity) / run.periods_per_year
    alive = bool(np.all(equity > 0.0))
    turnover = float(days_of(run, start).notional.sum()) if alive else None
    return {
        "num_trades": int(np.count_nonzero(held[:-1])),
        "fills": int(np.count_nonzero(run.fills["open_time"] >= run.open_time[start])),
        "turnover": turnover,
        "turnover_annual": None if turnover is None else turnover / years,
        "exposure": float(held.mean()),
        "mean_gross_exposure": float(np.mean(gross / equity)) if alive else None,
    }


def cost_waterfall(run: RunData, start: int) -> dict[str, float]:
    """Return gross profit, the costs that ate at it, and net profit, in the quote currency.

    Each cost is positive where the run paid; gross − fees − spread − slippage − funding = net.
    """
    net = float(run.equity[-1] - run.equity_before(start))
    costs = {name: float(getattr(run, name)[start:].sum()) for name in COSTS}
    return {"gross": net + sum(costs.values()), **costs, "net": net}


def cost_returns(run: RunData, start: int) -> dict[str, float]:
    """Return the same way from gross to net as returns: each day's sums over its opening equity.

    The days' returns are summed, so gross − fees − spread − slippage − funding = net here too;
    `net_compounded` multiplies the days' net returns up, which is the total return.
    """
    days = days_of(run, start)
    return {
        "gross": float(days.gross.sum()),
        **{name: float(getattr(days, name).sum()) for name in COSTS},
        "net": float(days.net.sum()),
        "net_compounded": float(np.prod(1.0 + days.net) - 1.0),
    }


def bankrupt_at(run: RunData) -> int | None:
    """Return the first bar from the start on that closed without any equity, None where none did."""
    ruined = np.flatnonzero(run.equity[run.start_index :] <= 0.0)
    return run.start_index + int(ruined[0]) if len(ruined) else None


def symbol_rows(run: RunData, start: int) -> list[dict[str, Any]]:
    """Return each symbol's figures from bar `start` on.

    A bar is missing where the symbol's venue was in session, between the symbol's first and last
    known bar.
    """
    turnover = days_of(run, start).notional.sum(axis=0)
    rows = []
    for places, some in groups_of_symbols(run):
        rows += _rows_of(some, start, turnover[places])
    return rows


def _rows_of(run: RunData, start: int, turnover: F64) -> list[dict[str, Any]]:
    profit = profits(run, start)
    trips = round_trips(run, start, profit)
    valid = run.bars.valid[start:]
    ours = run.fills[run.fills["open_time"] >= run.open_time[start]]
    alive = bool(np.all(run.equity[start:] > 0.0))
    values = run.value(len(run.quantity) - 1)[0]
    rows = []
    for s, symbol in enumerate(run.symbols):
        mine = trips.symbol == s
        value = float(values[s])
        figures: dict[str, Figure] = {
            "bars": int(valid[:, s].sum()),
            "missing": _missing(valid[:, s], run.bars.in_session[start:, s]),
            "fills": int(np.count_nonzero(ours["symbol"] == s)),
            "settled": int(
                np.count_nonzero((ours["symbol"] == s) & (ours["reason"] == FillReason.SETTLEMENT))
            ),
            "trades": int(np.count_nonzero(mine)),
            **win_figures(trips.profit[mine], "_by_trade"),
            "turnover": float(turnover[s]) if alive else None,
            "pnl": float(profit.total[:, s].sum()),
            "fees": float(profit.fees[:, s].sum()),
            "funding": float(profit.funding[:, s].sum()),
            "funding_unknown": int(run.funding_unknown.get(symbol, 0)),
            "position": float(run.quantity[-1, s]),
            "position_value": value,
            "weight": value / float(run.equity[-1]) if run.equity[-1] > 0.0 else None,
        }
        rows.append({"symbol": symbol, "venue": run.venues[s], **finite(figures)})
    return rows


def _missing(valid: Bool, in_session: Bool) -> int:
    known = np.flatnonzero(valid)
    if len(known) == 0:
        return 0
    span = slice(known[0], known[-1] + 1)
    return int(np.count_nonzero(in_session[span] & ~valid[span]))
