from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import Task
from bot.errors import DataError
from bot.model.dataset import Dataset, split_chronological

MakeDataset = Callable[..., Dataset]


def bare(bar: list[int], horizon: int, known_at: list[int] | None = None) -> Dataset:
    n = len(bar)
    return Dataset(
        x=np.arange(n, dtype=np.float64)[:, None],
        y=np.zeros((n, 1)),
        bar=np.array(bar, dtype=np.int64),
        symbol=np.zeros(n, dtype=np.int64),
        tasks=(Task("return", horizon),),
        known_at=None if known_at is None else np.array(known_at, dtype=np.int64),
    )


@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=120),
    st.integers(1, 12),
    st.integers(0, 30),
    st.floats(0.05, 0.8),
)
def test_no_training_label_reaches_a_validation_bar(
    bars: list[int], horizon: int, embargo: int, fraction: float
) -> None:
    dataset = bare(bars, horizon)
    try:
        fitted, held = split_chronological(dataset, fraction, embargo)
    except DataError:
        return
    first = held.bar.min()
    assert len(fitted) > 0
    assert (fitted.bar + horizon < first).all()
    assert (fitted.bar + embargo < first).all()
    # nothing but the embargo is lost, and the validation part is the whole end
    assert (held.bar >= first).sum() == (dataset.bar >= first).sum()
    lost = np.setdiff1d(dataset.bar, np.concatenate([fitted.bar, held.bar]))
    assert ((lost < first) & (lost >= first - max(horizon, embargo))).all()


def test_split_by_hand() -> None:
    fitted, held = split_chronological(bare(list(range(10)) * 2, horizon=2), 0.3, 0)
    assert fitted.bar.tolist() == [0, 1, 2, 3, 4] * 2
    assert held.bar.tolist() == [7, 8, 9] * 2


def test_split_respects_a_due_bar_beyond_the_horizon() -> None:
    dataset = bare(list(range(10)), horizon=1, known_at=[1, 2, 9, 4, 5, 6, 7, 8, 9, 10])
    fitted, _ = split_chronological(dataset, 0.3, 0)
    assert fitted.bar.tolist() == [0, 1, 3, 4, 5]


def test_split_refuses_what_leaves_no_rows() -> None:
    with pytest.raises(DataError, match="longer window"):
        split_chronological(bare([1, 1, 1], horizon=1), 0.5, 0)
    with pytest.raises(DataError, match="embargo of 9 bars"):
        split_chronological(bare(list(range(10)), horizon=1), 0.3, 9)


def test_digest_sees_every_array_and_no_memory_layout(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(n_bars=20)
    assert dataset.digest() == make_dataset(n_bars=20).digest()
    assert replace(dataset, x=np.asfortranarray(dataset.x)).digest() == dataset.digest()
    assert replace(dataset, y=dataset.y.astype(">f8")).digest() == dataset.digest()
    y = np.where(np.isnan(dataset.y), -np.nan, dataset.y)
    assert replace(dataset, y=y).digest() == dataset.digest()
    seen = {dataset.digest()}
    for other in (
        replace(dataset, x=dataset.x + 1.0),
        replace(dataset, y=np.full_like(dataset.y, np.nan)),
        replace(dataset, bar=dataset.bar + 1),
        replace(dataset, symbol=dataset.symbol + 1),
        replace(dataset, known_at=dataset.bar + 5),
        replace(dataset, tasks=tuple(Task(t.kind, 4) for t in dataset.tasks)),
    ):
        assert other.digest() not in seen
        seen.add(other.digest())


def test_refuses_arrays_that_do_not_fit(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(n_bars=10)
    bad_x, bad_y, half = dataset.x.copy(), dataset.y.copy(), dataset.y.copy()
    bad_x[7, 2] = np.nan
    bad_y[4, 0] = np.inf
    half[3, 1] = 0.5
    with pytest.raises(DataError, match="feature 2 of row 7"):
        replace(dataset, x=bad_x)
    with pytest.raises(DataError, match="return_5 of row 4"):
        replace(dataset, y=bad_y)
    with pytest.raises(DataError, match="direction_5 of row 3"):
        replace(dataset, y=half)
    with pytest.raises(DataError, match="expected"):
        replace(dataset, y=dataset.y[:, :2])
    with pytest.raises(DataError, match="bar is"):
        replace(dataset, bar=dataset.bar[1:])
    with pytest.raises(DataError, match="twice"):
        replace(dataset, tasks=(dataset.tasks[0],) * 4)


def windowed(last: list[int]) -> Dataset:
    """Rows that read three of ten bars each."""
    plain = bare(list(range(len(last))), horizon=1)
    x = np.arange(10, dtype=np.float64)[:, None]
    return replace(plain, x=x, last=np.array(last, dtype=np.int64), lookback=3)


def test_windows_overlap_and_stand_once() -> None:
    dataset = windowed([2, 3, 8, 9])
    some = dataset.rows(np.array([True, False, False, True]))
    assert (len(dataset), len(some), some.n_features) == (4, 2, 1)
    assert dataset.features_read()[:, 0].tolist() == [0, 1, 2, 3, 6, 7, 8, 9]
    assert some.features_read()[:, 0].tolist() == [0, 1, 2, 7, 8, 9]
    assert some.newest().x[:, 0].tolist() == [2, 9]
    assert (some.newest().last, some.newest().lookback) == (None, 1)
    x, ready, windows, _ = some.as_bars()
    assert windows is not None
    assert (x[:, 0, 0].tolist(), ready.tolist()) == ([2, 9], [[True], [True]])
    assert (windows.last.tolist(), windows.lookback) == ([[2], [9]], 3)
    digests = {d.digest() for d in (dataset, some, windowed([2, 3, 8, 8]), dataset.newest())}
    assert len(digests) == 4


@pytest.mark.parametrize("last", [[1, 5], [5, 10]])
def test_a_window_outside_the_table_is_refused(last: list[int]) -> None:
    with pytest.raises(DataError, match="a window of 3 rows lies outside the 10 rows"):
        windowed(last)
    with pytest.raises(DataError, match="a window of 2 rows lies outside"):
        replace(bare([0, 1], horizon=1), lookback=2)
