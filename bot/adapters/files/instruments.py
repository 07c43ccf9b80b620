"""What the exchange says of symbols: kept as JSON, a file a venue, and as text in a run's record.

Rules: what a file of an earlier version lacks is not known; every number is exact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from bot.adapters.files.data_root import DataRoot
from bot.adapters.system.atomic_file import replacing
from bot.errors import DataError
from bot.portfolio.instruments import SIGNED, Instrument, Tier, fault_of

_TEXTS = frozenset({"base", "quote", "settle", "contract_type", "status"})
_WHOLE = frozenset({"funding_interval_min", "launch_ms", "delivery_ms"})
"""Fields that are no floats."""


def load_instruments(root: str | Path, venue: str) -> dict[str, Instrument]:
    """Return the instruments of a venue by symbol; empty where none were fetched.

    A step or least of 0 means that there is none.

    Raises:
        DataError: the file is damaged.
    """
    path = DataRoot.at(root).instruments(venue)
    if not path.is_file():
        return {}
    return instruments_of(path.read_text("utf-8"), f"{path}: delete it and run 'bot fetch'")


def instruments_of(text: str, where: str) -> dict[str, Instrument]:
    """Return the instruments that `instruments_text` wrote, by symbol.

    Args:
        where: what an error names, with the fix.

    Raises:
        DataError: the text is damaged.
    """
    names = sorted(f.name for f in fields(Instrument))
    try:
        loaded = {symbol: _instrument(entry) for symbol, entry in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(f"{where}; expected symbol to {{{', '.join(names)}}}: {error}") from None
    for symbol, instrument in loaded.items():
        fault = fault_of(instrument)
        if fault:
            raise DataError(f"{where}; {symbol}: {fault}")
    return loaded


def _instrument(entry: Mapping[str, Any]) -> Instrument:
    return Instrument(**{name: _value(name, told) for name, told in entry.items()})


def _value(name: str, told: Any) -> Any:
    if name == "tiers":
        return tuple(Tier(*(float(number) for number in row)) for row in told)
    if name in _TEXTS:
        return str(told)
    if name in _WHOLE:
        if float(told) != int(told):
            raise ValueError(f"{name} is {told}, expected a whole number")
        return int(told)
    return None if told is None and name in SIGNED else float(told)


def instruments_text(instruments: Mapping[str, Instrument]) -> str:
    """Return the instruments as JSON, sorted by symbol, every number exact."""
    content = {symbol: asdict(instruments[symbol]) for symbol in sorted(instruments)}
    return json.dumps(content, indent=1)


def write_instruments(path: Path, instruments: Mapping[str, Instrument]) -> None:
    """Write the instruments of a venue atomically, sorted by symbol."""
    with replacing(path) as temporary:
        temporary.write_text(instruments_text(instruments) + "\n", "utf-8")
