"""A daemon on prices of any tick, some off it, and on steps of quantity of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.journal.forms import open_journal
from bot.app.verify.proof import verify
from bot.blocks import BarBlock
from bot.practice import instruments, wire
from scripts.soaking import direct_exchange
from scripts.soaking.rehearsal import Rehearsal
from tests.app.live.altered import Altered


def on_grid(scale: float, tick: str) -> Callable[[BarBlock], BarBlock]:
    """Return what brings prices to another size, and each but the opens to whole ticks."""
    step = Decimal(tick)

    def rounded(prices: np.ndarray) -> np.ndarray:
        flat = [float(round(p * scale / float(step)) * step) for p in prices.ravel().tolist()]
        return np.array(flat).reshape(prices.shape)

    def alter(block: BarBlock) -> BarBlock:
        names = ("high", "low", "close")
        columns = {name: rounded(getattr(block, name)) for name in names}
        opened = block.open * scale * (1.0 + 1e-7)  # off the tick
        high = np.fmax(np.fmax(columns["high"], columns["close"]), opened)
        low = np.fmin(np.fmin(columns["low"], columns["close"]), opened)
        return replace(block, open=opened, high=high, low=low, close=columns["close"], mark=opened)

    return alter


def exponent(number: float) -> str:
    """Return a number as 2.7E-7, which reads back as the same."""
    return f"{Decimal(repr(float(number))):E}"


@pytest.mark.parametrize(
    ("scale", "tick", "step", "written"),
    [
        (100.0, "0.5", "0.001", wire.plain), (1000.0, "1", "2.5E-6", exponent),
        (100_000.0, "5", "1e-8", exponent), (3e-6, "1e-8", "5", wire.plain),
        (1e-3, "2.5e-6", "0.5", exponent), (3e-8, "1e-10", "1000", exponent),
        (1.0, "0.0125", "0.3", wire.plain),
    ],
)  # fmt: skip
def test_any_tick_is_traded_and_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: float, tick: str, step: str,
    written: Callable[[float], str],
) -> None:  # fmt: skip
    def instrument(*args: Any) -> dict[str, Any]:
        entry: dict[str, Any] = instruments.instrument(*args)
        entry["lotSizeFilter"] |= {"qtyStep": step, "minOrderQty": step, "minNotionalValue": "5"}
        return entry

    monkeypatch.setattr(wire, "plain", written)
    monkeypatch.setattr(instruments, "plain", written)
    monkeypatch.setattr(direct_exchange, "instrument", instrument)
    rehearsal = Rehearsal.make(
        tmp_path / "run", "synthetic.missing=0", "synthetic.symbols=2",
        "costs.impact=0", "execution.max_participation=0",
    )  # fmt: skip
    truth = Altered(rehearsal.source, on_grid(scale, tick))
    rehearsal.__dict__["source"] = truth
    rehearsal.run(12)
    reader = open_journal(rehearsal.folder.journal)
    times, ledger = reader.ledger()
    bars = reader.bars(int(times[0]) - 1, int(times[-1]))
    fills = reader.fills()
    reader.close()
    first = int((times[0] - truth.start_ms) // truth.interval_ms)
    told = truth.block(first, len(times))
    assert bars.valid.all()
    assert not rehearsal.events("bad_frame", "implausible")
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(bars, name), getattr(told, name))
    assert len(fills) > 10
    at = np.searchsorted(times, fills["open_time"])
    quote = np.where(
        fills["quantity"] > 0.0,
        bars.fill_ask[at, fills["symbol"]],
        bars.fill_bid[at, fills["symbol"]],
    )
    slipped = np.abs(fills["slippage"] / (fills["quantity"] * quote))
    np.testing.assert_allclose(
        fills["price"], quote * (1.0 + np.sign(fills["quantity"]) * slipped), rtol=1e-12
    )
    steps = fills["quantity"] / float(step)
    np.testing.assert_allclose(steps, np.rint(steps), rtol=1e-12, atol=1e-6)
    assert (np.abs(fills["quantity"] * fills["price"]) > 5.0).all()
    assert np.abs(ledger["equity"] / 1e5 - 1.0).max() < 0.2
    assert verify(rehearsal.folder).identical
