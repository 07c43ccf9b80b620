"""The paper account of a comparison: averaged forecasts, traded through the engine itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.app.loop.forecasters import TABLE_ID, TableForecaster
from bot.app.study.data import Study
from bot.app.symbols import known_instruments
from bot.blocks import F64
from bot.engine import Engine
from bot.engine_state import Activation
from bot.portfolio.rules import rules_from
from bot.report.inputs import Judged
from bot.report.money.metrics import max_drawdown


@dataclass(frozen=True)
class Traded:
    """What the paper account did: returns a bar after and before costs, figures, and whose forecasts.

    Attributes:
        seeds: whose forecasts are averaged.
    """

    returns: F64
    gross: F64
    facts: dict[str, Any]
    seeds: tuple[int, ...]


def trade(study: Study, judged: Judged, seeds: Sequence[int]) -> Traded:
    """Trade the forecasts, averaged over some seeds, on paper, through the engine."""
    config, symbols, bars = study.config, study.market.symbols, study.market.bars
    assert judged.forecast is not None
    table = TableForecaster(bars.open_time, judged.forecast.value)
    engine = Engine(
        None,
        rules_from(config, symbols, known_instruments(config, symbols)),
        config.signal,
        tasks=study.tasks,
        n_symbols=len(symbols),
        initial_capital=config.portfolio.initial_capital,
        forecasters={TABLE_ID: table},
    )
    state = engine.initial()
    state = engine.activate(state, Activation(int(bars.open_time[study.start]), TABLE_ID))
    _, results = engine.step(state, bars.rows(study.start, study.folds[-1].stop))
    equity = np.concatenate([r.trace.equity for r in results])
    costs = np.concatenate([r.trace.fees + r.trace.spread + r.trace.slippage for r in results])
    before = np.concatenate(([config.portfolio.initial_capital], equity[:-1]))
    returns = equity / before - 1.0
    return Traded(
        returns,
        returns + costs / before,
        {
            "net return": float(equity[-1] / config.portfolio.initial_capital - 1.0),
            "max drawdown": max_drawdown(
                np.concatenate(([config.portfolio.initial_capital], equity))
            ),
            "fills": int(sum(len(r.trace.fills) for r in results)),
        },
        tuple(seeds),
    )
