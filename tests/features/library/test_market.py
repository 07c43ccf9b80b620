"""The market's returns and breadth, against pandas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from bot.features.library.market import BREADTHS, GROUP, RETURNS
from tests.features.library.conftest import Compute, market_of


def test_they_are_what_pandas_says(compute: Compute) -> None:
    bars = market_of(400)
    bars.valid[50] = False  # a bar that nobody has is none of the market's
    close = pd.DataFrame(np.where(bars.valid, bars.close, np.nan))
    r = close.apply(lambda series: np.log(series.dropna()).diff()).reindex(close.index)
    rows = r.dropna(how="all").index
    market = r.loc[rows].mean(axis=1)
    found = compute(bars, GROUP.names)
    for n in RETURNS:
        expected = market.rolling(n).sum().reindex(close.index).to_numpy()
        _same(found[f"market_return_{n}"], expected, bars.valid)
    for n in BREADTHS:
        rose = r.loc[rows].fillna(0.0).rolling(n).sum() > 0.0
        there = r.loc[rows].notna()
        share = (rose & there).sum(axis=1) / there.sum(axis=1)
        share.iloc[: n - 1] = np.nan
        _same(found[f"breadth_{n}"], share.reindex(close.index).to_numpy(), bars.valid)


def _same(found: np.ndarray, expected: np.ndarray, valid: np.ndarray) -> None:
    np.testing.assert_allclose(
        found, np.where(valid, expected[:, None], np.nan), rtol=1e-9, atol=1e-12
    )


def test_a_symbol_that_comes_late_takes_part_from_its_second_bar(compute: Compute) -> None:
    bars = market_of(60)
    bars.valid[:] = True
    for name in ("open", "high", "low", "close", "volume"):
        getattr(bars, name)[:] = 100.0
    bars.valid[:30, 2] = False
    close = bars.close.copy()
    close[31:, 2] = 110.0
    late = replace(bars, close=close)
    [found] = compute(late, ["breadth_1"]).values()
    assert found[30, 0] == 0.0
    assert found[31, 0] == 1 / 3
    assert np.isnan(found[29, 2])
