"""An account walked over round trips: by hand, and over a run's own trips, which gives the run."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from bot.report.inputs import RunData
from bot.report.money.retraced import cost_shares, legs_of_run, legs_of_sides, open_bars, tape_of
from bot.report.money.walk import Legs, Tape, equity_curve, last_equities


def one_symbol(fill: list[float], close: list[float], **changes: Any) -> Tape:
    """Return a tape of one symbol whose first close before it is 100; no costs, no funding."""
    m = len(fill)
    mark = np.array([100.0, *close])[:, None]
    nothing = np.zeros((m, 1))
    tape = Tape(np.array(fill)[:, None], mark, nothing, nothing.copy(), np.zeros(1))
    return tape._replace(**changes)


def legs(*trips: tuple[int, int, float]) -> Legs:
    columns = [np.array([[trip[k] for trip in trips]]) for k in range(3)]
    return Legs(
        columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2].astype(np.float64),
        np.array([0, len(trips)]),
    )  # fmt: skip


def test_a_long_trip_by_hand() -> None:
    """Half of 1,000 at 100 is 5; bought at 102, sold at 110, for 1 % of what is traded."""
    tape = one_symbol([102.0, 105.0, 110.0], [104.0, 108.0, 90.0], cost=np.array([0.01]))
    curve = equity_curve(tape, legs((0, 2, 0.5)), 1000.0)
    bought, sold = 5 * 102.0, 5 * 110.0
    after = 1000.0 - 0.01 * bought
    assert curve.tolist() == pytest.approx(
        [after + 5 * (104 - 102), after + 5 * (108 - 102), after + sold - bought - 0.01 * sold]
    )


def test_a_flip_in_one_bar_closes_first_and_sizes_by_the_close_before() -> None:
    tape = one_symbol([100.0, 120.0, 60.0], [110.0, 100.0, 50.0])
    curve = equity_curve(tape, legs((0, 1, 1.0), (1, 3, -1.0)), 1000.0)
    short = 1100.0 / 110.0  # decided at the close of bar 0, whose equity is 1,100
    assert curve.tolist() == pytest.approx(
        [1100.0, 1200.0 + short * (120 - 100), 1200.0 + short * (120 - 50)]
    )


def test_funding_is_paid_on_what_is_held_before_and_after_the_fills() -> None:
    before, after = np.array([[1.0], [2.0], [4.0]]), np.array([[8.0], [16.0], [32.0]])
    flat = [100.0] * 3
    tape = one_symbol(flat, flat, paid_before=before, paid_after=after)
    curve = equity_curve(tape, legs((0, 2, 0.1)), 1000.0)
    assert curve.tolist() == pytest.approx([1000 - 8, 1000 - 8 - 2 - 16, 1000 - 8 - 2 - 16 - 4])
    short = equity_curve(tape, legs((1, 3, -0.1)), 1000.0)
    assert short.tolist() == pytest.approx([1000, 1000 + 16, 1000 + 16 + 4 + 32])


def test_an_account_that_lost_everything_opens_nothing() -> None:
    tape = one_symbol([100.0, 300.0, 300.0, 300.0], [300.0, 300.0, 300.0, 600.0])
    curve = equity_curve(tape, legs((0, 2, -1.0), (2, 3, -1.0), (3, 4, 1.0)), 1000.0)
    assert curve.tolist() == [-1000.0] * 4


@pytest.mark.parametrize(("far", "worst"), [(300.0, -1000.0), (200.0, 0.0)])
def test_an_account_that_recovers_opens_its_next_trip(far: float, worst: float) -> None:
    """A short in one symbol goes under water, or to nothing, and comes back; the other's first trip is skipped."""
    fill = np.array([[100.0, 1.0], [far, 1.0], [far, 1.0], [100.0, 1.0], [100.0, 1.0]])
    mark = np.vstack(([[100.0, 1.0]], [[far, 1.0]], [[far, 1.0]], [[100.0, 1.0]], [[100.0, 2.0]],
                      [[100.0, 2.0]]))  # fmt: skip
    nothing = np.zeros((5, 2))
    tape = Tape(fill, mark, nothing, nothing.copy(), np.zeros(2))
    given = Legs(
        np.array([[0, 1, 3]]), np.array([[5, 2, 5]]), np.array([[-1.0, 1.0, 0.5]]),
        np.array([0, 1, 3]),
    )  # fmt: skip
    curve = equity_curve(tape, given, 1000.0)
    assert curve.tolist() == [worst, worst, 1000.0, 1500.0, 1500.0]


def test_many_accounts_are_each_walked_alone(run: RunData) -> None:
    tape, own = tape_of(run, run.start_index), legs_of_run(run, run.start_index)
    pair = Legs(
        np.vstack((own.entry, own.entry)), np.vstack((own.exit, own.exit)),
        np.vstack((own.size, -0.5 * own.size)), own.bounds,
    )  # fmt: skip
    last = last_equities(tape, pair, 1e4)
    assert last[0] == equity_curve(tape, own, 1e4)[-1]
    assert last[1] == equity_curve(tape, own._replace(size=-0.5 * own.size), 1e4)[-1]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("start", [1, 100])
def test_a_runs_own_trips_give_the_run(run_maker: Any, seed: int, start: int) -> None:
    """The books of the run are kept by a loop that knows nothing of trips."""
    run: RunData = run_maker(seed=seed, start=start, fixed=True)
    curve = equity_curve(tape_of(run, start), legs_of_run(run, start), run.equity_before(start))
    np.testing.assert_allclose(curve, run.equity[start:], rtol=2e-6)


def test_costs_are_those_of_the_fills_and_else_of_the_settings(run: RunData) -> None:
    fills = run.fills[run.fills["symbol"] != 2].copy()
    fills["fee"][fills["symbol"] == 1] *= 2.0
    shares = cost_shares(dataclasses.replace(run, fills=fills), run.start_index)
    assert shares == pytest.approx([0.0013, 0.0023, 0.0013], rel=1e-3)


def test_sides_become_trips_and_the_last_may_stay_open() -> None:
    side = np.array([[0, 1], [1, 1], [-1, 0], [-1, 1.0]])
    size = np.arange(8.0).reshape(4, 2)
    found = legs_of_sides(side, size)
    assert found.bounds.tolist() == [0, 2, 4]
    assert found.entry.tolist() == [[1, 2, 0, 3]]
    assert found.exit.tolist() == [[2, 4, 2, 4]]
    assert found.size.tolist() == [[2.0, -4.0, 1.0, 7.0]]


def test_nothing_is_filled_without_a_close_before(run: RunData) -> None:
    valid = run.bars.valid.copy()
    valid[:130, 1] = False
    bars = dataclasses.replace(run.bars, valid=valid)
    allowed = open_bars(dataclasses.replace(run, bars=bars), 100)
    assert not allowed[:31, 1].any()
    assert allowed[31, 1] == valid[131, 1]
    np.testing.assert_array_equal(allowed[:, 0], run.bars.valid[100:, 0])


def test_filled_at_the_close_funding_of_the_bar_is_paid_first(run: RunData) -> None:
    inside = np.full_like(run.price, 0.5)
    bars = dataclasses.replace(run.bars, funding_inside=inside)
    at_open, at_close = (
        tape_of(dataclasses.replace(run, bars=bars, fill=fill), 100)
        for fill in ("next_open", "next_close")
    )
    np.testing.assert_array_equal(at_open.paid_after, inside[100:])
    np.testing.assert_array_equal(at_close.paid_before, at_open.paid_before + inside[100:])
    assert not at_close.paid_after.any()
    np.testing.assert_array_equal(at_close.fill, run.bars.close[100:])
