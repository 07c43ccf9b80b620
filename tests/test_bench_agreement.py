"""The benchmark's contestants do the same work: their last equities agree."""

from __future__ import annotations

import math
from functools import partial

import pytest

from scripts.benchmarks import ledger, measuring, rivals
from scripts.benchmarks.workload import Workload


@pytest.fixture(scope="module", params=[0.9, 1.0])
def work(request: pytest.FixtureRequest) -> Workload:
    return Workload.draw(20_000, request.param)


@pytest.mark.parametrize(
    "run",
    [
        ledger.broker,
        partial(ledger.engine, hashed=False),
        partial(ledger.engine, hashed=True),
        rivals.python_loop,
        rivals.pandas_loop,
    ],
)
def test_all_reach_the_equity_of_the_bare_loop(work: Workload, run: rivals.Contestant) -> None:
    assert math.isclose(run(work), rivals.bare_loop(work), rel_tol=ledger.AGREEMENT)


def test_the_workload_trades_and_survives() -> None:
    work = Workload.draw(100_000, 0.9)
    trades = (work.changed == work.changed).mean()
    assert 0.04 < trades < 0.06
    assert 0.01 < rivals.bare_loop(work) / work.capital < 100.0


def test_what_is_compared_takes_turns() -> None:
    calls: list[str] = []
    times = measuring.take_turns(
        {"a": partial(calls.append, "a"), "b": partial(calls.append, "b")}, 2
    )
    assert calls == ["a", "b"] * 3
    assert set(times) == {"a", "b"}


def test_a_goal_is_a_least_or_a_most() -> None:
    assert measuring.Row("x", 2.0, "s").met is None
    assert measuring.Row("x", 2.0, "1/s", 2.0).met is True
    assert measuring.Row("x", 2.0, "s", 1.0, at_least=False).met is False
