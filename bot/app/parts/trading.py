"""The checks of policies and cost schemes: the laws of the books, tried on a made market.

A policy sees one record and its own numbers, so most laws hold by construction. What it can still do
is to keep something elsewhere, to draw at random, or to write beyond its numbers: each shows as a
difference between two runs over the same bars, or as an error of plain Python.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bot.app.parts.market import SYMBOLS, made_market, with_other_future
from bot.blocks import F64, BarBlock
from bot.compiled import njit
from bot.config import Config
from bot.config.schema import Policy
from bot.parts.compile import compile_part
from bot.parts.registry import Part
from bot.portfolio.broker import first_book, run_bars
from bot.portfolio.calibration import Calibrated
from bot.portfolio.kernel.asked import FILL_ASKED, POLICY_BAR
from bot.portfolio.ledger import check_books
from bot.portfolio.own import SIGNATURES, OwnPart, own_part
from bot.portfolio.policies.carried import PolicyKind
from bot.portfolio.rules import Rules, rules_from
from bot.portfolio.trace import Phase

BARS = 300
CAPITAL = 100_000.0
TRIED = 50
"""Records on which a function is also tried as plain Python."""


def policy_faults(part: Part) -> Iterator[str]:
    """Yield what a policy does that no policy may do."""
    own = own_part(part.kind, part.name, {})
    if own.call is None:
        yield from _law_faults(_shipped(part.name))
        return
    rules = _rules()._replace(
        policy=own.call, policy_state=own.state, needs_forecast=own.needs_forecast
    )
    yield from _plain_faults(own, POLICY_BAR) or _law_faults(rules)


def scheme_faults(part: Part) -> Iterator[str]:
    """Yield what a cost scheme does that none may do."""
    own = own_part(part.kind, part.name, {})
    if own.call is None:
        yield from _law_faults(_shipped("threshold"))
        return
    rules = _rules()._replace(scheme=own.call, cost_state=own.state)
    yield from _plain_faults(own, FILL_ASKED) or _law_faults(rules)


def _follow(bar: Any, _state: F64) -> Any:
    return np.sign(bar.signal)


def _take(_fill: Any, _state: F64) -> None:
    """Leave price and fee as a taker's."""


def _shipped(policy: str) -> Rules:
    """Return the default rules with a shipped policy, whose kernel is compiled already."""
    return rules_from(Config(policy=Policy(kind=policy)), SYMBOLS, numbers_only=True)


def _rules() -> Rules:
    """Return the default rules with a policy and a scheme by pointer, so that one kernel does for both."""
    rules = _shipped("threshold")
    policy = compile_part(_follow, SIGNATURES["policy"], "the plain policy")
    scheme = compile_part(_take, SIGNATURES["cost_scheme"], "the plain cost scheme")
    return rules._replace(policy_kind=int(PolicyKind.OWN), policy=policy.call, scheme=scheme.call)


def _law_faults(rules: Rules) -> Iterator[str]:
    bars = made_market(BARS)
    whole = _ledger(rules, bars, BARS)
    if _ledger(rules, bars, BARS) != whole:
        yield "gives another ledger when it is asked again: it draws at random, or carries something over"
        return
    for length in (1, 7):
        if _ledger(rules, bars, length) != whole:
            yield f"depends on how bars are cut into blocks (of {length} bars, of all)"
            return
    half = BARS // 2
    if _ledger(rules, with_other_future(bars, half), BARS)[: half + 1] != whole[: half + 1]:
        yield "looks ahead: what is decided at a bar changes with the bars after it"


def _ledger(rules: Rules, bars: BarBlock, length: int) -> list[bytes]:
    """Return the row of each bar, asked for in blocks of so many; one bar by open and close apart."""
    signal, volatility = _signals(len(bars))
    worth = _taken_at_its_word(len(bars), rules)
    book, rows = first_book(rules, CAPITAL), []
    for start in range(0, len(bars), length):
        part = bars.rows(start, min(start + length, len(bars)))
        at = slice(start, start + len(part))
        given, last = (signal[at], volatility[at]), Phase.BOTH
        if length == 1:
            book, _ = run_bars(book, rules, part, *given, phase=Phase.OPEN)
            last = Phase.CLOSE
        known = Calibrated._make(column[at] for column in worth)
        after, trace = run_bars(book, rules, part, *given, phase=last, calibrated=known)
        check_books(book, part, trace, rules.inverse)
        book = after
        columns = np.column_stack([trace.cash, trace.fees, trace.quantity, trace.weight])
        rows += [row.tobytes() for row in columns]
    return rows


def _signals(n: int) -> tuple[F64, F64]:
    """Return what is forecast: signals about the default costs, of which a tenth is missing."""
    rng = np.random.default_rng(3)
    signal = rng.normal(0.0, 0.003, (n, len(SYMBOLS)))
    signal[rng.random(signal.shape) < 0.1] = np.nan
    return signal, np.abs(rng.normal(0.01, 0.003, signal.shape))


def _taken_at_its_word(n: int, rules: Rules) -> Calibrated:
    """Return a calibration by which every signal is worth what it says."""
    days = np.full(n, rules.min_calibration_days, dtype=np.int64)
    return Calibrated(np.ones(n), np.zeros(n), days, np.full((n, len(SYMBOLS)), np.inf))


def _plain_faults(own: OwnPart, fields: np.dtype[np.void]) -> list[str]:
    """Return what a user's function does as plain Python, which says more of an error."""
    if own.call is None:
        return []
    call, rng = own.call, np.random.default_rng(5)
    plain, machine = np.zeros(own.state), np.zeros(own.state)
    for _ in range(TRIED):
        asked = _drawn(rng, fields)
        mine, theirs = asked.copy().view(np.recarray), asked.copy()
        try:
            with np.errstate(all="ignore"):
                returned = call.__wrapped__(mine[0], plain)
        except ZeroDivisionError:
            return []  # compiled, that is infinity
        except Exception as error:  # noqa: BLE001 - a user's code may raise anything
            return [f"as plain Python: {type(error).__name__}: {error}"]
        answer = _asked(call, theirs, machine)
        same = _alike(mine.tolist()[0], theirs.tolist()[0]) and _alike(plain, machine)
        if not same or not _alike([math.nan if returned is None else returned], [answer]):
            return [
                "compiled it answers other than as plain Python, on the same record: it draws at random, or "
                "carries something over"
            ]
    return []


def _drawn(rng: np.random.Generator, fields: np.dtype[np.void]) -> np.ndarray[Any, Any]:
    """Return one record with values that could be met."""
    asked = np.zeros(1, dtype=fields)
    side = float(rng.choice([-1.0, 1.0]))
    price = float(rng.uniform(50.0, 150.0))
    values = {
        "symbol": rng.integers(3), "open_time": 3_600_000 * rng.integers(1000), "side": side,
        "open": price, "close": price * 1.01, "signal": rng.normal(0.0, 0.003), "tradable": 1,
        "volatility": 0.01, "cost": 0.0015, "bars_held": rng.integers(9), "quantity": 2.0 * side,
        "middle": price, "met": price, "price": price, "fee": 0.1, "taker_fee": 0.00055,
        "turnover": rng.uniform(0.0, 1e6),
    }  # fmt: skip
    for name in fields.names or ():
        asked[name] = values[name]
    return asked


def _asked(call: Any, record: np.ndarray[Any, Any], state: F64) -> float:
    answer = _call(call, record, state)
    return math.nan if answer is None else float(answer)


@njit
def _call(call: Any, record: Any, state: F64) -> Any:
    return call(record[0], state)


def _alike(a: Any, b: Any) -> bool:
    return bool(np.allclose(np.asarray(a), np.asarray(b), rtol=1e-9, atol=1e-12, equal_nan=True))
