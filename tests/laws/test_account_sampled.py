"""Law: the compiled account is the plain one, over histories drawn evenly from all that can be asked for.

Hypothesis (`test_account.py`) looks long at what is near the simplest; here every setting is as often on as
off, so that what takes several of them together is met.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bot.portfolio.order_rules import Excess
from tests.laws.test_account import agree
from tests.oracle.histories import Wanted
from tests.oracle.terms import STOPS

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

LIMITS: dict[str, Any] = {
    "cap_tolerance": 0.05, "max_net": 0.8, "max_leverage": 2.0, "halve_drawdown": 0.05,
    "flatten_drawdown": 0.2, "cool_down_bars": 3, "max_losses": 2, "max_stale_bars": 2,
    "flatten_leaving": True,
}  # fmt: skip


def drawn(seed: int, terms: str, *, optimistic: bool = False) -> Wanted:
    """Return what a history is to have.

    Args:
        terms: of its orders: "plain", "market", "split" or "limit".
        optimistic: whether its bars are read well.
    """
    rng = np.random.default_rng(seed)

    def one_of(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    orders: dict[str, Any] = {}
    if terms != "plain":
        orders = {
            "max_participation": one_of(0.0, 0.02, 0.3), "impact": one_of(0.0, 1.0),
            "stop_loss": one_of(0.0, 0.01, 0.04), "take_profit": one_of(0.0, 0.02),
            "trailing_stop": one_of(0.0, 0.016), "excess": int(one_of(Excess.WAIT, Excess.DROP)),
        }  # fmt: skip
        orders["has_stops"] = any(orders[name] for name in STOPS)
    if terms == "split":
        orders |= {"excess": int(Excess.SPLIT), "split_bars": 3}
    if terms == "limit":
        orders |= {
            "is_limit": True, "limit_offset": one_of(-0.002, 0.0, 0.003), "post_only": one_of(True, False),
            "limit_bars": one_of(1, 3), "crosses": one_of(True, False),
        }  # fmt: skip
    has_terms = terms in ("split", "limit")
    limits = () if has_terms else tuple(k for k in LIMITS.items() if rng.random() < 0.3)
    return Wanted(
        seed, n_symbols=one_of(1, 2, 3), margin=one_of("none", "cross", "isolated", "isolated"),
        spot=one_of("none", "none", "some", "all"), inverse=one_of("none", "some", "all"),
        leverage=one_of(2.0, 10.0, 50.0), borrow=one_of(True, False), fraction=one_of(0.3, 0.9, 2.0, 6.0),
        at_close=not has_terms and one_of(True, False), late=one_of("hold", "cancel", "flatten"),
        steps=one_of(True, False), halts=one_of(True, False, False), limits=limits,
        leaving=0.0 if has_terms else 0.05, orders=tuple(orders.items()), ticks=one_of(0.0, 0.001) if orders else 0.0,
        largest=one_of(0.0, 0.2) if orders else 0.0, optimistic=optimistic,
    )  # fmt: skip


@pytest.mark.parametrize("first", range(0, 60, 10))
@pytest.mark.parametrize("terms", ["plain", "market", "split", "limit"])
def test_any_history_is_that_of_the_plain_account(terms: str, first: int) -> None:
    for seed in range(first, first + 10):
        agree(drawn(seed, terms))


@pytest.mark.parametrize("first", range(0, 30, 10))
@pytest.mark.parametrize("terms", ["market", "limit"])
def test_any_history_read_well_is_that_of_the_plain_account_read_well(
    terms: str, first: int
) -> None:
    for seed in range(first, first + 10):
        agree(drawn(seed, terms, optimistic=True))
