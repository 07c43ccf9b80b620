"""The paper account of a contender: averaged forecasts, traded by its own settings through the engine.

Rules: bars before the first fold warm the account up, and have no forecast; so a calibrated policy
calibrates itself as it goes, from the first fold on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.app.loop.forecasters import TABLE_ID, TableForecaster
from bot.app.study.contenders import Contender
from bot.app.study.data import Study
from bot.app.symbols import bars_a_year, known_instruments
from bot.blocks import F64
from bot.config.needed_heads import needed_heads, read_beyond_forecasts
from bot.engine import Engine
from bot.engine_state import Activation
from bot.errors import ConfigError
from bot.portfolio.rules import Rules, rules_from
from bot.report.inputs import Judged
from bot.report.money.days import notional_by_bar
from bot.report.money.metrics import lived_returns, lived_shares, max_drawdown


@dataclass(frozen=True)
class Traded:
    """What the paper account did: returns a bar after and before costs, figures, and whose forecasts.

    Attributes:
        seeds: whose forecasts are averaged.
        turnover: value traded a year, in times of equity.
    """

    returns: F64
    gross: F64
    facts: dict[str, Any]
    seeds: tuple[int, ...]
    turnover: float


def rules_of(study: Study, contender: Contender) -> Rules:
    """Return what a contender's account obeys.

    Raises:
        ConfigError: its policy or cost scheme does not compile, or its costs are for one symbol.
    """
    config, symbols = contender.config, study.market.symbols
    return rules_from(config, symbols, known_instruments(config, symbols))


def check_accounts(study: Study) -> None:
    """Refuse contenders that could not trade what is judged, before anything is trained.

    Raises:
        ConfigError: one reads a head that not all have, or the members' disagreement, or its rules
            cannot be made.
    """
    judged = {(task.kind, task.horizon) for task in study.tasks}
    for contender in study.contenders:
        for key in read_beyond_forecasts(contender.config):
            raise ConfigError(
                f"{key} of {contender.name}: a comparison trades the mean over the seeds, and knows no "
                "more of the models; set it to 0"
            )
        missing = [kind for kind in needed_heads(contender.config) if kind not in judged]
        if missing:
            raise ConfigError(
                f"compare: {contender.name} trades on the {missing[0][0]} head, and not every contender "
                "has it; add it to targets.kinds of all"
            )
        rules_of(study, contender)


def trade(study: Study, contender: Contender, judged: Judged, seeds: Sequence[int]) -> Traded:
    """Trade the forecasts, averaged over some seeds, by a contender's settings, on paper."""
    assert judged.forecast is not None
    return trade_forecasts(study, contender, judged.forecast.value, seeds)


def trade_forecasts(study: Study, contender: Contender, value: F64, seeds: Sequence[int]) -> Traded:
    """Trade forecasts float64[n, S, K] of all bars, from the study's start on, on paper."""
    config, bars, capital = (
        contender.config,
        study.market.bars,
        contender.config.portfolio.initial_capital,
    )
    table = TableForecaster(bars.open_time, value)
    rules = rules_of(study, contender)
    engine = Engine(
        None,
        rules,
        config.signal,
        tasks=study.tasks,
        n_symbols=len(study.market.symbols),
        initial_capital=capital,
        forecasters={TABLE_ID: table},
    )
    state = engine.warm(engine.initial(), bars.rows(0, study.start))
    state = engine.activate(state, Activation(int(bars.open_time[study.start]), TABLE_ID))
    booked = bars.rows(study.start, study.folds[-1].stop)
    _, results = engine.step(state, booked)
    equity = np.concatenate([r.trace.equity for r in results])
    costs = np.concatenate([r.trace.fees + r.trace.spread + r.trace.slippage for r in results])
    curve = np.concatenate(([capital], equity))
    returns, gross = returns_of(curve, costs)
    fills = np.concatenate([r.trace.fills for r in results])
    notional = notional_by_bar(fills, booked.open_time, booked.n_symbols, rules.inverse)
    traded = lived_shares(notional.sum(axis=1), curve[:-1])
    return Traded(
        returns,
        gross,
        {
            "net return": float(equity[-1] / capital - 1.0),
            "max drawdown": max_drawdown(curve),
            "fills": len(fills),
        },
        tuple(seeds),
        turnover=float(traded.mean()) * bars_a_year(config, study.market.symbols),
    )


def returns_of(curve: F64, costs: F64) -> tuple[F64, F64]:
    """Return the returns a bar after and before costs; -1 at a bankruptcy, and 0 from then on.

    Args:
        curve: float64[n + 1], equity at the closes, the first of them the start.
        costs: float64[n], paid in each bar.
    """
    returns = lived_returns(curve[:-1], curve[1:])
    return returns, returns + lived_shares(costs, curve[:-1])
