"""A position held across a jump of price that was accepted is told of, with what it booked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.config.schema import Report
from bot.report.inputs import RunData
from bot.report.money.jumps import jumps_held
from bot.report.page import html, tables
from bot.report.summary import build
from bot.report.tear.sheet import tear_sheet
from tests.report.conftest import HOUR_MS, START_MS

AT = 3
"""The bar of the jump; bars before the second are from before the start."""


def run_with(run: RunData, quantity: list[float], price: list[Any], **changes: Any) -> RunData:
    """Return a run of one symbol at these prices, which holds so much at each close."""
    n = len(price)
    close = np.array(price, dtype=float)[:, None]
    bars = BarBlock.of_candles(
        START_MS + HOUR_MS * np.arange(n), close, close, close, close, np.ones((n, 1)),
        valid=np.isfinite(close),
    )  # fmt: skip
    held = np.array(quantity, dtype=float)[:, None]
    given: dict[str, Any] = {
        "symbols": ("KUSDT",), "venues": ("bybit_linear",), "bars": bars, "start_index": 1,
        "quantity": held, "weights": held, "signal": held, "forecast": None, "labels": None,
        "models": (), "fills": run.fills[:0], "max_jump": 20.0, "taker_fee": np.zeros(1),
        "pays_funding": np.ones(1, dtype=np.bool_), "allow_short": np.ones(1, dtype=np.bool_),
    }  # fmt: skip
    money = {k: np.zeros(n) for k in ("fees", "funding", "spread", "slippage")}
    books = {"equity": np.full(n, 1000.0), "cash": np.full(n, 1000.0)}
    return replace(run, **given | money | books | changes)


@pytest.mark.parametrize(
    ("quantity", "price", "booked"),
    [
        ([0, 2, 2, 2, 2], [1.0, 1.0, 1.0, 1000.0, 1000.0], "+1,998.00"),
        ([0, -2, -2, -2, -2], [1.0, 1.0, 1.0, 1000.0, 1000.0], "-1,998.00"),
        ([0, 2, 2, 0, 0], [1000.0, 1000.0, 1000.0, 1.0, 1.0], "-1,998.00"),  # sold at its open
        ([0, 2, 2, 2, 2], [1.0, 1.0, np.nan, 1000.0, 1000.0], "+1,998.00"),  # confirmed, live
    ],
)
def test_what_a_jump_booked_is_told(
    run: RunData, quantity: list[float], price: list[float], booked: str
) -> None:
    (told,) = jumps_held(run_with(run, quantity, price))
    assert told.startswith(
        f"KUSDT was held while its price jumped from {price[1]:,.12g} to {price[3]:,.12g}"
    )
    assert f"2023-01-01T0{AT}:00:00Z, which booked {booked}." in told


def test_of_contracts_it_is_their_coins_at_the_close(run: RunData) -> None:
    """500 contracts from 1 to 1,000 make 500 - 0.5 coins, of 1,000 each."""
    made = run_with(run, [0, 500, 500, 500, 500], [1.0, 1.0, 1.0, 1000.0, 1000.0])
    (told,) = jumps_held(replace(made, inverse=np.array([True])))
    assert "which booked +499,500.00." in told


@pytest.mark.parametrize(
    ("quantity", "price"),
    [
        ([0, 0, 0, 0, 2], [1.0, 1.0, 1.0, 1000.0, 1000.0]),  # bought after it
        ([0, 2, 2, 2, 2], [1.0, 1.0, 1.0, 20.0, 20.0]),  # no more than is plausible
        ([2, 2, 2, 2, 2], [1.0, 1000.0, 1000.0, 1000.0, 1000.0]),
    ],
    ids=["after", "plausible", "before the start"],
)
def test_no_other_bar_is_told_of(run: RunData, quantity: list[float], price: list[float]) -> None:
    told = jumps_held(run_with(run, quantity, price, start_index=2))
    assert told == []


def test_it_stands_above_the_tables_and_the_page(run: RunData) -> None:
    jumped = run_with(run, [0, 2, 2, 2, 2], [1.0, 1.0, 1.0, 1000.0, 1000.0])
    summary = build(jumped, Report(bootstrap_samples=100))
    (told,) = summary["jumps_held"]
    assert told in html.render(jumped, summary, tear_sheet(jumped, 100)).replace("&#43;", "+")
    assert told in [getattr(part, "plain", "") for part in tables.render(summary).renderables]
    assert build(run, Report(bootstrap_samples=100))["jumps_held"] == []


def test_many_are_counted(run: RunData) -> None:
    price = [1.0, *([1.0, 1000.0] * 8)]
    told = jumps_held(run_with(run, [1.0] * len(price), price, start_index=0))
    assert len(told) == 6
    assert told[-1] == "Positions were held across 10 more jumps of price."


def test_five_are_told_and_none_more_is_counted(run: RunData) -> None:
    price = [1.0, 1.0, 1000.0, 1.0, 1000.0, 1.0, 1000.0]
    told = jumps_held(run_with(run, [1.0] * len(price), price, start_index=0))
    assert len(told) == 5
    assert all("was held while its price jumped" in each for each in told)


@pytest.mark.parametrize(
    ("inverse", "held", "booked"),
    [
        (False, (2.0, 3.0), 2.0 * 999.0 + 3.0 * 100.0),
        (True, (500.0, 600.0), 1100.0 * (500.0 * 0.999 + 600.0 * (1e-3 - 1.0 / 1100.0))),
    ],
)
def test_what_is_bought_at_the_open_of_the_jump_is_booked_from_there(
    run: RunData, inverse: bool, held: tuple[float, float], booked: float
) -> None:
    """From 1 it opens at 1,000, where the position is increased, and closes at 1,100."""
    made = run_with(run, [0.0, held[0], held[0], held[1]], [1.0, 1.0, 1.0, 1100.0])
    opened = made.bars.open.copy()
    opened[AT] = 1000.0
    made = replace(made, bars=replace(made.bars, open=opened), inverse=np.array([inverse]))
    (told,) = jumps_held(made)
    assert f"which booked {booked:+,.2f}." in told
