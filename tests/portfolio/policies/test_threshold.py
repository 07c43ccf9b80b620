"""The document's rule by an example: only beyond the threshold is a side wanted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bot.blocks import BarBlock
from bot.portfolio.broker import first_book, run_bars
from bot.portfolio.policies.carried import PolicyKind
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase


def test_a_side_is_wanted_beyond_the_threshold_only(
    rules_of: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    signal = np.array([[0.004], [0.003], [-0.003], [-0.004], [0.0], [np.nan]])
    price = np.full((6, 1), 100.0)
    rules = rules_of(1, policy_kind=int(PolicyKind.THRESHOLD), threshold=0.003, fraction=0.5)
    _, trace = run_bars(
        first_book(rules, 1e4), rules, bars_of(price, price), signal, signal, Phase.BOTH
    )
    np.testing.assert_array_equal(trace.weight[:, 0], [0.5, 0.0, 0.0, -0.5, 0.0, np.nan])
