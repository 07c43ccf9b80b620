"""Settings that may change during a run: which, why not the others, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.runs.in_force import changed_settings
from bot.config import Config, flatten, load_config
from bot.config.changes import (
    MAY_CHANGE,
    WHY_NOT,
    changed,
    given_changes,
    may_change,
    recorded_changes,
    values_of,
    why_not,
)
from bot.errors import ConfigError
from bot.portfolio.book import to_arrays
from bot.portfolio.broker import first_book
from bot.portfolio.rules import Rules, rules_from

CONFIG = load_config(None, [], environ={})
KEYS = sorted(flatten(CONFIG))
CHANGEABLE = [key for key in KEYS if may_change(key)]
OTHERS: dict[str, list[Any]] = {
    "retrain.trigger": ["never", "interval"], "retrain.cron": ["0 0 * * sun"],
    "retrain.start": ["2021-05-01"], "sizing.allow_short": [False], "risk.on_leaving": ["hold"],
    "market.symbols": [["BTCUSDT"]],
}  # fmt: skip


def test_every_setting_may_change_or_says_why_not() -> None:
    assert len(CHANGEABLE) > 20
    for key in KEYS:
        if not may_change(key):
            assert len(why_not(key)) > 20, key


def test_the_tables_name_settings_that_there_are() -> None:
    for pattern in (*MAY_CHANGE, *(pattern for pattern, _ in WHY_NOT)):
        begin = pattern.removesuffix("*")
        assert [k for k in KEYS if k.startswith(begin)], pattern


@pytest.mark.parametrize("method", ["fixed", "kelly", "volatility_target", "mean_variance"])
@pytest.mark.parametrize("kind", ["edge", "threshold", "hysteresis"])
def test_no_change_gives_the_account_another_shape(kind: str, method: str) -> None:
    """The carried state must fit, and the kernel must need no other machine code."""
    base = load_config(None, [f"policy.kind={kind}", f"sizing.method={method}"], environ={})
    before = rules_from(base, base.market.symbols)
    for key in CHANGEABLE:
        for value in OTHERS.get(key) or other_numbers(flatten(base)[key]):
            try:
                new = changed(base, recorded_changes({key: value}, "test"))
            except ConfigError:
                continue
            assert flatten(new) == flatten(base) | {key: flatten(new)[key]}, key
            after = rules_from(new, base.market.symbols)
            assert shapes(after) == shapes(before), key


def other_numbers(value: Any) -> list[Any]:
    return [value + 1, value / 2 if isinstance(value, float) else value + 2, 0, 1]


def shapes(rules: Rules) -> Any:
    book = to_arrays(first_book(rules, 1.0))
    return (
        {name: array.shape for name, array in book.items()},
        rules.horizon, rules.is_calibrated, rules.policy_kind, rules.method, rules.sizes_account,
        [type(value) for value in rules],
    )  # fmt: skip


def test_values_are_read_as_set_reads_them() -> None:
    given_ = given_changes(
        ["risk.max_gross=1.5", "retrain.cron=0 0 * * sun", " policy.hold_bars = 3"]
    )
    new = changed(CONFIG, given_)
    assert values_of(new, given_) == {
        "risk.max_gross": 1.5, "retrain.cron": "0 0 * * sun", "policy.hold_bars": 3,
    }  # fmt: skip
    assert flatten(new) == flatten(CONFIG) | values_of(new, given_)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["risk.max_gros=1"], "did you mean risk.max_gross"),
        (["risk.max_gross"], "expected section.key=value"),
        (["risk.max_gross=-1"], r"risk.max_gross = -1 .*expected a finite number \[>= 0, <= 100\]"),
        (["risk.max_gross=nan"], "risk.max_gross"),
        (["policy.hold_bars=2.5"], "policy.hold_bars = 2.5"),
        (["market.interval=1m"], "cannot change during a run.*which bars.*begin another run"),
        (["log.level=debug"], "start it again with --set log.level=VALUE"),
        (["risk.max_distance=2"], "may not have it: begin another run"),
        (["costs.taker_fee=0"], "a result is judged by one set of costs"),
        (["plugins=x.py"], "these parts"),
        (["retrain.cron=0 0"], "expected five fields"),
        (["retrain.cron=0 0 * * 1"], "weekday by name"),
        (["retrain.start=soon"], "expected a UTC date"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_key(texts: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        changed_settings(CONFIG, given_changes(texts))


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        changed(CONFIG, given_changes(["risk.max_gros=1", "market.interval=4h"]))
    assert len(str(told.value).splitlines()) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(key=st.sampled_from(CHANGEABLE) | st.sampled_from(KEYS) | st.text(), value=JSON)
def test_whatever_a_file_says_is_a_change_or_a_config_error(key: str, value: Any) -> None:
    """Anything else would end the daemon, and end it again at every start."""
    try:
        new = changed_settings(CONFIG, recorded_changes({key: value}, "a file"))
    except ConfigError:
        return
    assert isinstance(new, Config)
    assert may_change(key)
