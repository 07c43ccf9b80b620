"""Delistings, halts and gaps of the practice exchange."""

from __future__ import annotations

import numpy as np
import pytest

from bot.config.schema import Synthetic
from bot.errors import ConfigError
from bot.practice.clock import ManualClock
from bot.practice.faults import Faults, FaultSwitch
from bot.practice.market import PracticeMarket
from bot.practice.rest import Rest
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.timegrid import HOUR_MS

AT = START_MS + 100 * HOUR_MS
LAST = "SYN2USDT"


def served(now_ms: int, **faults: object) -> tuple[PracticeMarket, Rest]:
    source = SyntheticMarket(Synthetic(symbols=3, missing=0.0), HOUR_MS)
    market = PracticeMarket(source)
    market.switch = FaultSwitch(Faults(**faults))  # type: ignore[arg-type]
    return market, Rest(market, ManualClock(now_ms), market.switch)


@pytest.mark.parametrize("now_ms", [AT - 1, AT])
def test_a_delisting_is_announced_and_comes(now_ms: int) -> None:
    market, rest = served(now_ms, delisted=1, delist_ms=AT)
    over = now_ms >= AT
    query = {"category": "linear", "symbol": LAST}
    (told,) = rest.answer("instruments-info", query)["result"]["list"]
    assert (told["deliveryTime"], told["status"]) == (str(AT), "Closed" if over else "Trading")
    (other,) = rest.answer("instruments-info", query | {"symbol": "SYN0USDT"})["result"]["list"]
    assert (other["deliveryTime"], other["status"]) == ("0", "Trading")
    delivered = rest.answer("delivery-price", query)["result"]["list"]
    assert [row["deliveryTime"] for row in delivered] == ([str(AT)] if over else [])
    if over:
        last = market.block(99, 1, 2)
        assert last.low[0, 0] <= float(delivered[0]["deliveryPrice"]) <= last.high[0, 0]
        assert not market.at(now_ms).live[2]
    assert rest.answer("delivery-price", query | {"symbol": "SYN0USDT"})["result"]["list"] == []
    assert market.block(100, 3).valid[:, 2].tolist() == [False] * 3
    assert market.block(99, 1, 2).valid.all()


def test_a_halt_has_no_candles_and_ends() -> None:
    later = AT + 3 * HOUR_MS
    market, rest = served(AT + 10 * HOUR_MS, halted=2, halt_ms=AT, halt_until_ms=later)
    query = {"category": "linear", "symbol": LAST, "interval": "60", "start": str(AT - HOUR_MS)}
    rows = rest.answer("kline", query | {"end": str(later)})["result"]["list"]
    assert [int(row[0]) for row in rows] == [later, AT - HOUR_MS]
    assert market.block(100, 3).valid[:, 0].all()
    assert np.isnan(market.block(100, 3).close[:, 1:]).all()


@pytest.mark.parametrize("factor", [0.001, 0.5, 3.0])
def test_a_gap_moves_all_prices_on_their_tick_from_then_on(factor: float) -> None:
    plain, _ = served(AT)
    market, _ = served(AT, gapped=1, gap_ms=AT, gap=factor)
    before, after = plain.block(98, 6), market.block(98, 6)
    assert np.array_equal(after.close[:2], before.close[:2])
    assert np.array_equal(after.close[:, :2], before.close[:, :2])
    for name in ("open", "high", "low", "close"):
        moved = getattr(after, name)[2:, 2]
        assert np.abs(moved - getattr(before, name)[2:, 2] * factor).max() <= market.tick[2]
        assert (moved >= market.tick[2] * 0.999).all()
        assert np.allclose(moved / market.tick[2], np.rint(moved / market.tick[2]))


def test_switches_hold_from_the_moment_they_are_changed() -> None:
    market, _ = served(AT)
    seen = market.at(AT + 60_000).last[2]
    market.switch.change({"gapped": 1, "gap_ms": AT, "gap": 2.0})
    assert market.at(AT + 60_000).last[2] == pytest.approx(2.0 * seen, rel=1e-3)


@pytest.mark.parametrize("odd", [{"gap": 0.0}, {"delisted": -1}, {"halt_ms": -5}, {"gap": 1e9}])
def test_what_cannot_be_is_refused(odd: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(odd))):
        Faults(**odd)  # type: ignore[arg-type]
