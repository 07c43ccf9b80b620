"""The brackets of a run: what is unknowable inside a bar, read well and read badly, and what costs it bears.

Rules: the run's own forecasts, replayed as a sweep does, so that only the account differs; the policy
knows the costs that it is charged. Nothing is entered in the register: no setting is chosen by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bot.app.runs.folder import RunFolder
from bot.app.sweep.replay import Tally, replay_of
from bot.app.sweep.source import source_of_run
from bot.app.symbols import bars_a_year
from bot.portfolio.rules import Rules, read_well, with_costs

LARGEST_MULTIPLE = 64.0
_FACTOR = math.sqrt(2.0)
_HALVINGS = 12


@dataclass(frozen=True, slots=True)
class Bracket:
    """What one reading of the bars came to.

    Attributes:
        net_return: total, after costs.
        sharpe: annualised; None without returns, and after a bankruptcy.
        drawdown: the largest; None after a bankruptcy.
        turnover: value traded, in times of the day's opening equity.
        fills: how many.
    """

    net_return: float | None
    sharpe: float | None
    drawdown: float | None
    turnover: float
    fills: int


@dataclass(frozen=True, slots=True)
class Brackets:
    """Both readings of a bar, and what multiple of its costs the account bears.

    Attributes:
        cost_multiple: of fees, spread, slippage and impact, at which the pessimistic reading earns
            nothing; 0 where it earns nothing without costs either, None where it trades nothing or
            still earns at LARGEST_MULTIPLE.
    """

    pessimistic: Bracket
    optimistic: Bracket
    cost_multiple: float | None

    def as_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return asdict(self)


def brackets_of_run(folder: RunFolder) -> Brackets:
    """Replay a run's forecasts under both readings, and under multiples of its costs.

    Raises:
        DataError: it has booked no bar, or recorded no forecasts.
    """
    source = source_of_run(folder)
    replay = replay_of(source)
    a_year = bars_a_year(source.config, source.symbols)

    def tally(change: Callable[[Rules], Rules]) -> Tally:
        return replay.tally(source.config, "", {}, change)

    pessimistic = _bracket(tally(lambda rules: rules), a_year)
    multiple = None
    if pessimistic.fills:
        multiple = _where_profit_ends(
            lambda m: tally(lambda rules: with_costs(rules, m)).outcome.net_return or -1.0
        )
    return Brackets(pessimistic, _bracket(tally(read_well), a_year), multiple)


def _bracket(found: Tally, a_year: float) -> Bracket:
    sharpe = found.outcome.sharpe
    return Bracket(
        net_return=found.outcome.net_return,
        sharpe=None if sharpe is None else sharpe * math.sqrt(a_year),
        drawdown=found.drawdown,
        turnover=found.turnover,
        fills=found.fills,
    )


def _where_profit_ends(net: Callable[[float], float]) -> float | None:
    """Return the first multiple, from 0 or 1 upwards, at which the net return is not above zero.

    >>> round(_where_profit_ends(lambda m: 3.0 - m), 3), _where_profit_ends(lambda m: -1.0)
    (3.0, 0.0)
    """
    low = 1.0
    if net(low) <= 0.0:
        if net(0.0) <= 0.0:
            return 0.0
        low, high = 0.0, 1.0
    else:
        high = low * _FACTOR
        while net(high) > 0.0:
            low, high = high, high * _FACTOR
            if high > LARGEST_MULTIPLE:
                return None
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if net(middle) > 0.0:
            low = middle
        else:
            high = middle
    return high
