"""Where positions are stopped is what the next fills of stops say."""

from __future__ import annotations

import pytest

from bot.app.runs.status import read_status
from tests.conftest import RunIt


def test_stops_are_the_settings_shares_of_the_entry(run_it: RunIt) -> None:
    ran = run_it("risk.stop_loss=0.5", "risk.take_profit=0.75", "synthetic.bars=900")
    status = read_status(ran.folder)
    assert status.positions, "the run ends flat; choose other bars"
    assert status.margin is not None
    entries = {
        status.positions[k].symbol: each.entry for k, each in enumerate(status.margin.positions)
    }
    for position in status.positions:
        side = 1.0 if position.quantity > 0.0 else -1.0
        prices = {each.kind: each.price for each in status.stops if each.symbol == position.symbol}
        entry = entries[position.symbol]
        assert prices["stop_loss"] == pytest.approx(entry * (1.0 - side * 0.5), rel=1e-4)
        assert prices["take_profit"] == pytest.approx(entry * (1.0 + side * 0.75), rel=1e-4)
    assert len(status.stops) == 2 * len(status.positions)


def test_a_run_without_stops_has_none(run_it: RunIt) -> None:
    assert read_status(run_it("synthetic.bars=900").folder).stops == ()
