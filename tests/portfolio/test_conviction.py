"""The signal against the words of the reference, and that the unknown stays unknown."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.portfolio.conviction import Factor, signal_from

returns = st.floats(-0.1, 0.1)
chances = st.floats(0.0, 1.0)


@given(returns, chances)
def test_the_two_factors(expected: float, p_up: float) -> None:
    r, p = np.array([[expected]]), np.array([[p_up]])
    assert signal_from(r, p, "probability")[0, 0] == expected * p_up
    sure = p_up if expected > 0 else 1.0 - p_up
    assert signal_from(r, p, "confidence")[0, 0] == expected * sure


@given(returns, chances)
def test_confidence_treats_long_and_short_alike(expected: float, p_up: float) -> None:
    r, p = np.array([[expected]]), np.array([[p_up]])
    mirrored = signal_from(-r, 1.0 - p, "confidence")
    assert mirrored == pytest.approx(-signal_from(r, p, "confidence"), abs=1e-15)


@pytest.mark.parametrize("factor", ["confidence", "probability"])
def test_the_unknown_stays_unknown(factor: Factor) -> None:
    r, p = np.array([[math.nan, 0.01, -0.01]]), np.array([[0.5, math.nan, math.nan]])
    assert np.isnan(signal_from(r, p, factor)).all()
