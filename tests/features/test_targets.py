"""The targets against a loop that is too plain to be wrong, and when they are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from bot.blocks import F64, I64, BarBlock, Task
from bot.config.schema import BASE_KINDS, Targets
from bot.errors import ConfigError
from bot.features import compute_targets, target_tasks
from bot.features.targets import known_at

Load = Callable[..., BarBlock]
TASKS = tuple(Task(kind, horizon) for horizon in (1, 2, 5) for kind in BASE_KINDS)
WINDOW = 4
shared_fixture = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40
)


def label(block: BarBlock, s: int, ahead: list[int], kind: str) -> float:
    """Return the label at ahead[0]; the others are the h bars in session after it."""
    if not all(block.valid[ahead, s]):
        return math.nan
    P = block.close[ahead, s]
    change = P[-1] / P[0] - 1
    if kind == "return":
        return float(change)
    if kind == "direction":
        return float(change > 0)
    if kind == "volatility":
        r1 = P[1:] / P[:-1] - 1
        return float(np.std(r1, ddof=1)) if len(r1) > 1 else float(abs(r1[0]))
    past = [i for i in range(ahead[0] + 1) if block.valid[i, s]][-WINDOW:]
    usual, later = block.volume[past, s].mean(), block.volume[ahead[1:], s].mean()
    if len(past) < WINDOW or not usual > 0 or not later > 0:
        return math.nan
    return math.log(later) - math.log(usual)


def oracle(block: BarBlock) -> tuple[F64, I64]:
    shape = (len(block), block.n_symbols, len(TASKS))
    y, known = np.full(shape, np.nan), np.full(shape, -1)
    for i, s, k in np.ndindex(shape):
        task = TASKS[k]
        after = [j for j in range(i + 1, len(block)) if block.in_session[j, s]][: task.horizon]
        if len(after) == task.horizon:
            known[i, s, k] = after[-1]
            if block.in_session[i, s]:
                y[i, s, k] = label(block, s, [i, *after], task.kind)
    return y, known


@shared_fixture
@given(
    seed=st.integers(0, 10**6),
    missing=st.sampled_from([0.0, 0.05, 0.3]),
    closed=st.sampled_from([0.0, 0.3]),
)
def test_labels_are_those_of_a_plain_loop(
    random_market: Load, seed: int, missing: float, closed: float
) -> None:
    block = random_market(40, 2, seed, missing, closed)
    y, known = compute_targets(block, TASKS, WINDOW)
    expected_y, expected_known = oracle(block)
    np.testing.assert_array_equal(known, expected_known)
    np.testing.assert_allclose(y, expected_y, rtol=0, atol=1e-12, equal_nan=True)


@shared_fixture
@given(seed=st.integers(0, 10**6), last=st.integers(0, 38))
def test_nothing_after_the_bar_at_which_it_is_known_changes_a_label(
    random_market: Load, seed: int, last: int
) -> None:
    block = random_market(40, 2, seed, missing=0.1, closed=0.2)
    y, known = compute_targets(block, TASKS, WINDOW)
    other = random_market(40, 2, seed + 1, missing=0.3, closed=0.1)
    mixed = BarBlock.concat([block.rows(0, last + 1), other.rows(last + 1, 40)])
    short = block.rows(0, last + 1)
    settled = (known >= 0) & (known <= last)
    for bars in (mixed, short):
        y_then, known_then = compute_targets(bars, TASKS, WINDOW)
        there = settled[: len(bars)]
        np.testing.assert_array_equal(y[: len(bars)][there], y_then[there])
        np.testing.assert_array_equal(known[: len(bars)][there], known_then[there])
    assert not settled[last + 1 :].any()


@pytest.mark.parametrize(("symbol", "interval"), [("BTCUSDT", "1h"), ("BNBUSDT", "1m")])
def test_real_candles_to_a_billionth(load: Load, symbol: str, interval: str) -> None:
    block, h, w = load([symbol], interval, 40_000), 5, 20
    y, known = compute_targets(block, target_tasks(Targets()), w)
    P = block.close[:, 0].astype(np.longdouble)
    v = block.volume[:, 0].astype(np.longdouble)
    ahead = P[h:] / P[:-h] - 1
    r1 = sliding_window_view(P[1:] / P[:-1] - 1, h)
    squares = ((r1 - r1.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    later = sliding_window_view(v[w:], h).mean(axis=1)
    usual = sliding_window_view(v, w).mean(axis=1)[:-h]
    fine = (later > 0) & (usual > 0)
    volume = np.log(np.where(fine, later, 1)) - np.log(np.where(fine, usual, 1))
    expected = [ahead, ahead > 0, np.sqrt(squares / (h - 1)), np.where(fine, volume, np.nan)]
    for k, values in enumerate(expected):
        got = y[len(block) - h - len(values) : -h, 0, k]
        np.testing.assert_allclose(got, values.astype(float), rtol=0, atol=1e-9, equal_nan=True)
    assert np.isnan(y[-h:]).all()
    assert (known[-h:] == -1).all()
    np.testing.assert_array_equal(known[:-h, 0, 0], np.arange(h, len(block)))


def test_volume_of_nothing_is_not_known(random_market: Load) -> None:
    block = random_market(30, 1, seed=1)
    block.volume[:] = 1.0
    block.volume[10:16] = 0.0
    y, known = compute_targets(block, (Task("volume", 2),), WINDOW)
    undefined = np.isnan(y[:, 0, 0]) & (known[:, 0, 0] >= 0)
    # too little behind, nothing ahead of 9..13, nothing behind 13..15
    assert np.flatnonzero(undefined).tolist() == [0, 1, 2, 9, 10, 11, 12, 13, 14, 15]


def test_weekends_are_skipped_and_holes_are_not(random_market: Load) -> None:
    block = random_market(12, 1, seed=1)
    for closed in (4, 5):
        block.in_session[closed] = block.valid[closed] = False
    block.valid[9] = False
    y, known = compute_targets(block, (Task("return", 2),), WINDOW)
    close = block.close[:, 0]
    assert y[3, 0, 0] == close[7] / close[3] - 1
    assert known[:, 0, 0].tolist() == [2, 3, 6, 7, 7, 7, 8, 9, 10, 11, -1, -1]
    assert np.flatnonzero(np.isnan(y[:, 0, 0])).tolist() == [4, 5, 7, 8, 9, 10, 11]


def test_labels_are_known_by_bars_in_session() -> None:
    session = np.array([[True], [False], [False], [True], [True], [False], [True]])
    assert known_at(session, 2)[:, 0].tolist() == [4, 4, 4, 6, -1, -1, -1]


def test_when_labels_are_known_is_one_rule(random_market: Load) -> None:
    block = random_market(200, 3, seed=2, closed=0.0)
    block.in_session[np.arange(200) % 7 >= 5] = False
    tasks = (Task("return", 1), Task("volatility", 9))
    _, known = compute_targets(block, tasks, 20)
    for k, task in enumerate(tasks):
        np.testing.assert_array_equal(known[:, :, k], known_at(block.in_session, task.horizon))


def test_tasks_are_in_the_order_of_the_kinds() -> None:
    tasks = target_tasks(Targets(kinds=("direction", "return"), horizons=(3,)))
    assert tasks == (Task("direction", 3), Task("return", 3))


def test_an_unknown_kind_is_refused(random_market: Load) -> None:
    with pytest.raises(ConfigError, match=r"targets\.kinds.*'luck'.*direction, .*return"):
        compute_targets(random_market(5, 1, seed=1), (Task("luck", 1),), WINDOW)


def test_a_decision_costs_nothing_unless_that_is_said(random_market: Load) -> None:
    block, tasks = random_market(60, 1, seed=1), (Task("decision", 2),)
    plain = compute_targets(block, tasks, WINDOW)[0]
    free, dear = (compute_targets(block, tasks, WINDOW, cost)[0] for cost in (0.0, 0.9))
    np.testing.assert_array_equal(plain, free)
    assert not np.array_equal(plain, dear, equal_nan=True)
