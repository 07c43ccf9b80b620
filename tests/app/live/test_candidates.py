"""What a live universe chooses among: of what the exchange lists, the largest that can be traded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from bot.adapters.bybit.opening import open_bybit
from bot.app.live.candidates import LEAST, candidates, with_live_candidates
from bot.config import Config, load_config
from bot.config.schema import Synthetic
from bot.errors import ConfigError
from bot.portfolio.instruments import Instrument
from bot.practice.clock import ManualClock
from bot.practice.exchange import serve
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.timegrid import HOUR_MS

RULE = "market.universe=top 4 by turnover over 3 days"


def told(quote: str = "USDT", status: str = "Trading", kind: str = "LinearPerpetual") -> Instrument:
    return Instrument(
        0.1, 0.1, 5.0, base="X", quote=quote, settle=quote, status=status, contract_type=kind
    )


@dataclass
class Listing:
    """An exchange that lists so much."""

    known: dict[str, Instrument]
    asked: list[int] = field(default_factory=list)

    async def by_turnover(self) -> list[str]:
        return list(self.known)

    async def listed(self, symbols: list[str], *, tiers: bool) -> dict[str, Instrument]:
        assert not tiers
        self.asked.append(len(symbols))
        return {s: self.known[s] for s in symbols if s != "GONEUSDT"}


def settings(*sets: str) -> Config:
    return load_config(None, [RULE, *sets], {})


async def found(listing: Listing, *sets: str) -> tuple[str, ...]:
    return await candidates(cast(Any, listing), settings(*sets))


async def test_the_largest_that_can_be_held_three_for_each_member() -> None:
    listing = Listing(
        {f"A{k}USDT": told() for k in range(3)}
        | {
            "BTCEUR": told("EUR"), "NEWUSDT": told(status="PreLaunch"), "GONEUSDT": told(),
            "BTC-27NOV26": told(kind="LinearFutures"),
        }
        | {f"B{k:02}USDT": told() for k in range(40)}
    )  # fmt: skip
    taken = await found(listing)
    assert taken == tuple(
        [f"A{k}USDT" for k in range(3)] + [f"B{k:02}USDT" for k in range(9)]
    )  # fmt: skip
    few = await found(listing, "market.universe=top 1 by turnover over 3 days")
    assert len(few) == LEAST
    assert listing.asked[0] == 12


async def test_what_can_be_held_of_nothing_is_told() -> None:
    with pytest.raises(ConfigError, match=r"BTCEUR on bybit_linear is quoted in EUR"):
        await found(Listing({"BTCEUR": told("EUR")}))
    with pytest.raises(ConfigError, match="lists no symbol with any turnover"):
        await found(Listing({}))


def test_symbols_that_are_named_are_not_asked_for() -> None:
    config = settings("market.symbols=BTCUSDT,ETHUSDT")
    assert with_live_candidates(config, None) is config
    assert with_live_candidates(load_config(None, [], {}), None).market.symbols[0] == "BTCUSDT"


@pytest.mark.parametrize("venue", ["bybit_linear", "bybit_inverse"])
async def test_the_practice_exchange_ranks_what_it_serves(venue: str) -> None:
    """By what was traded in dollars, which of inverse contracts is the volume: turnovers are in coins."""
    clock = ManualClock(START_MS + 500 * HOUR_MS, real_pauses=True)
    inverse = venue == "bybit_inverse"
    source = SyntheticMarket(Synthetic(symbols=5, bars=1000), HOUR_MS, inverse=inverse)
    practice = await serve(PracticeMarket(source), clock)
    config = settings(
        f"market.venue={venue}", "exchange.source=practice", f"exchange.rest_url={practice.rest_url}",
        f"exchange.stream_url={practice.stream_url}",
    )  # fmt: skip
    exchange = open_bybit(config)
    try:
        names = await exchange.by_turnover()
        bars = source.block(476, 24)
        day = (bars.volume if inverse else bars.turnover).sum(axis=0)
        ranked = [source.symbols[s] for s in sorted(range(5), key=lambda s: -day[s])]
        assert names == ranked
        if inverse:
            coins = bars.turnover.sum(axis=0)
            assert names != [source.symbols[s] for s in sorted(range(5), key=lambda s: -coins[s])]
        assert await candidates(exchange, config) == tuple(names)
    finally:
        exchange.close()
        await practice.close()
