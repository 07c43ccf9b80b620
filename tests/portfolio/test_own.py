"""A user's policy and cost scheme: the laws hold with them, and their faults are told."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import F64, BarBlock
from bot.config import load_config
from bot.errors import ConfigError
from bot.parts.compile import compile_part
from bot.portfolio.book import Book, to_arrays
from bot.portfolio.broker import first_book, run_bars
from bot.portfolio.ledger import check_books
from bot.portfolio.own import SIGNATURES
from bot.portfolio.policies.carried import PolicyKind
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import Rules, SizingMethod, rules_from
from bot.portfolio.trace import Phase, Trace
from bot.timegrid import HOUR_MS
from tests.parts.conftest import nothing_loaded
from tests.portfolio.kernel.conftest import make_full, make_orders

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

__all__ = ["nothing_loaded"]

S = 2
CAPITAL = 1000.0
THRESHOLD = 0.001
TIER = 20_000.0
"""Turnover of the account, or of a symbol, from which on the second fee holds."""

# What a user writes. A record is `Any` to the checker; numba compiles all of it.


def as_threshold(bar: Any, state: Any) -> Any:
    return np.sign(bar.signal) if abs(bar.signal) > 0.001 else 0.0


def as_taker(fill: Any, state: Any) -> None:
    pass


def twitchy(bar: Any, state: Any) -> Any:
    """Follow the signal beyond half its cost, leave after three bars, and count what it was asked."""
    state[0] += 1.0
    state[1] += bar.close * bar.bars_held
    if abs(bar.signal) > 0.5 * bar.cost:
        return 0.5 * np.sign(bar.signal) if state[0] % 2.0 == 0.0 else np.sign(bar.signal)
    return 0.0 if bar.bars_held >= 3 else bar.side


def tiered(fill: Any, state: Any) -> None:
    """A lower fee once the symbol has turned over TIER; the price a hair from the quote."""
    rate = 0.0005 if state[0] < 20_000.0 else 0.0002
    fill.price = fill.met * (1.0 + 0.0001 * fill.side)
    fill.fee = rate * abs(fill.quantity) * fill.price
    state[0] += abs(fill.quantity) * fill.price


def momentum(bar: Any, state: Any) -> Any:
    """The side of the last close's move; it needs no forecast."""
    before = state[0]
    state[0] = bar.close
    return np.sign(bar.close - before) if before > 0.0 else np.nan


def watches(bar: Any, state: Any) -> Any:
    state[0] = bar.cost
    state[1] = bar.side
    state[2] = bar.bars_held
    state[3] = bar.tradable
    return np.nan if math.isnan(bar.signal) else np.sign(bar.signal)


def too_much(bar: Any, state: Any) -> Any:
    return 2.0 if bar.symbol == 1 and bar.close > 100.0 else 0.0


def for_nothing(fill: Any, state: Any) -> None:
    fill.price = 0.0


def compiled(function: Any, kind: str) -> Any:
    return compile_part(function, SIGNATURES[kind], "it").call


@pytest.fixture(scope="module")
def with_parts(rules_of: Callable[..., Rules]) -> Callable[..., Rules]:
    """Return a maker of rules with both parts, for which one kernel is compiled."""

    def made(
        policy: Any, scheme: Any = as_taker, widths: tuple[int, int] = (4, 4), **changed: Any
    ) -> Rules:
        return rules_of(changed.pop("n_symbols", S), **changed)._replace(
            policy_kind=int(PolicyKind.OWN),
            policy=compiled(policy, "policy"), policy_state=widths[0],
            scheme=compiled(scheme, "cost_scheme"), cost_state=widths[1],
            needs_forecast=policy is not momentum,
        )  # fmt: skip

    return made


COSTS: dict[str, Any] = {
    "half_spread": 2e-4, "slippage": 1e-4, "taker_fee": 5e-4, "max_gross": 1.5,
    "max_symbol_weight": 0.9, "max_daily_loss": 0.05, "quantity_step": 0.01, "min_notional": 5.0,
}  # fmt: skip


def market(seed: int, n: int, bars_of: Callable[..., BarBlock]) -> tuple[BarBlock, F64, F64]:
    """Return bars with gaps, late closes and quotes, their signals and volatilities."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (n, S)), axis=0))
    open_ = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0.0, 0.002, (n, S)))
    bars = bars_of(open_, close, tradable=rng.random(n) > 0.1)
    valid = rng.random((n, S)) > 0.1
    quoted = np.where(rng.random((n, S)) > 0.5, open_, np.nan)
    bars = replace(
        bars, valid=valid, fillable=rng.random((n, S)) > 0.1, fill_bid=quoted * 0.9999,
        fill_ask=quoted * 1.0001, funding_rate=rng.normal(0.0, 1e-4, (n, S)),
    )  # fmt: skip
    signal = np.where(rng.random((n, S)) > 0.1, rng.normal(0.0, 0.002, (n, S)), np.nan)
    return bars, signal, np.abs(rng.normal(0.01, 0.005, (n, S)))


def run_cut(
    rules: Rules, bars: BarBlock, signal: F64, volatility: F64, sizes: list[int]
) -> tuple[Book, bytes]:
    """Run blocks of these sizes, a block of one by open and close apart; return the ledger's bytes."""
    book, start = first_book(rules, CAPITAL), 0
    told: list[tuple[bytes, ...]] = []
    while start < len(bars):
        size = sizes[len(told) % len(sizes)]
        at = slice(start, min(start + size, len(bars)))
        part = bars.rows(at.start, at.stop)
        given, opened = (rules, part, signal[at], volatility[at]), b""
        if len(part) == 1:
            book, trace = checked(book, given, Phase.OPEN)
            opened = trace.fills.tobytes()
        book, trace = checked(book, given, Phase.CLOSE if len(part) == 1 else Phase.BOTH)
        fills = opened + trace.fills.tobytes()
        told.append(bytes_of(trace, fills))
        start = at.stop
    return book, b"".join(b"".join(rows) for rows in zip(*told, strict=True))


def checked(
    book: Book, given: tuple[Rules, BarBlock, F64, F64], phase: Phase
) -> tuple[Book, Trace]:
    rules, bars, signal, volatility = given
    after, trace = run_bars(book, rules, bars, signal, volatility, phase)
    check_books(book, bars, trace)
    return after, trace


def bytes_of(trace: Trace, fills: bytes) -> tuple[bytes, ...]:
    columns = (trace.cash, trace.equity, trace.fees, trace.spread, trace.slippage, trace.quantity)
    return (*(c.tobytes() for c in columns), trace.weight.tobytes(), fills)


def same(left: Book, right: Book) -> bool:
    ours, theirs = to_arrays(left), to_arrays(right)
    return all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)


def test_the_shipped_rules_written_as_parts_give_the_same_ledger(
    with_parts: Callable[..., Rules],
    rules_of: Callable[..., Rules],
    bars_of: Callable[..., BarBlock],
) -> None:
    drawn = market(1, 400, bars_of)
    for method in (SizingMethod.FIXED, SizingMethod.PROPORTIONAL):
        more = {**COSTS, "method": int(method)}
        shipped, ledger = run_cut(rules_of(S, **more), *drawn, [400])
        own, own_ledger = run_cut(with_parts(as_threshold, **more), *drawn, [400])
        assert own_ledger == ledger
        assert shipped.account["fills"][0] > 50
        assert own.account.tobytes() == shipped.account.tobytes()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_any_partition_gives_the_same_bits(
    seed: int, sizes: list[int], with_parts: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """States included; `check_books` holds in every part."""
    drawn = market(seed, 60, bars_of)
    rules = with_parts(twitchy, tiered, **COSTS)
    whole, ledger = run_cut(rules, *drawn, [60])
    cut, cut_ledger = run_cut(rules, *drawn, sizes)
    assert cut_ledger == ledger
    assert same(cut, whole)
    assert whole.policy_state[:, 0].tolist() == drawn[0].valid.sum(axis=0).tolist()


def test_no_bar_to_come_is_seen(
    with_parts: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    bars, signal, volatility = market(5, 80, bars_of)
    other, other_signal, other_volatility = market(6, 80, bars_of)
    rules = with_parts(twitchy, tiered, **COSTS)
    for t in (10, 40, 79):
        spliced = replace(
            bars, **{
                name: np.concatenate([getattr(bars, name)[:t], getattr(other, name)[t:]])
                for name in ("open", "close", "valid", "fillable", "tradable", "fill_bid", "fill_ask")
            },
        )  # fmt: skip
        mixed = np.concatenate([signal[:t], other_signal[t:]])
        unlike = np.concatenate([volatility[:t], other_volatility[t:]])
        _, ours = run_bars(first_book(rules, CAPITAL), rules, bars, signal, volatility, Phase.BOTH)
        _, theirs = run_bars(first_book(rules, CAPITAL), rules, spliced, mixed, unlike, Phase.BOTH)
        for name in ("cash", "equity", "quantity", "weight", "order"):
            assert getattr(ours, name)[:t].tobytes() == getattr(theirs, name)[:t].tobytes(), name


def test_a_tiered_fee_is_what_the_fills_say(
    with_parts: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """Worked out anew from the fills: the rate by what the symbol had turned over before."""
    bars, signal, volatility = market(7, 300, bars_of)
    rules = with_parts(twitchy, tiered, **COSTS | {"max_daily_loss": 0.0})
    book, trace = run_bars(first_book(rules, CAPITAL), rules, bars, signal, volatility, Phase.BOTH)
    turned, rates = [0.0] * S, set()
    for fill in trace.fills:
        s, notional = fill["symbol"], abs(fill["quantity"]) * fill["price"]
        rate = 0.0005 if turned[s] < TIER else 0.0002
        assert fill["fee"] == pytest.approx(rate * notional, rel=1e-12)
        turned[s] += notional
        rates.add(rate)
    assert rates == {0.0005, 0.0002}
    assert book.cost_state[:, 0].tolist() == pytest.approx(turned)


def test_a_scheme_is_told_once_of_an_order_that_cash_cuts(
    with_parts: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """10 are ordered at 100 and 1,000 pay for nine of them at 110; what it carries is what the fills turned over."""
    prices = [[100.0], [110.0], [110.0], [110.0]]
    bars = bars_of(prices, prices)
    signal = np.array([[1.0], [-1.0], [1.0], [np.nan]])
    rules = with_parts(watches, tiered, n_symbols=1, fraction=1.0, allow_short=False)
    full = make_full(make_orders(), contract=np.zeros(1, dtype=np.bool_))
    book, trace = run_bars(
        first_book(rules, CAPITAL), rules._replace(full=full), bars, signal, signal, Phase.BOTH
    )
    turned = np.abs(trace.fills["quantity"]) * trace.fills["price"]
    assert len(turned) == 3
    assert turned[0] == pytest.approx(CAPITAL / 1.0005)
    assert trace.fills["fee"].tolist() == pytest.approx((0.0005 * turned).tolist())
    assert book.cost_state[0, 0] == pytest.approx(turned.sum())


def test_a_policy_is_told_the_cost_that_is_charged(
    with_parts: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """At a price that stands still, a round trip loses the cost that was told times its notional."""
    bars = bars_of([[100.0]] * 4, [[100.0]] * 4)
    signal = np.array([[1.0], [1.0], [-1.0], [np.nan]])
    rules = with_parts(
        watches, as_taker, n_symbols=1, half_spread=2e-4, slippage=1e-4, taker_fee=5e-4,
        allow_short=False, fraction=1.0,
    )  # fmt: skip
    told, trace = run_bars(first_book(rules, CAPITAL), rules, bars, signal, signal, Phase.BOTH)
    first, _ = run_bars(
        first_book(rules, CAPITAL), rules, bars.rows(0, 1), signal[:1], signal[:1], Phase.BOTH
    )
    bought, sold = 100.0 * 1.0002 * 1.0001, 100.0 * 0.9998 * 0.9999
    cost = (bought - sold + 5e-4 * (bought + sold)) / 100.0
    assert first.policy_state[0, 0] == pytest.approx(cost, rel=1e-12)
    assert len(trace.fills) == 2
    assert CAPITAL - trace.equity[-1] == pytest.approx(cost * CAPITAL, rel=1e-12)
    assert told.account["turnover"][0] == pytest.approx((bought + sold) * CAPITAL / 100.0)


def test_what_is_held_and_for_how_long_is_told(
    with_parts: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    signal = np.array([1.0, 1.0, 1.0, -1.0, -1.0, np.nan])[:, None]
    bars = bars_of([[100.0]] * 6, [[100.0]] * 6, tradable=[1, 1, 1, 1, 0, 1])
    rules = with_parts(watches, n_symbols=1)
    book, seen = first_book(rules, CAPITAL), []
    for i in range(6):
        at = slice(i, i + 1)
        book, _ = run_bars(book, rules, bars.rows(i, i + 1), signal[at], signal[at], Phase.BOTH)
        seen.append(tuple(book.policy_state[0, 1:].tolist()))
    assert seen == [(0, 0, 1), (1, 1, 1), (1, 2, 1), (1, 3, 1), (-1, 1, 0), (-1, 2, 1)]
    assert book.bars_held.tolist() == [-2]


def test_a_policy_may_need_no_forecast(
    with_parts: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    closes = [[100.0, 100.0], [101.0, 99.0], [102.0, 98.0], [101.0, 99.0]]
    bars, nothing = bars_of(closes, closes), np.full((4, S), np.nan)
    rules = with_parts(momentum)
    _, trace = run_bars(first_book(rules, CAPITAL), rules, bars, nothing, nothing, Phase.BOTH)
    assert np.sign(trace.weight[1:]).tolist() == [[1, -1], [1, -1], [-1, 1]]
    asleep = rules._replace(needs_forecast=True)
    book, trace = run_bars(first_book(asleep, CAPITAL), asleep, bars, nothing, nothing, Phase.BOTH)
    assert np.isnan(trace.weight).all()
    assert book.policy_state[:, 0].tolist() == [101.0, 99.0]  # it was asked all the same


def test_under_a_halt_a_policy_is_asked_and_not_obeyed(
    with_parts: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    prices = [[100.0], [100.0], [80.0], [80.0]]
    bars = bars_of(prices, prices)
    signal = np.ones((4, 1))
    rules = with_parts(watches, n_symbols=1, max_drawdown=0.05)
    book, trace = run_bars(first_book(rules, CAPITAL), rules, bars, signal, signal, Phase.BOTH)
    assert trace.refusal[2:, 0].tolist() == [Refusal.HALTED_DRAWDOWN] * 2
    assert trace.quantity[-1, 0] == 0.0
    assert book.policy_state[0, 3] == 0.0


def test_an_answer_that_cannot_be_is_told_with_the_place(
    with_parts: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    bars = bars_of([[99.0, 99.0], [99.0, 101.0]], [[99.0, 99.0], [99.0, 101.0]])
    signal = np.ones((2, S))
    rules = with_parts(too_much)
    told = (
        rf"test_own\.py, line \d+: the policy's answer for symbol 2 at the bar {HOUR_MS} is no side"
    )
    with pytest.raises(ConfigError, match=told):
        run_bars(first_book(rules, CAPITAL), rules, bars, signal, signal, Phase.BOTH)
    rules = with_parts(as_threshold, for_nothing)
    with pytest.raises(ConfigError, match=r"test_own\.py, line \d+: the cost scheme's answer"):
        run_bars(first_book(rules, CAPITAL), rules, bars, signal, signal, Phase.BOTH)


def raises(bar: Any, state: Any) -> Any:
    if bar.signal > 1.0:
        raise ValueError("too loud")
    return 0.0


def misspells(bar: Any, state: Any) -> Any:
    return bar.sgnal


def says_nothing(bar: Any, state: Any) -> Any:
    state[0] = 1.0


def takes_one(bar: Any) -> Any:
    return 0.0


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (raises, r"raises at line \d+"),
        (misspells, "there is no field 'sgnal'"),
        (says_nothing, "return a number"),
        (takes_one, "expected 2 arguments: bar: a record of symbol, open_time"),
    ],
)
def test_what_cannot_be_compiled_is_told_with_the_place(function: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=rf"test_own\.py, line \d+: .*{told}"):
        compiled(function, "policy")


MINE = '''
import numpy as np
from pydantic import BaseModel, Field
from bot.parts import cost_scheme, policy

class Settings(BaseModel):
    bars: int = Field(3, ge=1)

@policy("of_settings", state=lambda s: s.bars, settings=Settings)
def of_settings(settings):
    """Fade the move of so many closes."""
    n = settings.bars
    def side(bar, state):
        oldest = state[n - 1]
        for k in range(n - 1, 0, -1):
            state[k] = state[k - 1]
        state[0] = bar.close
        return np.sign(oldest - bar.close) if oldest > 0.0 else 0.0
    return side

@policy("too_wide", state=lambda s: 10 ** 6)
def too_wide(bar, state):
    """Carry too much."""
    return 0.0

@cost_scheme("free")
def free(fill, state):
    """No fee."""
    fill.fee = 0.0
'''


@pytest.fixture
def config_of(tmp_path: Path) -> Callable[..., Any]:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return lambda *sets: load_config(None, [f'plugins=["{path}"]', *sets], environ={})


def test_settings_choose_and_shape_them(config_of: Callable[..., Any]) -> None:
    config = config_of(
        "policy.kind=of_settings", "policy.settings={of_settings={bars=7}}", "costs.scheme=free"
    )
    rules = rules_from(config, ["A"])
    assert (rules.policy_state, rules.cost_state, rules.needs_forecast) == (7, 0, True)
    assert rules.policy is not None
    assert rules.scheme is not None
    assert first_book(rules, 1.0).policy_state.shape == (1, 7)
    numbers = rules_from(config, ["A"], numbers_only=True)
    assert (numbers.policy, numbers.scheme) == (None, None)


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["policy.kind=edgy"], r"policy\.kind"),
        (["costs.scheme=takr"], r"costs\.scheme.*taker"),
        (["sizing.method=fixd"], r"sizing\.method.*fixed"),
        (
            ["policy.kind=of_settings", "policy.settings={of_settings={bars=0}}"],
            r"policy\.settings",
        ),
        (
            ["costs.scheme=free", "costs.reference=true", "execution.fill=next_close"],
            r"costs\.reference = true needs costs\.scheme = 'taker'",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(
    config_of: Callable[..., Any], sets: list[str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        config_of(*sets)


def test_a_state_too_wide_is_refused(config_of: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"mine\.py, line \d+: policy 'too_wide' carries 1000000"):
        rules_from(config_of("policy.kind=too_wide"), ["A"])
