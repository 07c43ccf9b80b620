"""Features and targets of a user's own: what they see, and the laws they keep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.parts.market import SYMBOLS, made_market, with_other_future
from bot.blocks import F64, BarBlock, Task
from bot.config.schema import Features
from bot.errors import ConfigError
from bot.features import FeaturePipeline, compute_targets
from bot.parts.plugins import load_plugins
from bot.timegrid import HOUR_MS
from tests.parts.conftest import MINE, Write

NAMES = ("rank", "return_1", "true_range", "mean_close")


def pipeline_of(write: Write, **window: int) -> FeaturePipeline:
    load_plugins([str(write())])
    config = Features(names=NAMES, settings={"mean_close": window} if window else {})
    return FeaturePipeline(config, SYMBOLS, HOUR_MS)


def cut(pipeline: FeaturePipeline, bars: BarBlock, lengths: list[int]) -> F64:
    state, rows, start = pipeline.initial(), [], 0
    for length in [*lengths, len(bars)]:
        stop = min(start + length, len(bars))
        if stop > start:
            state, block = pipeline.advance(state, bars.rows(start, stop))
            rows.append(block.x)
        start = stop
    return np.concatenate(rows)


def test_they_are_what_pandas_makes_of_each_symbols_own_bars(write: Write) -> None:
    bars = made_market(200)
    x = cut(pipeline_of(write, window=7), bars, [])
    for s in range(bars.n_symbols):
        at = np.flatnonzero(bars.valid[:, s])
        own = pd.DataFrame({c: getattr(bars, c)[at, s] for c in ("high", "low", "close")})
        before = own.close.shift()
        rng = (own.high.combine(before, max) - own.low.combine(before, min)) / own.close
        mean = own.close.rolling(7).mean() / own.close
        ready = np.isfinite(x[at, s, 0])
        assert ready.sum() > 100
        np.testing.assert_allclose(x[at, s, 2][ready], rng.to_numpy()[ready], rtol=1e-12)
        np.testing.assert_allclose(x[at, s, 3][ready], mean.to_numpy()[ready], rtol=1e-12)
    change = pd.DataFrame(np.where(bars.valid, bars.close, np.nan)).pipe(lambda c: c / c.shift(2))
    lower = np.array(
        [(change.to_numpy() < change.to_numpy()[:, [s]]).sum(axis=1) for s in range(3)]
    ).T
    known = np.isfinite(x[:, :, 0])
    np.testing.assert_array_equal(x[:, :, 0][known], lower[known])


@settings(deadline=None, max_examples=25)
@given(lengths=st.lists(st.integers(1, 40), max_size=30), window=st.integers(2, 30))
def test_any_cut_into_blocks_gives_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], window: int
) -> None:
    path = tmp_path_factory.mktemp("parts") / "mine.py"
    path.write_text(MINE)
    load_plugins([str(path)])
    config = Features(names=NAMES, settings={"mean_close": {"window": window}})
    pipeline, bars = FeaturePipeline(config, SYMBOLS, HOUR_MS), made_market(150)
    np.testing.assert_array_equal(cut(pipeline, bars, lengths), cut(pipeline, bars, []))


def test_no_bar_to_come_changes_one(write: Write) -> None:
    pipeline, bars = pipeline_of(write), made_market(150)
    whole, other = (cut(pipeline, b, []) for b in (bars, with_other_future(bars, 80)))
    np.testing.assert_array_equal(whole[:81], other[:81])
    assert not np.array_equal(whole[81:], other[81:], equal_nan=True)


def test_a_row_is_ready_when_every_window_is_full(write: Write) -> None:
    pipeline, bars = pipeline_of(write, window=9), made_market(60)
    assert pipeline.warmup_bars == 9
    ready = pipeline.advance(pipeline.initial(), bars)[1].ready
    seen = bars.valid.cumsum(axis=0)
    assert not ready[seen < 9].any()
    assert not ready[~bars.valid].any()
    assert ready.any()


def test_a_label_is_of_the_horizon_and_known_at_its_end(write: Write) -> None:
    load_plugins([str(write())])
    bars = made_market(120)
    y, known = compute_targets(bars, (Task("upside", 4), Task("return", 4)), 20)
    np.testing.assert_array_equal(known[:, :, 0], known[:, :, 1])
    for s in range(bars.n_symbols):
        high, close = bars.high[:, s], bars.close[:, s]
        for t in range(len(bars) - 4):
            whole = bars.valid[t : t + 5, s].all()
            expected = high[t + 1 : t + 5].max() / close[t] - 1.0 if whole else np.nan
            np.testing.assert_allclose(y[t, s, 0], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "(open, high):\n    '''X.'''\n    return 1.0",
            r"line 3: feature 'x' takes \(open, high\), expected 6",
        ),
        ("(a, b, c, d, e, f):\n    '''X.'''\n    d[0] = 1.0\n    return 1.0", "readonly"),
        ("(a, b, c, d, e, f):\n    '''X.'''\n    return {}[d]", "does not compile"),
    ],
)
def test_what_does_not_compile_is_told_by_line(write: Write, body: str, told: str) -> None:
    path = write(f"from bot.parts import feature\n\n@feature('x', bars=2)\ndef x{body}\n")
    load_plugins([str(path)])
    with pytest.raises(ConfigError, match=told) as refused:
        FeaturePipeline(Features(names=("x",)), SYMBOLS, HOUR_MS)
    assert str(path) in str(refused.value)


def test_a_number_of_bars_that_makes_no_sense_is_refused(write: Write) -> None:
    source = MINE.replace("lambda own: own.window", "lambda own: own.window / 2")
    load_plugins([str(write(source))])
    with pytest.raises(ConfigError, match=r"'mean_close' reads 2\.0 bars; expected a whole number"):
        FeaturePipeline(Features(names=("mean_close",)), SYMBOLS, HOUR_MS)


@pytest.mark.parametrize(
    ("decorator", "ask"),
    [
        ("feature('x', bars=2)", lambda: cut(FeaturePipeline(Features(names=("x",)), SYMBOLS, HOUR_MS), made_market(20), [])),
        ("target('x')", lambda: compute_targets(made_market(20), (Task("x", 1),), 20)),
    ],
)  # fmt: skip
def test_an_index_outside_its_bars_is_an_error_and_no_number(
    write: Write, decorator: str, ask: Callable[[], object]
) -> None:
    head = "from bot.parts import feature, target\n\n"
    path = write(f"{head}@{decorator}\ndef x(a, b, c, d, e, f):\n    '''X.'''\n    return d[2]\n")
    load_plugins([str(path)])
    with pytest.raises(ConfigError, match=r"mine\.py, line 3: IndexError"):
        ask()
