"""Law: what a close orders under the limits of risk is what they allow, by a plain account of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.reasons import FILL_REASON, REFUSAL, DrawdownStage, FillReason, Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase
from tests.oracle.limits import Close, Limits, Symbol
from tests.portfolio.conftest import make_bars, make_rules
from tests.portfolio.kernel.limited import limited

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

CLOSES = 1000
STAGES = {stage.name.lower(): int(stage) for stage in DrawdownStage}
DOUBTS = [*[""] * 12, "divided", "out_of_range"]
OF_RISK = (
    "max_net", "max_leverage", "cap_tolerance", "halve_drawdown", "flatten_drawdown", "cool_down_bars",
    "max_losses", "max_stale_bars", "flatten_leaving",
)  # fmt: skip


def random_limits(rng: np.random.Generator) -> Limits:
    """Return limits of which some are on; what forbids everything seldom is."""

    def one_of(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    staged = rng.random() < 0.3
    return Limits(
        fraction=one_of(0.3, 0.9, 2.0, 8.0), max_symbol_weight=one_of(0.0, 0.0, 0.5, 0.7),
        max_gross=one_of(0.0, 0.0, 1.0, 2.5), max_net=one_of(0.0, 0.0, 0.4, 1.1),
        max_leverage=one_of(0.0, 0.0, 0.8, 2.0), cap_tolerance=one_of(0.0, 0.05, 0.5),
        halve_drawdown=0.1 * staged, flatten_drawdown=one_of(0.0, 0.3) * staged,
        cool_down_bars=one_of(0, 3) * staged, max_losses=one_of(0, 2) * staged,
        max_stale_bars=one_of(0, 2), flatten_leaving=one_of(True, False),
        margin=one_of("none", "cross", "isolated"), borrow=one_of(True, True, False),
        leverage=one_of(2.0, 8.0), fee=one_of(0.0, 0.01),
    )  # fmt: skip


def random_close(rng: np.random.Generator, equity: float) -> Close:
    """Return an account with positions, orders that wait, and a past that may forbid to open."""
    limits = random_limits(rng)

    def one_of(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    symbols = []
    for _ in range(int(rng.integers(1, 5))):
        price = float(10.0 ** rng.uniform(-2, 4))
        contract = rng.random() < 0.7
        inverse = bool(contract and rng.random() < 0.3)
        unit = 1.0 if inverse else 1.0 / price
        held = unit * equity * one_of(0.0, 1.0, -1.0, 1.0) * rng.uniform(0.05, 0.9)
        ordered = unit * equity * one_of(0.0, 1.0, -1.0) * rng.uniform(0.05, 0.9)
        entry = price * rng.uniform(0.9, 1.1)
        symbols.append(
            Symbol(
                price=price, quantity=held, entry=entry, contract=contract, inverse=inverse,
                coin=(held + equity * rng.normal(0.0, 0.05)) / entry if inverse else 0.0,
                order=one_of(0.0, -held, ordered), reason="signal", valid=rng.random() < 0.9,
                in_session=rng.random() < 0.7, leaving=rng.random() < 0.05,
                side=one_of(None, -1.0, -1.0, 0.0, 1.0, 1.0), doubt=one_of(*DOUBTS),
                most=abs(held) * one_of(0.0, 0.5, 1.1), cooling=one_of(*[0] * 12, 1, 2),
                stale=one_of(0, 0, 0, 0, 1, 2, 3),
            )
        )  # fmt: skip
    close = Close(
        limits, 0.0, symbols, stage=one_of("none", "none", "none", "halved", "flattened") if limits.halve_drawdown else "none",
        peak=equity * one_of(0.9, 1.05, 1.2, 1.5), cooling=one_of(*[0] * 12, 1, 2),
        losses=one_of(0, 1, 2, 3),
    )  # fmt: skip
    close.cash = equity - close.equity
    return close


def rules_of(close: Close) -> Rules:
    """Return the kernel's rules; nothing is liquidated but where nothing is left."""
    limits = close.limits
    n = len(close.symbols)
    rules = limited(
        make_rules(
            n, fraction=limits.fraction, max_symbol_weight=limits.max_symbol_weight,
            max_gross=limits.max_gross, taker_fee=limits.fee,
        ),
        contract=[each.contract for each in close.symbols], mode=MarginMode[limits.margin.upper()],
        **{name: getattr(limits, name) for name in OF_RISK},
    )  # fmt: skip
    assert isinstance(rules.full, FullAccount)
    inverse = np.array([each.inverse for each in close.symbols])
    full = rules.full._replace(
        leverage=np.full(n, limits.leverage), tier_rate=np.full((n, 1), 1e-9), borrow=limits.borrow,
        inverse=inverse, has_inverse=bool(inverse.any()),
    )  # fmt: skip
    return rules._replace(full=full)


def book_of(close: Close) -> Book:
    book = new_book(len(close.symbols), close.equity)
    account = book.account
    account["cash"], account["stage"], account["stage_peak"] = (
        close.cash, STAGES[close.stage], close.peak,
    )  # fmt: skip
    account["cooling"], account["losses"] = close.cooling, close.losses
    for s, each in enumerate(close.symbols):
        book.quantity[s], book.mark[s], book.pending[s] = each.quantity, each.price, each.order
        book.pending_reason[s] = FillReason.SIGNAL if each.order else 0
        holding = book.holding[s]
        for name in ("entry", "coin", "most", "cooling", "stale"):
            holding[name] = getattr(each, name)
        holding["entry"] = holding["best"] = each.entry if each.quantity else 0.0
    return book


def agree(seed: int, equity: float) -> Close:
    """Take both through one flat bar in which nothing can be filled, so that orders wait."""
    close = random_close(np.random.default_rng(seed), equity)
    n = len(close.symbols)
    rules, book, symbols = rules_of(close), book_of(close), close.symbols

    def row(name: str) -> Any:
        return [[getattr(each, name) for each in symbols]]

    # where nobody leaves, the column is one number for all, which spares looks at each symbol
    leaving = {"leaving": row("leaving")} if any(each.leaving for each in symbols) else {}
    bars = make_bars(
        row("price"), row("price"), valid=row("valid"), in_session=row("in_session"),
        fillable=[[False] * n], **leaving,
    )  # fmt: skip
    wanted = np.array([[math.nan if each.side is None else each.side for each in symbols]])
    doubts = [[Refusal[each.doubt.upper()] if each.doubt else 0 for each in symbols]]
    after, trace = run_bars(
        book, rules, bars, wanted, np.full_like(wanted, 0.01), Phase.BOTH,
        refused_by_model=np.array(doubts, dtype=np.int8),
    )  # fmt: skip
    assert len(trace.fills) == 0
    close.live()
    for s, each in enumerate(symbols):
        scale = abs(each.quantity) + abs(each.quantity_of(equity))
        assert math.isclose(after.pending[s], each.order, rel_tol=1e-9, abs_tol=1e-12 * scale)
        assert (REFUSAL[int(trace.refusal[0, s])] or "") == each.refusal
        if each.order:
            assert FILL_REASON[int(after.pending_reason[s])] == each.reason
        holding = after.holding[s]
        assert math.isclose(holding["most"], each.most, rel_tol=1e-9, abs_tol=1e-12 * scale)
        assert (holding["cooling"], holding["stale"]) == (each.cooling, each.stale)
        aim = math.nan if each.weight is None else each.weight
        assert trace.weight[0, s] == pytest.approx(aim, rel=1e-9, abs=1e-12, nan_ok=True)
    account = after.account[0]
    assert account["stage"] == STAGES[close.stage]
    assert math.isclose(account["stage_peak"], close.peak, rel_tol=1e-12)
    assert (account["cooling"], account["losses"]) == (close.cooling, close.losses)
    return close


SEEN: set[str] = {
    "", "cap_symbol", "cap_gross", "cap_net", "leverage", "margin", "drawdown_stage", "leaving", "cool_down",
    "stale", "divided", "out_of_range",
}  # fmt: skip


@pytest.mark.parametrize("equity", [1000.0, 1e-3])
def test_a_close_orders_what_the_limits_allow(equity: float) -> None:
    """Of an account in dollars, and of one in coins; each refusal of the limits is among the closes."""
    symbols = [each for seed in range(CLOSES) for each in agree(seed, equity).symbols]
    assert {each.refusal for each in symbols} == SEEN
    assert {each.reason for each in symbols if each.order} == {"signal", "risk"}
