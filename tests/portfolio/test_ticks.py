"""Prices on the tick: against the account, never off it, and the decimal numbers that they are."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.portfolio.ticks import on_tick

TICKS = ["0.1", "0.01", "0.0001", "0.5", "0.05", "0.25", "2.5", "1", "10", "0.00000001", "0.03"]


@pytest.mark.parametrize(
    ("price", "side", "tick", "expected"),
    [
        (103.02, 1.0, 0.1, 103.1),
        (103.08, -1.0, 0.1, 103.0),
        (103.1, 1.0, 0.1, 103.1),
        (103.1, -1.0, 0.1, 103.1),
        (103.02, 1.0, 0.0, 103.02),
        (0.04, -1.0, 0.1, 0.1),
        (0.9, 1.0, 0.3, 0.9),
        (1e-8, -1.0, 0.1, 0.1),
        (0.30000000000000004, -1.0, 0.3, 0.30000000000000004),
    ],
)
def test_by_hand(price: float, side: float, tick: float, expected: float) -> None:
    """Nothing is sold for nothing; and three times 0.3 is not quite 0.9, which stays as it is."""
    assert on_tick(price, side, tick) == expected


@given(st.sampled_from(TICKS), st.floats(1e-3, 1e7), st.sampled_from([1.0, -1.0]))
def test_as_decimal_arithmetic_has_it(text: str, price: float, side: float) -> None:
    """Within a millionth of a tick of one, either neighbour is right."""
    tick, exact = Decimal(text), Decimal(price)
    found = on_tick(price, side, float(text))
    rounding = ROUND_CEILING if side > 0 else ROUND_FLOOR
    expected = max((exact / tick).to_integral_value(rounding), Decimal(1)) * tick
    nearest = max((exact / tick).to_integral_value(), Decimal(1)) * tick
    if abs(exact / tick - nearest / tick) <= Decimal("2e-6"):
        assert found == pytest.approx(float(nearest), rel=1e-12)
    else:
        assert found == pytest.approx(float(expected), rel=1e-15)
    assert (found - price) * side >= -2e-6 * float(text) or found == float(text)


@given(st.sampled_from(TICKS[:8]), st.integers(1, 10**7), st.sampled_from([1.0, -1.0]))
def test_a_price_on_the_tick_stays(text: str, ticks: int, side: float) -> None:
    price = float(Decimal(text) * ticks)
    assert on_tick(price, side, float(text)) == price
