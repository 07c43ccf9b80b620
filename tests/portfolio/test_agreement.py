"""The factor on a weight by how far an ensemble's members agree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import F64, BarBlock
from bot.errors import InvariantError
from bot.portfolio.agreement import agreement_of
from bot.portfolio.book import new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase

NUMBER = st.floats(-1.0, 1.0, allow_subnormal=False)


@given(
    r=NUMBER, disagreement=st.floats(0.0, 1.0, allow_subnormal=False), penalty=st.floats(0.0, 100.0)
)
def test_it_only_takes_away_and_more_for_more_doubt(
    r: float, disagreement: float, penalty: float
) -> None:
    def at(disagreement: float, penalty: float) -> float:
        return float(agreement_of(np.array([[r]]), np.array([[disagreement]]), penalty)[0, 0])

    assert 0.0 <= at(disagreement, penalty) <= 1.0
    assert at(0.0, penalty) == at(disagreement, 0.0) == 1.0 or r == 0.0
    assert at(disagreement, penalty) >= at(2.0 * disagreement, penalty)
    assert at(disagreement, penalty) >= at(disagreement, penalty + 1.0)


def test_by_hand_and_where_nothing_is_known() -> None:
    nan = np.nan
    r, disagreement = (
        np.array([[0.02, -0.01, 0.0, 0.0, nan]]),
        np.array([[0.01, 0.03, 0.0, 0.1, nan]]),
    )
    found = agreement_of(r, disagreement, 2.0)
    np.testing.assert_allclose(found, [[0.5, 1 / 7, 1.0, 0.0, 1.0]], rtol=1e-15)


def test_a_penalty_without_agreement_is_refused(
    bars_of: Callable[..., BarBlock],
    rules_of: Callable[..., Rules],
    signals_of: Callable[..., F64],
) -> None:
    bars = bars_of([10.0, 10.5], [10.0, 11.0])
    signal = signals_of([0.1, 0.1], bars)
    book, rules = new_book(1, 1000.0), rules_of(disagreement_penalty=1.0)
    for agreement in (None, np.ones((1, 1))):
        with pytest.raises(InvariantError, match="needs the members' agreement"):
            run_bars(book, rules, bars, signal, signal, Phase.BOTH, agreement)
    _, trace = run_bars(book, rules, bars, signal, signal, Phase.BOTH, np.full((2, 1), 0.25))
    assert trace.weight[:, 0].tolist() == [0.125, 0.125]
