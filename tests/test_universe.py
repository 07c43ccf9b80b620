"""Who is a member of a universe: judged at midnight, from what was known then, however bars are cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import BarBlock, Bool
from bot.config.universe import UniverseRule
from bot.errors import ConfigError
from bot.timegrid import DAY_MS, HOUR_MS
from bot.universe import Universe

FIRST = 19_000 * DAY_MS


def market(
    seed: int, n: int, S: int, step: int = 4 * HOUR_MS, first_ms: int = FIRST, holes: float = 0.2
) -> BarBlock:
    rng = np.random.default_rng(seed)
    close = np.exp(rng.normal(size=(n, S)))
    volume = np.exp(2.0 * rng.normal(size=(n, S)))
    there = rng.random((n, S)) > holes
    born = rng.integers(0, n, size=S)  # listings on the way
    there &= np.arange(n)[:, None] >= born
    nothing = np.where(there, 1.0, np.nan)
    told = np.where(rng.random((n, S)) < 0.5, volume * close * 1.1, np.nan) * nothing
    close, volume = close * nothing, volume * nothing
    times = np.arange(n, dtype=np.int64) * step + first_ms
    return BarBlock.of_candles(times, close, close, close, close, volume, turnover=told)


def members(rule: UniverseRule, bars: BarBlock, step: int, launch_ms: list[int]) -> Bool:
    return Universe(rule, step, launch_ms).advance(bars)


def looked_up(
    rule: UniverseRule, bars: BarBlock, step: int, launch_ms: list[int]
) -> list[set[int]]:
    """Return the members at each close, of every bar looked up anew, as the sentence says it."""
    out = []
    for time in bars.open_time.tolist():
        midnight = (time + step) // DAY_MS * DAY_MS
        turnover = {}
        for s, launch in enumerate(launch_ms):
            known = [
                (t, i) for i, t in enumerate(bars.open_time.tolist())
                if t + step <= midnight and bars.valid[i, s]
            ]  # fmt: skip
            listed = launch or (known[0][0] if known else None)
            if listed is None or listed + rule.listed_days * DAY_MS > midnight:
                continue
            turnover[s] = 0.0
            for t, i in known:
                if t + step > midnight - rule.days * DAY_MS:
                    told = float(bars.turnover[i, s])
                    turnover[s] += (
                        float(bars.volume[i, s] * bars.close[i, s]) if np.isnan(told) else told
                    )
        order = sorted(turnover, key=lambda s: (-turnover[s], s))[: rule.most]
        out.append({s for s in order if turnover[s] > 0.0})
    return out


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6), most=st.integers(1, 4), days=st.integers(1, 4),
    listed=st.integers(0, 4), step_h=st.sampled_from([1, 4, 12, 24]), shift_h=st.integers(0, 23),
)  # fmt: skip
def test_the_same_as_looked_up_day_by_day(
    seed: int, most: int, days: int, listed: int, step_h: int, shift_h: int
) -> None:
    step = step_h * HOUR_MS
    bars = market(seed, max(4 * 24 // step_h, 12), 5, step, FIRST + shift_h * HOUR_MS)
    rule = UniverseRule(most, days, listed)
    launches = [0, FIRST - 2 * DAY_MS, 0, FIRST + DAY_MS, 0]
    found = members(rule, bars, step, launches)
    expected = looked_up(rule, bars, step, launches)
    assert [set(np.flatnonzero(row).tolist()) for row in found] == expected


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_no_cut_between_blocks_changes_a_member(seed: int, data: st.DataObject) -> None:
    bars = market(seed, 60, 4)
    whole = members(UniverseRule(2, 3, 1), bars, 4 * HOUR_MS, [0] * 4)
    cuts = sorted(data.draw(st.sets(st.integers(1, 59), max_size=8)))
    universe = Universe(UniverseRule(2, 3, 1), 4 * HOUR_MS, [0] * 4)
    parts = [
        universe.advance(bars.rows(a, b)) for a, b in zip([0, *cuts], [*cuts, 60], strict=True)
    ]
    np.testing.assert_array_equal(np.vstack(parts), whole)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), at=st.integers(0, 59))
def test_the_future_decides_nothing(seed: int, at: int) -> None:
    bars, other = market(seed, 60, 4, holes=0.0), market(seed + 1, 60, 4, holes=0.0)
    later = np.arange(60)[:, None] > at
    changed = replace(
        bars,
        **{
            name: np.where(later, getattr(other, name), getattr(bars, name))
            for name in ("close", "volume", "turnover", "valid")
        },
    )
    rule = UniverseRule(2, 3)
    np.testing.assert_array_equal(
        members(rule, bars, 4 * HOUR_MS, [0] * 4)[: at + 1],
        members(rule, changed, 4 * HOUR_MS, [0] * 4)[: at + 1],
    )


def test_the_bar_that_ends_at_midnight_counts_and_later_ones_wait_a_day() -> None:
    n = 12  # two days of bars of four hours
    volume = np.ones((n, 2))
    volume[:, 1] = 0.5
    volume[5, 1] = 100.0  # it ends at the first midnight
    volume[6, 0] = 1000.0  # the first bar of the second day
    times = np.arange(n, dtype=np.int64) * 4 * HOUR_MS + FIRST
    one = np.ones((n, 2))
    bars = BarBlock.of_candles(times, one, one, one, one, volume)
    found = members(UniverseRule(1, 5), bars, 4 * HOUR_MS, [0, 0])
    assert found[:5].sum() == 0  # nothing was known at the midnight before
    assert found[5:11].tolist() == [[False, True]] * 6
    assert found[11].tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("top 20 by turnover over 30 days, listed 90 days", UniverseRule(20, 30, 90)),
        ("  Top 1  by turnover over 1 day ", UniverseRule(1, 1)),
        ("top 5 by turnover over 7 days , listed 1 day", UniverseRule(5, 7, 1)),
    ],
)
def test_a_rule_is_read(text: str, rule: UniverseRule) -> None:
    assert UniverseRule.parse(text) == rule


@pytest.mark.parametrize(
    "text",
    [
        "top by turnover", "top 20", "top 20 by volume over 30 days", "top -1 by turnover over 3 days",
        "top 2.5 by turnover over 3 days", "top 0 by turnover over 3 days", "top 1001 by turnover over 3 days",
        "top 2 by turnover over 0 days", "top 2 by turnover over 367 days", "all", " ",
        "top 2 by turnover over 3 days, listed -1 days", "top ٢ by turnover over 3 days",
        "top 2 by turnover over 3 days, listed 99999 days", "top 2 by turnover over 3 days; drop table",
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"market\.universe: .*top 20 by turnover over 30 days, listed 90 days"
    ):
        UniverseRule.parse(text)


def test_inverse_contracts_are_ranked_by_their_volume_in_dollars() -> None:
    """A turnover in coin would put a cheap coin first: 10 million of dollars in bitcoins are 250."""
    volume = np.tile([1e7, 1e6], (30, 1))
    price = np.tile([40_000.0, 0.5], (30, 1))
    bars = BarBlock.of_candles(
        np.arange(30) * DAY_MS, price, price, price, price, volume, turnover=volume / price
    )
    rule = UniverseRule(1, 7)
    assert Universe(rule, DAY_MS, [0, 0], inverse=True).advance(bars)[-1].tolist() == [True, False]
    assert Universe(rule, DAY_MS, [0, 0]).advance(bars)[-1].tolist() == [False, True]
