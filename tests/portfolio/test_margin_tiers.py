"""The built-in margin tiers, held against what Bybit told, and how they are found."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.portfolio.instruments import Instrument, Tier, fault_of
from bot.portfolio.margin_tiers import BTCUSDT, OF_OTHERS, tiers_of
from bot.venues import venue_row

TOLD_BTC = {1: 0, 2: 1200, 8: 20_500, 14: 452_000, 21: 1_882_000, 28: 6_982_000, 35: 226_382_000}
TOLD_ADA = {1: 0, 2: 500, 9: 47_000, 15: 164_000, 28: 3_009_000, 30: 15_809_000}
"""The deductions of some tiers in risk-limit on 2026-08-05, by their number."""


@pytest.mark.parametrize(("tiers", "told"), [(BTCUSDT, TOLD_BTC), (OF_OTHERS, TOLD_ADA)])
def test_the_deductions_are_those_that_bybit_told(
    tiers: tuple[Tier, ...], told: dict[int, int]
) -> None:
    assert {k: tiers[k - 1].maintenance_deduction for k in told} == told
    assert max(told) == len(tiers)
    assert fault_of(Instrument(1.0, 0.0, 0.0, tiers=tiers)) == ""


@pytest.mark.parametrize("tiers", [BTCUSDT, OF_OTHERS])
@given(share=st.floats(0.0, 1.0))
def test_the_margin_is_that_of_each_part_at_the_rate_of_its_tier(
    tiers: tuple[Tier, ...], share: float
) -> None:
    value = share * tiers[-1].limit_value
    tier = next(t for t in tiers if value <= t.limit_value)
    margin, below = 0.0, 0.0
    for each in tiers:
        margin += max(min(value, each.limit_value) - below, 0.0) * each.maintenance_rate
        below = each.limit_value
    told = value * tier.maintenance_rate - tier.maintenance_deduction
    assert told == pytest.approx(margin, rel=1e-12, abs=1e-6)


def test_leverage_falls_with_size() -> None:
    for tiers in (BTCUSDT, OF_OTHERS):
        leverages = [tier.max_leverage for tier in tiers]
        assert leverages == sorted(leverages, reverse=True)
        assert all(t.maintenance_rate < 1.0 / t.max_leverage for t in tiers)


def test_told_tiers_go_before_the_built_in_ones() -> None:
    own = (Tier(10.0, 0.1, 0.0, 5.0),)
    linear, spot = venue_row("bybit_linear"), venue_row("bybit_spot")
    assert tiers_of(linear, "BTCUSDT", Instrument(1.0, 0.0, 0.0, tiers=own)) == own
    assert tiers_of(linear, "BTCUSDT", Instrument(1.0, 0.0, 0.0)) == BTCUSDT
    assert tiers_of(linear, "AVAXUSDT", None) == OF_OTHERS
    assert tiers_of(spot, "BTCUSDT", None) == ()
    inverse = venue_row("bybit_inverse")
    assert tiers_of(inverse, "BTCUSD", Instrument(1.0, 0.0, 0.0, tiers=own)) == own
    assert tiers_of(inverse, "ETHUSD", None) == ()


def test_bitcoins_inverse_tiers_are_those_that_were_answered() -> None:
    """As the documentation's example, which `tests/adapters/bybit/test_instruments.py` reads."""
    found = tiers_of(venue_row("bybit_inverse"), "BTCUSD", None)
    assert found == (Tier(150.0, 0.005, 0.0, 100.0), Tier(300.0, 0.01, 0.75, 66.67))


@pytest.mark.parametrize(
    ("tiers", "fault"),
    [
        ((Tier(2.0, 0.1, 0.0, 5.0), Tier(1.0, 0.2, 0.0, 4.0)), "order"),
        ((Tier(0.0, 0.1, 0.0, 5.0),), "order"),
        ((Tier(math.inf, 0.1, 0.0, 5.0),), "order"),
        ((Tier(math.nan, 0.1, 0.0, 5.0),), "order"),
        ((Tier(1.0, 1.0, 0.0, 5.0),), "maintenance_rate"),
        ((Tier(1.0, 0.0, 0.0, 5.0),), "maintenance_rate"),
        ((Tier(1.0, 0.1, -1.0, 5.0),), "maintenance_deduction"),
        ((Tier(1.0, 0.1, 0.0, 0.5),), "max_leverage"),
        ((Tier(1.0, 0.1, 0.0, math.inf),), "max_leverage"),
    ],
)
def test_tiers_that_cannot_be_true_are_told(tiers: tuple[Tier, ...], fault: str) -> None:
    assert fault in fault_of(Instrument(1.0, 0.0, 0.0, tiers=tiers))
