"""What the practice exchange says of its symbols: sizes and steps of orders, and margin tiers.

Source of the shapes: https://bybit-exchange.github.io/docs/v5/market/instrument and
https://bybit-exchange.github.io/docs/v5/market/risk-limit. As there, the rates of inverse contracts
are per cents and their limits are in coin. Their orders are whole contracts of one USD, with the sizes of BTCUSD on
2026-09-26, as a public repository's transcript has them.
"""

from __future__ import annotations

import math

from bot.portfolio.instruments import Tier
from bot.portfolio.margin_tiers import BTCUSD, BTCUSDT, OF_OTHERS
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import FUNDING_MS
from bot.practice.wire import plain
from bot.timegrid import MINUTE_MS


def instrument(market: PracticeMarket, s: int, category: str, now_ms: int) -> dict[str, object]:
    """Return what instruments-info says of a symbol; one that was delisted is closed."""
    launch_ms, delist_ms = market.launch_ms(s), market.delisting_ms(s)
    status = "PreLaunch" if now_ms < launch_ms else "Trading"
    status = "Closed" if 0 < delist_ms <= now_ms else status
    symbol, price = market.symbols[s], float(market.first_price[s])
    base, quote = _coins(symbol)
    step = plain(10.0 ** -max(math.floor(math.log10(price)) + 1, 0))  # worth up to a unit of quote
    tick = {"tickSize": plain(round(float(market.tick[s]), 12))}
    step = "1" if category == "inverse" else step
    common = {"symbol": symbol, "status": status, "baseCoin": base, "quoteCoin": quote}
    if category == "spot":
        lot = {
            "basePrecision": step,
            "quotePrecision": "0.0000001",
            "minOrderQty": step,
            "maxOrderQty": "1000000",
            "minOrderAmt": "5",
            "maxOrderAmt": "8000000",
            "maxLimitOrderQty": "1000000",
            "maxMarketOrderQty": "500000",
        }
        return {**common, "lotSizeFilter": lot, "priceFilter": tick}
    most, at_market = ("25000000", "5000000") if category == "inverse" else ("1000000", "500000")
    lot = {
        "minOrderQty": step,
        "qtyStep": step,
        "maxOrderQty": most,
        "maxMktOrderQty": at_market,
        "minNotionalValue": "5",
    }
    leverage = f"{_tiers(symbol, category, price)[0].max_leverage:.2f}"
    return {
        **common,
        "contractType": "LinearPerpetual" if category == "linear" else "InversePerpetual",
        "launchTime": str(launch_ms),
        "deliveryTime": str(delist_ms),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": leverage, "leverageStep": "0.01"},
        "priceFilter": {"minPrice": tick["tickSize"], "maxPrice": "1999999.8", **tick},
        "lotSizeFilter": lot,
        "fundingInterval": FUNDING_MS // MINUTE_MS,
        "settleCoin": quote if category == "linear" else base,
        "upperFundingRate": "0.00375",
        "lowerFundingRate": "-0.00375",
    }


def delivery_of(market: PracticeMarket, s: int, now_ms: int) -> dict[str, str] | None:
    """Return what delivery-price says of a contract: its settlement, None while it is traded.

    Source of the shape: https://bybit-exchange.github.io/docs/v5/market/delivery-price.
    """
    delist_ms = market.delisting_ms(s)
    if not 0 < delist_ms <= now_ms:
        return None
    price = plain(market.delivery_price(s))
    return {"symbol": market.symbols[s], "deliveryPrice": price, "deliveryTime": str(delist_ms)}


def risk_limits(market: PracticeMarket, s: int, category: str) -> list[dict[str, object]]:
    """Return what risk-limit says of a contract, a row a tier."""
    symbol, price = market.symbols[s], float(market.first_price[s])
    per_cent = 1.0 if category == "linear" else 100.0
    return [
        {
            "id": k,
            "symbol": symbol,
            "riskLimitValue": plain(tier.limit_value),
            "maintenanceMargin": plain(round(tier.maintenance_rate * per_cent, 6)),
            "initialMargin": plain(round(per_cent / tier.max_leverage, 4)),
            "isLowestRisk": int(k == 1),
            "maxLeverage": f"{tier.max_leverage:.2f}",
            "mmDeduction": plain(tier.maintenance_deduction) if k > 1 else "",
        }
        for k, tier in enumerate(_tiers(symbol, category, price), start=1)
    ]


def _tiers(symbol: str, category: str, price: float) -> tuple[Tier, ...]:
    """Return the built-in tiers, of an inverse contract in coin: but Bitcoin's those of linear ones at its first price."""
    if category != "inverse":
        return BTCUSDT if symbol == "BTCUSDT" else OF_OTHERS
    if symbol == "BTCUSD":
        return BTCUSD
    return tuple(
        each._replace(
            limit_value=each.limit_value / price,
            maintenance_deduction=each.maintenance_deduction / price,
        )
        for each in OF_OTHERS
    )


def _coins(symbol: str) -> tuple[str, str]:
    for quote in ("USDT", "USDC", "USD"):
        if symbol.endswith(quote):
            return symbol.removesuffix(quote), quote
    return symbol, ""
