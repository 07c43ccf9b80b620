"""The document's columns, against its own recurrence."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from bot.report.export import result_columns
from bot.report.inputs import RunData


def test_columns_are_those_of_the_reference_recurrence(run_maker: Any) -> None:
    """Positions of ±1 × equity, rescaled free at each close, cost c a change of position."""
    base: RunData = run_maker(n_symbols=1)
    random = np.random.default_rng(0)
    price = base.price[:, 0]
    n, c, capital, position = len(price), 0.001, 10_000.0, 0
    wanted = random.integers(-1, 2, n)
    equity, quantity, rows = np.full(n, capital), np.zeros((n, 1)), []
    for i in range(n - 1):
        quantity[i, 0] = position * equity[i] / price[i]
        change = wanted[i] != position
        move = position * (price[i + 1] / price[i] - 1.0)
        capital = capital * (1.0 - c if change else 1.0) * (1.0 + move)
        equity[i + 1] = capital
        rows.append((price[i], position, move, capital))
        position = int(wanted[i])
    quantity[-1, 0] = position * equity[-1] / price[-1]
    run = dataclasses.replace(
        base, fill="next_close", start_index=0, equity=equity, quantity=quantity
    )
    frame = result_columns(run, "S0USDT")
    assert list(frame.columns) == [
        "date", "price", "signal", "position", "position_return", "capital"
    ]  # fmt: skip
    got = frame[["price", "position", "position_return", "capital"]].to_numpy()
    np.testing.assert_allclose(got, np.array(rows), atol=1e-9)
    assert str(frame["date"].iloc[0]) == "2023-01-01 00:00:00+00:00"


def test_filled_at_the_next_open_the_decision_counts_at_once(run: RunData) -> None:
    frame = result_columns(run, "S1USDT")
    assert len(frame) == len(run.equity) - run.start_index - 1
    held = run.quantity[run.start_index + 1 :, 1] != 0.0
    np.testing.assert_array_equal(frame["position"].to_numpy() != 0.0, held)
    assert frame.notna().all().all()


def test_an_unknown_symbol_is_named(run: RunData) -> None:
    with pytest.raises(KeyError, match="NOPE"):
        result_columns(run, "NOPE")
