"""On the practice exchange a bar lasts half a second: what waits for it must be shorter than that."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from bot.app.start.practice import practice_config
from bot.config import load_config
from bot.config.schema import MarketSection
from bot.timegrid import INTERVAL_MS
from scripts.soaking.rehearsal import Rehearsal

INTERVALS = get_args(MarketSection.model_fields["interval"].annotation)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("speed", [0.0, 60.0, 8640.0, 1e6])
def test_waits_are_shorter_than_a_bar_at_any_speed(interval: str, speed: float) -> None:
    sets = [f"market.interval={interval}", f"practice.speed={speed}"]
    exchange = practice_config(load_config(None, sets, {})).exchange
    bar_s = INTERVAL_MS[interval] / 1000.0 / exchange.speed
    assert exchange.close_deadline_s < exchange.decide_within_s < bar_s
    assert exchange.quote_timeout_s < bar_s
    defaults = load_config(None, [], {}).exchange
    assert exchange.decide_within_s <= defaults.decide_within_s


def test_a_wait_that_the_settings_give_is_kept() -> None:
    sets = ["exchange.decide_within_s=40", "exchange.quote_timeout_s=0.1"]
    exchange = practice_config(load_config(None, sets, {})).exchange
    assert (exchange.decide_within_s, exchange.quote_timeout_s) == (40.0, 0.1)
    assert exchange.close_deadline_s == 0.25


def test_a_start_leaves_no_bar_to_the_loop_that_cannot_be_decided_on(tmp_path: Path) -> None:
    """Where a wait lasts many bars, that many were closed too late, one by one, after a catch-up."""
    rehearsal = Rehearsal.make(tmp_path / "run")
    long = {"decide_within_s": 20 * 3600.0}
    exchange = rehearsal.config.exchange.model_copy(update=long)
    rehearsal.config = rehearsal.config.model_copy(update={"exchange": exchange})
    rehearsal.run(3)
    assert [event["tradable"] for event in rehearsal.events("bar_closed")] == [True] * 3
    assert sum(event["bars"] for event in rehearsal.events("backfilled")) == 120
