"""The probability of backtest overfitting, against a calculation way by way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bot.blocks import F64
from bot.report.study.selection import overfitting_of


def way_by_way(days: F64, blocks: int) -> float:
    parts = np.array_split(np.arange(len(days)), blocks)
    low = 0
    ways = list(itertools.combinations(range(blocks), blocks // 2))
    for way in ways:
        inside = np.concatenate([parts[k] for k in way])
        outside = np.concatenate([parts[k] for k in range(blocks) if k not in way])
        best = int(np.argmax(days[inside].mean(axis=0) / days[inside].std(axis=0)))
        there = days[outside].mean(axis=0) / days[outside].std(axis=0)
        rank = 1 + int((there < there[best]).sum())
        omega = rank / (days.shape[1] + 1)
        low += np.log(omega / (1.0 - omega)) <= 0.0
    return low / len(ways)


@pytest.mark.parametrize(("n_days", "settings"), [(40, 2), (61, 7), (203, 30)])
def test_it_is_the_papers_way_by_way(n_days: int, settings: int) -> None:
    days = np.random.default_rng(n_days).normal(0.0, 0.01, (n_days, settings))
    found = overfitting_of(list(days.T), blocks=8)
    assert found.ways == 70
    assert found.probability == pytest.approx(way_by_way(days, 8), abs=1e-12)


def test_without_skill_choosing_is_worth_nothing() -> None:
    random = np.random.default_rng(1)
    found = [
        overfitting_of(list(random.normal(0.0, 0.01, (20, 400))), 8).probability for _ in range(60)
    ]
    assert np.mean([p for p in found if p is not None]) == pytest.approx(0.5, abs=0.1)


def test_one_that_is_truly_better_is_found() -> None:
    days = np.random.default_rng(2).normal(0.0, 0.01, (800, 50))
    days[:, 17] += 0.004
    found = overfitting_of(list(days.T))
    assert found.ways == 12_870
    assert found.probability is not None
    assert found.probability < 0.01


def test_flat_settings_and_equal_ones_share_their_ranks() -> None:
    days = np.zeros((100, 6))
    days[:, 0] = np.random.default_rng(3).normal(-0.01, 0.01, 100)
    found = overfitting_of(list(days.T))
    assert found.probability is not None
    assert found.probability == 0.0
    assert overfitting_of(list(np.zeros((6, 100)))).probability is None
    assert overfitting_of(list(days[:31].T)).probability is None
    assert "31 days, at least" in str(overfitting_of(list(days[:31].T)))
    assert "1 day, at least" in str(overfitting_of(list(days[:1].T)))
    assert "where one setting trades" in str(overfitting_of(list(days[:, :1].T)))
    assert "no setting traded" in str(overfitting_of([]))
