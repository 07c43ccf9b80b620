"""What the exchange lets one order, and in which currencies: kept as JSON, a file a venue."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from bot.adapters.files.data_root import DataRoot
from bot.adapters.system.atomic_file import replacing
from bot.errors import DataError
from bot.portfolio.rules import Instrument

_TEXTS = frozenset({"base", "quote", "settle", "contract_type", "status"})


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
    names = {f.name for f in fields(Instrument)}
    try:
        loaded = {symbol: _instrument(entry) for symbol, entry in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{where}; expected symbol to {{{', '.join(sorted(names))}}}: {error}"
        ) from None
    for symbol, instrument in loaded.items():
        limits = (instrument.quantity_step, instrument.min_quantity, instrument.min_notional)
        if not all(math.isfinite(v) and v >= 0.0 for v in limits):
            raise DataError(f"{where}; {symbol}: a step or least is negative or no number")
    return loaded


def _instrument(entry: Mapping[str, Any]) -> Instrument:
    """Return an instrument; a file of an earlier version has numbers only."""
    values: dict[str, Any] = {k: str(v) if k in _TEXTS else float(v) for k, v in entry.items()}
    return Instrument(**values)


def instruments_text(instruments: Mapping[str, Instrument]) -> str:
    """Return the instruments as JSON, sorted by symbol, every number exact."""
    content = {symbol: asdict(instruments[symbol]) for symbol in sorted(instruments)}
    return json.dumps(content, indent=1)


def write_instruments(path: Path, instruments: Mapping[str, Instrument]) -> None:
    """Write the instruments of a venue atomically, sorted by symbol."""
    with replacing(path) as temporary:
        temporary.write_text(instruments_text(instruments) + "\n", "utf-8")
