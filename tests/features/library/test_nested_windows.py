"""Volatilities and scaled returns, against pandas."""

from __future__ import annotations

import numpy as np
import pytest

from bot.features.library.nested_windows import GROUP, WINDOWS
from tests.features.library.conftest import Compute, market_of, own

BARS = market_of(900)


def test_they_are_what_pandas_says(compute: Compute) -> None:
    found = compute(BARS, GROUP.names)
    for s in range(3):
        frame = own(BARS, s)
        r = np.log(frame.close).diff()
        parkinson = np.log(frame.high / frame.low) ** 2 / (4 * np.log(2))
        garman_klass = (
            0.5 * np.log(frame.high / frame.low) ** 2
            - (2 * np.log(2) - 1) * np.log(frame.close / frame.open) ** 2
        )
        expected = {}
        for n in WINDOWS:
            expected[f"log_volatility_{n}"] = 0.5 * np.log((r**2).rolling(n).mean())
            expected[f"log_range_{n}"] = 0.5 * np.log(parkinson.rolling(n).mean())
            expected[f"log_garman_klass_{n}"] = 0.5 * np.log(garman_klass.rolling(n).mean())
            if n < 720:
                scale = np.sqrt((r**2).rolling(168).mean() * n)
                expected[f"scaled_return_{n}"] = r.rolling(n).sum() / scale
        assert set(expected) == set(GROUP.names)
        for name, series in expected.items():
            np.testing.assert_allclose(
                found[name][BARS.valid[:, s], s], series, rtol=1e-9, atol=1e-12, err_msg=name
            )


@pytest.mark.parametrize("n", WINDOWS)
def test_a_price_that_stands_still_has_numbers(compute: Compute, n: int) -> None:
    bars = market_of(900)
    for name in ("open", "high", "low", "close"):
        getattr(bars, name)[:] = np.where(bars.valid, 1.0, np.nan)
    names = [name for name in GROUP.names if name.endswith(f"_{n}")]
    for name, values in compute(bars, names).items():
        last = values[bars.valid][-1]
        assert last == (0.0 if name.startswith("scaled") else pytest.approx(np.log(1e-6)))
