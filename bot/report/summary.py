"""A run's results as one JSON-able mapping: what `--json` prints and the tables and the page show.

Rules: values are numbers, strings, booleans, lists, mappings and None; times are ISO 8601 in UTC.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, TypedDict

import numpy as np

from bot.config.schema import Report
from bot.report.coverage import coverage
from bot.report.formats import iso_time
from bot.report.inputs import ModelInfo, RunData
from bot.report.insights import insight_rows
from bot.report.money.activity import (
    bankrupt_at,
    cost_returns,
    cost_waterfall,
    elapsed_ms,
    run_metrics,
    symbol_rows,
)
from bot.report.money.buy_and_hold import buy_and_hold
from bot.report.money.controls import control_figures
from bot.report.money.edge import edge_figures
from bot.report.money.jumps import jumps_held
from bot.report.money.metrics import Figures, equity_metrics
from bot.report.money.trials import Tried
from bot.report.skill.calibration import calibration
from bot.report.skill.slopes import slopes
from bot.report.skill.tenths import tenths
from bot.report.skill.verdicts import skill

TARGETS = (
    ("sharpe_ratio", "Sharpe ratio", ">", 1.0),
    ("sortino_ratio", "Sortino ratio", ">", 1.5),
    ("max_drawdown", "Maximum drawdown", "<", 0.20),
    ("win_rate", "Win rate", ">", 0.50),
    ("profit_factor", "Profit factor", ">", 1.5),
)
"""What a report is read against: figure, label, side and bound. Read, never enforced."""


class Summary(TypedDict):
    """The results of a run.

    `coverage` says how much of the span had bars, forecasts and a model (`coverage.py`);
    `metrics`, `since_first_model` (None without one) and `buy_and_hold` are figures by name;
    `calibration` is by task too: whether what was said came true as often (`skill/calibration.py`);
    `decided` is a row a symbol: the numbers that decided at the last bar, and why in a phrase;
    `edge` says what a side traded earned and cost (`money/edge.py`), how large forecasts
    are beside what came (`slopes`, `tenths`), and has the `controls` (`money/controls.py`);
    `costs` goes from gross to net in the account's currency, `cost_returns` as returns on the equity
    of the day, summed; `bankruptcy` says in a sentence when the account went bankrupt, "" where it
    did not, and `jumps_held` in one each on which jumps of price a position was held; `skill` is by
    task; `symbols` and `models` are rows of tables, and so are `importance`, `cosines` and `gates` in `insights`; `trials` is what was tried on the
    same data (None where the run is no trial).
    """

    name: str
    coverage: dict[str, Any]
    facts: dict[str, Any]
    metrics: Figures
    since_first_model: Figures | None
    bankruptcy: str
    jumps_held: list[str]
    decided: list[dict[str, Any]]
    edge: dict[str, Any]
    costs: dict[str, float]
    cost_returns: dict[str, float]
    buy_and_hold: Figures
    skill: dict[str, dict[str, Any]]
    calibration: dict[str, dict[str, Any]]
    symbols: list[dict[str, Any]]
    models: list[dict[str, Any]]
    insights: dict[str, list[dict[str, Any]]]
    targets: list[dict[str, Any]]
    trials: dict[str, Any] | None


def build(run: RunData, config: Report, tried: Tried | None = None) -> Summary:
    """Return the results of the run, judged from its start on.

    Args:
        tried: the trials on the same data, with this run; None where it is no trial.
    """
    start = run.start_index
    metrics = run_metrics(run, start, tried)
    first = run.first_model_index()
    loud = slopes(run, config.bootstrap_samples)
    held = equity_metrics(
        buy_and_hold(run, start),
        run.equity_before(start),
        run.periods_per_year,
        elapsed_ms(run, start),
    )
    return {
        "name": run.name,
        "coverage": coverage(run),
        "facts": run_facts(run),
        "metrics": metrics,
        "since_first_model": None if first is None else run_metrics(run, first, tried),
        "bankruptcy": _bankruptcy(run),
        "jumps_held": jumps_held(run),
        "decided": [{"symbol": s, **asdict(found)} for s, found in run.decided.items()],
        "edge": {
            **edge_figures(run, start, metrics, config.bootstrap_samples),
            "slopes": loud,
            "tenths": tenths(run, config.bootstrap_samples),
            "controls": control_figures(run, start, held),
        },
        "costs": cost_waterfall(run, start),
        "cost_returns": cost_returns(run, start),
        "buy_and_hold": held,
        "skill": skill(run, config),
        "calibration": calibration(run, config.bootstrap_samples, loud),
        "symbols": symbol_rows(run, start),
        "models": [_model_row(model) for model in run.models],
        "insights": insight_rows(run),
        "targets": targets(metrics),
        "trials": _trials(run, metrics, tried),
    }


def _trials(run: RunData, metrics: Figures, tried: Tried | None) -> dict[str, Any] | None:
    if tried is None:
        return None
    n = int(metrics["bars"] or 0)
    return tried.as_json(n, run.periods_per_year, metrics["deflated_sharpe"])


def _bankruptcy(run: RunData) -> str:
    at = bankrupt_at(run)
    if at is None:
        return ""
    closed = iso_time(int(run.open_time[at]) + run.interval_ms)
    return (
        f"The account went bankrupt at {closed}: its equity was {run.equity[at]:,.2f} at that close. "
        "No position was opened afterwards. Ratios that need a positive equity are not given, and "
        "the drawdown counts as 100 %."
    )


def run_facts(run: RunData) -> dict[str, Any]:
    """Return what was run: span, market, counts, and the facts handed in."""
    reasons = run.fills["reason"]
    first = run.first_model_index()
    return {
        "symbols": list(run.symbols),
        "venues": sorted(set(run.venues)),
        "interval": run.interval,
        "from": iso_time(int(run.open_time[run.start_index])),
        "to": iso_time(int(run.open_time[-1])),
        "bars": len(run.equity) - run.start_index,
        "bars_before_start": run.start_index,
        "first_model_at": None if first is None else iso_time(int(run.open_time[first])),
        "models": len(run.models),
        "periods_per_year": run.periods_per_year,
        "initial_capital": run.initial_capital,
        "final_equity": float(run.equity[-1]),
        "fill": run.fill,
        "fills_by_reason": {
            name: int(np.count_nonzero(reasons == code))
            for code, name in run.fill_reasons.items()
            if np.any(reasons == code)
        },
        "refusals": {k: int(v) for k, v in run.refusals.items()},
        "funding_unknown": {k: int(v) for k, v in run.funding_unknown.items() if v},
        **{k: _plain(v) for k, v in run.facts.items()},
    }


def targets(metrics: Figures) -> list[dict[str, Any]]:
    """Return each target with its value and whether it is met; None where there is no value.

    >>> targets({"sharpe_ratio": 1.2})[0]["met"], targets({})[0]["met"]
    (True, None)
    """
    rows = []
    for name, label, side, bound in TARGETS:
        value = metrics.get(name)
        met = None if value is None else (value > bound if side == ">" else value < bound)
        rows.append(
            {"name": name, "label": label, "side": side, "bound": bound, "value": value, "met": met}
        )
    return rows


def _model_row(model: ModelInfo) -> dict[str, Any]:
    return {
        "model_id": model.model_id,
        "due": iso_time(model.due_ms),
        "effective_from": iso_time(model.effective_from_ms),
        "rows": model.rows,
        "train_from": iso_time(model.train_from_ms),
        "train_to": iso_time(model.train_to_ms),
        "metrics": {k: _plain(v) for k, v in model.metrics.items()},
    }


def _plain(value: Any) -> Any:
    """Return the value as JSON knows it, None for a number that is not finite."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
