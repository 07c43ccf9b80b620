"""Work in spans of rows: the same bits as on all rows at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import room
from bot.model.room import IN_MEMORY, deviations, filled, known_of, spans, squares_of


@pytest.fixture(autouse=True, scope="module")
def short_spans() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "SPAN_ROWS", 7)
        yield


@given(st.integers(0, 40), st.integers(1, 9))
def test_spans_cover_every_row_once(n: int, rows: int) -> None:
    assert [i for span in spans(n, rows) for i in range(n)[span]] == list(range(n))


@given(st.integers(1, 60), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_sums_have_the_bits_of_numpys_own(n: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, width)) * 10.0 ** random.integers(-6, 6, width)
    assert deviations(x).tobytes() == x.std(axis=0).tobytes()
    column = np.where(random.random(n) < 0.3, np.nan, x[:, 0])
    known = known_of(column, IN_MEMORY)
    np.testing.assert_array_equal(known, column[~np.isnan(column)])
    if len(known):
        deviation = np.sqrt(squares_of(known, IN_MEMORY, known.mean()).mean())
        assert deviation == known.std()


def test_an_array_is_filled_span_by_span() -> None:
    x = np.arange(40.0).reshape(20, 2)
    seen = []

    def rows_of(span: slice) -> np.ndarray:
        seen.append(span)
        return x[span] + 1.0

    np.testing.assert_array_equal(filled(IN_MEMORY, (20, 2), np.float64, rows_of), x + 1.0)
    assert [(span.start, span.stop) for span in seen] == [(0, 7), (7, 14), (14, 20)]
