"""Momentum against a plain calculation; it needs no model, and sees the bars before the start."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.config import load_config
from bot.config.needed_heads import needs_model
from bot.portfolio.broker import first_book, observe_bars, run_bars
from bot.portfolio.policies.carried import PolicyKind, width_of
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase

N = 10


@pytest.fixture
def momentum_rules(rules_of: Callable[..., Rules]) -> Rules:
    kind = PolicyKind.MOMENTUM
    return rules_of(2, policy_kind=int(kind), policy_state=width_of(kind, N))


def test_the_side_is_the_sign_of_the_last_bars_return(
    momentum_rules: Rules, bars_of: Callable[..., BarBlock]
) -> None:
    rng = np.random.default_rng(5)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (80, 2)), axis=0))
    valid = rng.random((80, 2)) > 0.1
    bars = bars_of(close, close, valid=valid)
    nothing = np.full(close.shape, np.nan)
    book = first_book(momentum_rules, 1e4)
    _, trace = run_bars(book, momentum_rules, bars, nothing, nothing, Phase.BOTH)
    for s in range(2):
        own = np.flatnonzero(valid[:, s])
        assert np.isnan(trace.weight[own[:N], s]).all()
        expected = np.sign(close[own[N:], s] - close[own[:-N], s])
        np.testing.assert_array_equal(np.sign(trace.weight[own[N:], s]), expected)

    seen = observe_bars(book, momentum_rules, bars.rows(0, 40))
    assert seen.account.tobytes() == book.account.tobytes()
    _, later = run_bars(
        seen, momentum_rules, bars.rows(40, 80), nothing[40:], nothing[40:], Phase.BOTH
    )
    np.testing.assert_array_equal(np.sign(later.weight), np.sign(trace.weight[40:]))


def test_no_model_is_trained_for_it_unless_a_trigger_is_named() -> None:
    alone = load_config(None, ["policy.kind=momentum"], {})
    assert (needs_model(alone), alone.retrain.trigger, alone.retrain.at_start) == (
        False, "never", False,
    )  # fmt: skip
    named = load_config(None, ["policy.kind=momentum", "retrain.trigger=cron"], {})
    assert (named.retrain.trigger, named.retrain.at_start) == ("cron", True)
    sized = load_config(None, ["policy.kind=momentum", "sizing.method=proportional"], {})
    assert needs_model(sized)
    assert sized.retrain.trigger == "cron"
