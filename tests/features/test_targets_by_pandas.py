"""The base targets as a pandas user would write them, and the bar at which an archive may use them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bot.app.training.archive import Archive
from bot.blocks import BarBlock, Bool, FeatureBlock, Task
from bot.config import load_config
from bot.features import compute_targets
from bot.features.targets import target_tasks

Load = Callable[..., BarBlock]
WINDOW = 4


def by_pandas(bars: BarBlock, s: int, h: int) -> pd.DataFrame:
    close, volume = pd.Series(bars.close[:, s]), pd.Series(bars.volume[:, s])
    returns = close.pct_change(fill_method=None)
    ahead = close.shift(-h) / close - 1.0
    deviation = returns.rolling(h).std(ddof=1).shift(-h) if h > 1 else returns.abs().shift(-1)
    later = volume.rolling(h).mean().shift(-h)
    usual = volume.rolling(WINDOW).mean()
    return pd.DataFrame(
        {
            "return": ahead,
            "direction": (ahead > 0).astype(float).where(ahead.notna()),
            "volatility": deviation,
            "volume": np.log((later / usual).where((later > 0.0) & (usual > 0.0))),
        }
    )


@pytest.mark.parametrize("h", [1, 2, 5, 24])
def test_labels_of_whole_days_are_pandas(random_market: Load, h: int) -> None:
    bars = random_market(120, 3, 11, 0.0, 0.0)
    tasks = tuple(Task(kind, h) for kind in ("return", "direction", "volatility", "volume"))
    y, known = compute_targets(bars, tasks, WINDOW)
    for s in range(3):
        expected = by_pandas(bars, s, h)
        for k, task in enumerate(tasks):
            np.testing.assert_allclose(
                y[:, s, k], expected[task.kind], rtol=1e-9, atol=1e-13, equal_nan=True
            )
    assert (known[:-h] == np.arange(h, 120)[:, None, None]).all()
    assert (known[-h:] == -1).all()


def test_a_price_that_does_not_move() -> None:
    """No rise is no direction up; neither does it deviate."""
    flat = np.full((8, 1), 100.0)
    bars = BarBlock.of_candles(
        np.arange(8, dtype=np.int64) * 3_600_000, flat, flat, flat, flat, np.ones((8, 1))
    )
    tasks = tuple(Task(kind, 2) for kind in ("return", "direction", "volatility", "volume"))
    y, _ = compute_targets(bars, tasks, WINDOW)
    np.testing.assert_array_equal(y[3:6, 0], [[0.0, 0.0, 0.0, 0.0]] * 3)
    assert np.isnan(y[:3, 0, 3]).all()
    assert np.isnan(y[6:]).all()


def test_volume_of_nothing_has_no_logarithm() -> None:
    price = np.linspace(100.0, 101.0, 12)[:, None]
    volume = np.ones((12, 1))
    volume[6:8] = 0.0
    bars = BarBlock.of_candles(
        np.arange(12, dtype=np.int64) * 3_600_000, price, price, price, price, volume
    )
    y, _ = compute_targets(bars, (Task("volume", 2),), WINDOW)
    found = y[:, 0, 0]
    assert np.isnan(found[5])  # both bars ahead are empty
    assert found[4] == pytest.approx(np.log(0.5))  # one of two
    assert found[7] == pytest.approx(np.log(1.0 / 0.5))  # two of the last four were empty


def rows_of(bars: BarBlock, ready: Bool, due: int, *sets: str) -> pd.DataFrame:
    config = load_config(
        None,
        ["data.source=synthetic", "synthetic.symbols=2", "training.window_bars=40",
         "training.min_rows=10", "features.window=4", "features.medium_window=6",
         "features.long_window=8", *sets], {},
    )  # fmt: skip
    archive = Archive(config, target_tasks(config.targets))
    marks = np.arange(len(bars), dtype=np.float64)[:, None, None] + np.zeros((1, 2, 1))
    archive.extend(bars, FeatureBlock(marks, ready))
    made = archive.dataset(due)
    table = pd.DataFrame(made.y, columns=[task.name for task in made.tasks])
    return table.assign(bar=made.bar, symbol=made.symbol, due=made.known_at, x=made.x[:, 0])


@pytest.mark.parametrize("horizons", ["5", "1,5,24"])
def test_an_archive_gives_what_was_known_and_nothing_else(
    random_market: Load, horizons: str
) -> None:
    bars = random_market(120, 2, 5, 0.0, 0.0)
    ready = np.ones((120, 2), dtype=np.bool_)
    ready[::7, 1] = False
    due = 100
    rows = rows_of(bars, ready, due, f"targets.horizons={horizons}")
    assert (rows["x"] == rows["bar"]).all(), "features are those of the label's own bar"
    shortest = min(int(h) for h in horizons.split(","))
    expected = [
        (t, s) for t in range(due + 1 - 40, due - shortest + 1) for s in range(2) if ready[t, s]
    ]
    assert list(zip(rows["bar"], rows["symbol"], strict=True)) == expected
    # cut at the due bar, as whoever lived then would have: later bars are not there
    then = bars.rows(0, due + 1)
    for h in map(int, horizons.split(",")):
        for s in range(2):
            own, frame = rows[rows["symbol"] == s], by_pandas(then, s, h)
            for kind in frame:
                np.testing.assert_allclose(
                    own[f"{kind}_{h}"], frame[kind].to_numpy()[own["bar"]], rtol=1e-9,
                    atol=1e-13, equal_nan=True,
                )  # fmt: skip
    # a row is due when the last of the labels it has is known, never after the due bar
    last = rows["bar"] + np.max(
        [np.where(rows[f"return_{h}"].notna(), int(h), 0) for h in horizons.split(",")], axis=0
    )
    assert (rows["due"] == last).all()
    assert rows["due"].max() == due


def test_bars_out_of_session_are_skipped_when_a_label_falls_due(random_market: Load) -> None:
    bars = random_market(60, 2, 5, 0.0, 0.0)
    in_session = np.ones((60, 2), dtype=np.bool_)
    in_session[30:40, 0] = False
    bars = replace(bars, in_session=in_session, valid=bars.valid & in_session)
    rows = rows_of(bars, bars.valid, 50)
    dues = {(b, s): d for b, s, d in zip(rows["bar"], rows["symbol"], rows["due"], strict=True)}
    assert dues[28, 0] == 43  # 29, then 40, 41, 42, 43
    assert dues[28, 1] == 33
    assert (35, 0) not in dues
    assert max(b for b, s in dues if s == 0) == max(b for b, s in dues if s == 1) == 45
