"""Law: what is unknowable inside a bar, read well, leaves a position no less than read badly."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bot.portfolio.book import new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.reasons import FILL_REASON
from bot.portfolio.rules import Rules, read_well
from bot.portfolio.trace import Phase, Trace
from tests.oracle.histories import CAPITAL, Wanted, random_bars, rules_of
from tests.oracle.terms import STOPS

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached


def single_position(seed: int, margin: str) -> tuple[Rules, Any, Any]:
    """Return rules, bars and a signal of one position that is opened at once and held till it is closed.

    Without funding, which who is liquidated later pays for longer; on isolated margin linear, since an
    inverse one's lost coins cost what the coin is at when they are bought back, which may be later too.
    """
    rng = np.random.default_rng([seed, 3])

    def one_of(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    orders: dict[str, Any] = {
        "stop_loss": one_of(0.0, 0.0, 0.01, 0.1), "take_profit": one_of(0.0, 0.03, 0.06),
        "trailing_stop": one_of(0.0, 0.0, 0.05),
    }  # fmt: skip
    orders["has_stops"] = any(orders[name] for name in STOPS)
    want = Wanted(
        seed, margin=margin, inverse="none" if margin == "isolated" else one_of("none", "all"), leverage=one_of(20.0, 50.0), leaving=0.0,
        fraction=one_of(0.9, 12.0), orders=tuple(orders.items()), ticks=one_of(0.0, 0.001), n_bars=25,
    )  # fmt: skip
    bars = random_bars(want)
    nothing, unknown = np.zeros_like(bars.close), np.full_like(bars.close, np.nan)
    wide = np.exp(np.abs(rng.normal(0.0, 0.03, bars.close.shape)))  # both sides are met in a bar
    bars = replace(
        bars, high=bars.high * wide, low=bars.low / wide, mark_high=unknown, mark_low=unknown,
        funding_rate=nothing, funding_inside=nothing, settlement_price=unknown,
    )  # fmt: skip
    signal = np.full_like(bars.close, np.nan)
    signal[0] = one_of(0.01, -0.01)
    return rules_of(want, bars), bars, signal


def run(rules: Rules, bars: Any, signal: Any) -> Trace:
    vol = np.full_like(signal, 0.01)
    return run_bars(new_book(1, CAPITAL), rules, bars, signal, vol, Phase.BOTH)[1]


@pytest.mark.parametrize("margin", ["none", "isolated", "cross"])
def test_read_well_a_position_comes_to_no_less(margin: str) -> None:
    ended: Counter[tuple[str, str]] = Counter()
    for seed in range(300):
        rules, bars, signal = single_position(seed, margin)
        badly, well = run(rules, bars, signal), run(read_well(rules), bars, signal)
        for trace in (badly, well):
            assert (trace.fills["reason"] == 0).sum() <= 1, "one entry"
        assert well.equity[-1] >= badly.equity[-1] - 1e-9 * CAPITAL, seed
        last = [
            FILL_REASON[int(t.fills["reason"][-1])] if len(t.fills) else "" for t in (badly, well)
        ]
        ended[last[0], last[1]] += 1
    assert ended["stop_loss", "take_profit"] > 10
    if margin != "none":
        assert ended["liquidation", "take_profit"] > 1
