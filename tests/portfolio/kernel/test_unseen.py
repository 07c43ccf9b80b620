"""A symbol that has had no bar yet has no price: it takes nothing of a limit, and lifts none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.ledger import check_books
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace
from tests.portfolio.conftest import make_bars, make_rules
from tests.portfolio.kernel.limited import limited

CAPITAL = 1000.0
NOTHING = np.nan


def run(rules: Rules, closes: Any, signal: Any, before: Book | None = None) -> tuple[Book, Trace]:
    """Take an account through bars at one price a bar, NaN where a symbol has none."""
    prices = np.array(closes, dtype=float)
    rows = prices.tolist()
    bars = make_bars(rows, rows, valid=np.isfinite(prices), fillable=np.isfinite(prices))
    before = new_book(prices.shape[1], CAPITAL) if before is None else before
    signal = np.array(signal, dtype=float)
    after, trace = run_bars(before, rules, bars, signal, np.full_like(signal, 0.01), Phase.BOTH)
    check_books(before, bars, trace)
    return after, trace


@pytest.mark.parametrize(
    ("limits", "mode", "refusal", "most"),
    [
        ({"max_net": 0.3}, MarginMode.NONE, Refusal.CAP_NET, 300.0),
        ({"max_leverage": 0.3}, MarginMode.NONE, Refusal.LEVERAGE, 300.0),
        ({"max_gross": 0.3}, MarginMode.NONE, Refusal.CAP_GROSS, 300.0),
        ({}, MarginMode.CROSS, Refusal.MARGIN, 50_000.0),
        ({}, MarginMode.ISOLATED, Refusal.MARGIN, 50_000.0),
    ],
)
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_an_increase_is_cut_to_what_the_limit_allows(
    limits: dict[str, Any], mode: MarginMode, refusal: Refusal, most: float, side: float
) -> None:
    """Of 1,000: three tenths, or what they hold at 50 times."""
    of_rules = {name: limits[name] for name in limits if name == "max_gross"}
    of_risk: dict[str, Any] = {name: limits[name] for name in limits if name != "max_gross"}
    rules = limited(make_rules(2, fraction=90.0, **of_rules), mode=mode, **of_risk)
    _, trace = run(rules, [[100.0, NOTHING]] * 2, [[side, NOTHING], [NOTHING] * 2])
    assert trace.order[0].tolist() == pytest.approx([side * most / 100.0, 0.0])
    assert trace.refusal[0].tolist() == [refusal, Refusal.NONE]


def test_cash_is_shared_among_those_that_have_a_price() -> None:
    rules = limited(make_rules(3, fraction=0.8), contract=False)
    assert isinstance(rules.full, FullAccount)
    rules = rules._replace(full=rules.full._replace(borrow=False))
    _, trace = run(rules, [[100.0, NOTHING, 10.0]] * 2, [[1.0, NOTHING, 1.0], [NOTHING] * 3])
    assert trace.order[0].tolist() == pytest.approx([5.0, 0.0, 50.0])
    assert trace.refusal[0].tolist() == [Refusal.MARGIN, Refusal.NONE, Refusal.MARGIN]


@pytest.mark.parametrize(
    ("limits", "refusal", "most"),
    [
        ({"max_net": 0.4}, Refusal.CAP_NET, 0.4),
        ({"max_leverage": 0.4}, Refusal.LEVERAGE, 0.4),
        ({"max_gross": 0.4}, Refusal.CAP_GROSS, 0.4),
    ],
)
def test_what_is_held_is_reduced_to_the_limit(
    limits: dict[str, Any], refusal: Refusal, most: float
) -> None:
    """5 short from 100 are worth 600 of 900 at 120: two thirds, where four tenths may be."""
    of_rules = {name: limits[name] for name in limits if name == "max_gross"}
    of_risk: dict[str, Any] = {name: limits[name] for name in limits if name != "max_gross"}
    rules = limited(make_rules(2, fraction=0.5, **of_rules), cap_tolerance=0.05, **of_risk)
    before = new_book(2, CAPITAL)
    before.account["cash"] = CAPITAL + 500.0
    before.quantity[0], before.mark[0] = -5.0, 100.0
    before.holding["entry"][0] = 100.0
    _, trace = run(rules, [[120.0, NOTHING]], [[NOTHING, NOTHING]], before)
    assert trace.order[0].tolist() == pytest.approx([5.0 - most * 900.0 / 120.0, 0.0])
    assert trace.refusal[0].tolist() == [refusal, Refusal.NONE]
