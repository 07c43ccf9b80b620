"""The broker: takes an account through bars, one live or thousands in a backtest.

Rules: the book carries all state, so that any partition of the bars, and OPEN then CLOSE instead
of BOTH, gives the same bits. `run_bars` is pure: it changes a copy of the book.
"""

from __future__ import annotations

import numpy as np

from bot.blocks import F64, I8, I64, BarBlock
from bot.errors import ConfigError, InvariantError
from bot.parts.compile import faults_of, place_of
from bot.portfolio.book import Book, copy_book, new_book
from bot.portfolio.calibration import Calibrated
from bot.portfolio.correlation import measured, width_of
from bot.portfolio.full_account import FILLS_A_BAR
from bot.portfolio.kernel.asked import PolicyCall, SchemeCall, policy_call, scheme_call
from bot.portfolio.kernel.loop import run
from bot.portfolio.kernel.observe import observe
from bot.portfolio.kernel.room import new_room
from bot.portfolio.market import market_of
from bot.portfolio.policies.carried import OBSERVING
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace, blank_trace, finished


def first_book(rules: Rules, capital: float) -> Book:
    """Return the book of an account that holds nothing but `capital` in cash."""
    n = len(rules.taker_fee)
    correlation = width_of(n) if rules.sizes_account else 0
    return new_book(n, capital, rules.policy_state, rules.cost_state, correlation)


def run_bars(
    book: Book, rules: Rules, bars: BarBlock, signal: F64, volatility: F64, phase: Phase,
    agreement: F64 | None = None, calibrated: Calibrated | None = None,
    refused_by_model: I8 | None = None,
) -> tuple[Book, Trace]:  # fmt: skip
    """Take the account through the bars: funding and fills at each open, decisions at each close.

    Args:
        book: the account before; it is not changed.
        rules: what trading obeys, of the book's symbols.
        bars: n bars of S symbols, after those already done.
        signal: float64[n, S], NaN where there is none; not read by Phase.OPEN.
        volatility: float64[n, S], predicted; read by all sizings but `fixed`.
        phase: the opens, the closes, or both; an OPEN is of one bar, and its CLOSE follows.
        agreement: float64[n, S], a factor on the weights; read under a disagreement penalty only.
        calibrated: what the signals are known to be worth; read by the edge policy and by sizings
            on the edge only.
        refused_by_model: int8[n, S], the Refusal of what would be opened or increased, 0 for none; by
            default nothing is refused.

    Returns:
        The account after, and what happened.

    Raises:
        InvariantError: a bar would be booked twice or out of order, or shapes do not fit.
        ConfigError: a user's policy or cost scheme answered what cannot be.
    """
    _check_order(book, bars, phase)
    _check_shapes(book, rules, bars, signal, volatility)
    if rules.disagreement_penalty > 0.0 and phase & Phase.CLOSE:
        _check_agreement(bars, agreement)
    if rules.is_calibrated and calibrated is not None and phase & Phase.CLOSE:
        _check_calibrated(bars, calibrated)
    n, n_symbols = bars.close.shape
    after = copy_book(book)
    trace = blank_trace(
        phase, n, n_symbols, edges=rules.is_calibrated,
        coins=rules.full is not None and rules.full.has_inverse,
        fills_a_bar=1 if rules.full is None else FILLS_A_BAR,
    )  # fmt: skip
    market = market_of(
        bars, signal, volatility, agreement, calibrated, refused_by_model=refused_by_model
    )
    policy = policy_call(rules.policy)
    scheme = scheme_call(rules.scheme, after.cost_state)
    with faults_of(rules.policy, rules.scheme):
        room = new_room(n_symbols, sizes_account=rules.sizes_account)
        count = run(after, _numbers(rules), market, trace, room, policy, scheme, rules.full)
    _check_answers(bars, rules, policy, scheme)
    return after, finished(trace, count)


def observe_bars(book: Book, rules: Rules, bars: BarBlock) -> Book:
    """Return the book of a policy and a sizing that have seen bars which are not traded; the account
    is as it was."""
    after = book
    if rules.policy_kind in OBSERVING or rules.full is not None:
        after = copy_book(book)
        nothing = np.full(bars.close.shape, np.nan)
        market = market_of(bars, signal=nothing, volatility=nothing)
        observe(after, _numbers(rules), market, rules.full)
    if rules.sizes_account:
        after = after._replace(
            correlation=measured(book.correlation, bars, rules.correlation_decay)
        )
    return after


def _numbers(rules: Rules) -> Rules:
    """Return the rules without a user's functions, which the kernel is handed apart."""
    own = rules.policy is not None or rules.scheme is not None
    return rules._replace(policy=None, scheme=None) if own else rules


def compile_kernel(rules: Rules) -> None:
    """Have the kernel compiled for these rules, or read from where it is kept, before the first bar."""
    none = np.empty((0, len(rules.taker_fee)))
    times = np.empty(0, dtype=np.int64)
    bars = BarBlock.of_candles(times, open=none, high=none, low=none, close=none, volume=none)
    run_bars(
        first_book(rules, 1.0), rules, bars, signal=none, volatility=none, phase=Phase.BOTH,
        agreement=none,
    )  # fmt: skip


def _check_order(book: Book, bars: BarBlock, phase: Phase) -> None:
    account = book.account[0]
    opened, last, n = bool(account["opened"]), int(account["open_time"]), len(bars)
    if phase == Phase.CLOSE:
        if not opened or n != 1 or int(bars.open_time[0]) != last:
            raise InvariantError(
                f"a close must be of the one bar that is open ({last if opened else 'none is'}), "
                f"not of {bars.open_time[:3].tolist()}"
            )
    elif opened or (n and int(bars.open_time[0]) <= last) or (phase == Phase.OPEN and n != 1):
        raise InvariantError(
            f"a bar must be begun once, after the last one was closed; last begun {last}"
            f"{' and still open' if opened else ''}, given {bars.open_time[:3].tolist()}"
        )


def _check_shapes(book: Book, rules: Rules, bars: BarBlock, signal: F64, volatility: F64) -> None:
    shape = (len(bars), book.n_symbols)
    found = (bars.close.shape, signal.shape, volatility.shape, (len(bars), len(rules.taker_fee)))
    if any(each != shape for each in found):
        raise InvariantError(
            f"bars, signal, volatility and rules must be of {shape} bars and symbols, are {found}"
        )


def _check_agreement(bars: BarBlock, agreement: F64 | None) -> None:
    if agreement is None or agreement.shape != bars.close.shape:
        raise InvariantError(
            f"under a disagreement penalty every close needs the members' agreement {bars.close.shape}, "
            f"given is {None if agreement is None else agreement.shape}"
        )


def _check_calibrated(bars: BarBlock, known: Calibrated) -> None:
    n, n_symbols = bars.close.shape
    expected = [(n,), (n,), (n,), (n, n_symbols)]
    found = [each.shape for each in known]
    if found != expected:
        raise InvariantError(
            f"what is known of the signals, {', '.join(known._fields)}, must be of {expected} bars and symbols, "
            f"is of {found}"
        )


def _check_answers(bars: BarBlock, rules: Rules, policy: PolicyCall, scheme: SchemeCall) -> None:
    if policy.fault[0] >= 0:
        raise ConfigError(
            f"{place_of(rules.policy.__wrapped__)}: the policy's answer for {_told(bars, policy.fault)} is no side; "
            "expected a number from -1 to 1, or NaN for no decision"
        )
    if scheme.fault[0] >= 0:
        raise ConfigError(
            f"{place_of(rules.scheme.__wrapped__)}: the cost scheme's answer for {_told(bars, scheme.fault)} is no "
            "cost; expected a price above 0 and a finite fee"
        )


def _told(bars: BarBlock, fault: I64) -> str:
    i, s = fault.tolist()
    return f"symbol {s + 1} at the bar {bars.open_time[i]}"
