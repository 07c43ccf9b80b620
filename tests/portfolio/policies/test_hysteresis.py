"""Hysteresis by an example: in beyond one threshold, out within another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.portfolio.broker import first_book, run_bars
from bot.portfolio.policies.carried import PolicyKind
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase


@pytest.mark.parametrize(
    ("out", "sides"),
    [(0.0, [0, 1, 1, 1, 0, -1, -1, 1]), (0.001, [0, 1, 1, 0, 0, -1, 0, 1])],
)
def test_in_beyond_one_threshold_out_within_the_other(
    rules_of: Callable[..., Rules], bars_of: Callable[..., BarBlock], out: float, sides: list[int]
) -> None:
    signal = np.array(
        [[0.002], [0.004], [0.0015], [0.0005], [-0.001], [-0.004], [-0.0005], [0.005]]
    )
    price = np.full((8, 1), 100.0)
    rules = rules_of(1, policy_kind=int(PolicyKind.HYSTERESIS), threshold=0.003, exit_threshold=out)
    _, trace = run_bars(
        first_book(rules, 1e4), rules, bars_of(price, price), signal, signal, Phase.BOTH
    )
    assert np.sign(trace.quantity[1:, 0]).tolist() == sides[:-1]  # decided a bar before
    assert np.sign(trace.order[-1, 0]) == 1


def test_a_signal_at_a_threshold_is_within_it_and_a_side_kept_is_not_decided_again(
    rules_of: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """In beyond 0.003, out at 0.001; between the two what is held stays as it is."""
    signal = np.array([[0.003], [0.004], [0.002], [0.001], [-0.003], [-0.004], [-0.002], [-0.001]])
    price = np.full((8, 1), 100.0)
    rules = rules_of(
        1, policy_kind=int(PolicyKind.HYSTERESIS), threshold=0.003, exit_threshold=0.001,
        fraction=0.5,
    )  # fmt: skip
    _, trace = run_bars(
        first_book(rules, 1e4), rules, bars_of(price, price), signal, signal, Phase.BOTH
    )
    kept = np.nan
    np.testing.assert_array_equal(trace.weight[:, 0], [0.0, 0.5, kept, 0.0, 0.0, -0.5, kept, 0.0])


def test_an_order_that_waits_counts_as_held(
    rules_of: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    signal, price = np.array([[0.004], [0.002], [0.002]]), np.full((3, 1), 100.0)
    rules = rules_of(
        1, policy_kind=int(PolicyKind.HYSTERESIS), threshold=0.003, exit_threshold=0.001
    )
    bars = bars_of(price, price, fillable=[[True], [False], [True]])
    _, trace = run_bars(first_book(rules, 1e4), rules, bars, signal, signal, Phase.BOTH)
    assert (trace.quantity[:, 0] > 0.0).tolist() == [False, False, True]
    assert np.isnan(trace.weight[1:, 0]).all()
