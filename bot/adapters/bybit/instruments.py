"""What Bybit says of its symbols: instruments, and the margin tiers of contracts, out of raw JSON.

Source: https://bybit-exchange.github.io/docs/v5/market/instrument and
https://bybit-exchange.github.io/docs/v5/market/risk-limit. Rules: the sizes that orders are rounded to
must be there; what else is absent or empty is not known; what is there and makes no sense is refused
by name. Rates come as fractions or as per cents: that initialMargin x maxLeverage is one, or a
hundred, tells which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.adapters.bybit.answers import parsed_number, shown, text
from bot.errors import DataError
from bot.portfolio.instruments import Instrument, Tier, fault_of

_FAR_FUTURE_MS = 1e14


def instrument_of(entry: dict[str, Any]) -> Instrument:
    """Return an instrument; spot has a precision in place of a step, inverse once had no least notional.

    Raises:
        DataError: a size is missing, without which no order can be rounded, or something makes no sense.
    """
    symbol, sizes = text(entry, "symbol"), _part(entry, "lotSizeFilter")
    step = "qtyStep" if "qtyStep" in sizes else "basePrecision"
    notional = "minNotionalValue" if sizes.get("minNotionalValue") else "minOrderAmt"
    quantity_step = _size(symbol, sizes, step)
    if quantity_step == 0.0:
        raise _odd(symbol, step, sizes[step], "a positive number: no order could be rounded to it")
    market = "maxMktOrderQty" if "maxMktOrderQty" in sizes else "maxMarketOrderQty"
    limit = "maxLimitOrderQty" if sizes.get("maxLimitOrderQty") else "maxOrderQty"
    return Instrument(
        quantity_step=quantity_step,
        min_quantity=_size(symbol, sizes, "minOrderQty"),
        min_notional=_size(symbol, sizes, notional) if sizes.get(notional) else 0.0,
        base=_word(entry, "baseCoin"),
        quote=_word(entry, "quoteCoin"),
        settle=_word(entry, "settleCoin"),
        contract_type=_word(entry, "contractType"),
        status=_word(entry, "status"),
        tick_size=_known(symbol, _part(entry, "priceFilter"), "tickSize") or 0.0,
        max_market_quantity=_known(symbol, sizes, market) or 0.0,
        max_limit_quantity=_known(symbol, sizes, limit) or 0.0,
        max_leverage=_known(symbol, _part(entry, "leverageFilter"), "maxLeverage") or 0.0,
        funding_interval_min=_whole(symbol, entry, "fundingInterval"),
        max_funding_rate=_known(symbol, entry, "upperFundingRate", signed=True),
        min_funding_rate=_known(symbol, entry, "lowerFundingRate", signed=True),
        launch_ms=_whole(symbol, entry, "launchTime"),
        delivery_ms=_whole(symbol, entry, "deliveryTime"),
    )


def tiers_of_rows(symbol: str, rows: Sequence[dict[str, Any]]) -> tuple[Tier, ...]:
    """Return the margin tiers in a symbol's rows of risk-limit, in whatever order they came.

    A deduction that is not told is the one with which the margin has no jump.

    Raises:
        DataError: a row lacks something or makes no sense.
    """
    tiers: list[Tier] = []
    for row in sorted(rows, key=lambda row: _number(symbol, row, "riskLimitValue")):
        leverage = _number(symbol, row, "maxLeverage")
        unit = _number(symbol, row, "initialMargin") * leverage
        scale = 1.0 if 0.5 < unit < 2.0 else 100.0 if 50.0 < unit < 200.0 else 0.0
        if scale == 0.0:
            raise _odd(symbol, "initialMargin", row.get("initialMargin"), "1 / maxLeverage")
        limit = _number(symbol, row, "riskLimitValue")
        rate = _number(symbol, row, "maintenanceMargin") / scale
        deduction = _known(symbol, row, "mmDeduction")
        if deduction is None:
            below = tiers[-1] if tiers else Tier(0.0, rate, 0.0, leverage)
            added = below.limit_value * (rate - below.maintenance_rate)
            deduction = below.maintenance_deduction + added
        tiers.append(Tier(limit, rate, deduction, leverage))
    fault = fault_of(Instrument(1.0, 0.0, 0.0, tiers=tuple(tiers)))
    if fault:
        raise DataError(f"Bybit's risk-limit of {symbol}: {fault}; try again later")
    return tuple(tiers)


def _part(entry: dict[str, Any], key: str) -> dict[str, Any]:
    part = entry.get(key)
    return part if isinstance(part, dict) else {}


def _size(symbol: str, sizes: dict[str, Any], key: str) -> float:
    """Return a size that is zero or more, and must be there."""
    size = parsed_number(sizes.get(key))
    if not size >= 0.0:
        raise _odd(
            symbol, key, sizes.get(key), "a positive number: no order could be rounded to it"
        )
    return size


def _known(symbol: str, part: dict[str, Any], key: str, *, signed: bool = False) -> float | None:
    """Return a number, None where it is absent or empty."""
    value = part.get(key)
    if value is None or value == "":
        return None
    found = parsed_number(value)
    if not (found == found and (signed or found >= 0.0)):  # noqa: PLR0124 - NaN
        raise _odd(symbol, key, value, "a number" if signed else "a number of 0 or more")
    return found


def _number(symbol: str, row: dict[str, Any], key: str) -> float:
    """Return a number above zero, which must be there."""
    found = _known(symbol, row, key)
    if not found:
        raise _odd(symbol, key, row.get(key), "a positive number")
    return found


def _whole(symbol: str, entry: dict[str, Any], key: str) -> int:
    """Return a time or count, 0 where it is absent or empty."""
    found = _known(symbol, entry, key) or 0.0
    if found != int(found) or found >= _FAR_FUTURE_MS:
        raise _odd(symbol, key, entry[key], "a whole number")
    return int(found)


def _odd(symbol: str, key: str, value: Any, expected: str) -> DataError:
    return DataError(
        f"Bybit's instruments-info or risk-limit of {symbol} has {key} = {shown(value)[:40]}, expected "
        f"{expected}; try again later, or take the symbol out"
    )


def _word(entry: dict[str, Any], key: str) -> str:
    """Return a short text, "" where there is none."""
    value = entry.get(key)
    return value[:40] if isinstance(value, str) else ""
