"""What the exchange lets one order: quantity steps and smallest orders, kept as JSON a venue."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

from bot.adapters.atomic_file import replacing
from bot.adapters.data_root import DataRoot
from bot.errors import DataError
from bot.portfolio.rules import Instrument


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
        found = json.loads(text)
        loaded = {s: Instrument(**{k: float(v) for k, v in e.items()}) for s, e in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{where}; expected symbol to {{{', '.join(sorted(names))}}}: {error}"
        ) from None
    for symbol, instrument in loaded.items():
        if not all(math.isfinite(v) and v >= 0.0 for v in asdict(instrument).values()):
            raise DataError(f"{where}; {symbol}: a step or least is negative or no number")
    return loaded


def instruments_text(instruments: Mapping[str, Instrument]) -> str:
    """Return the instruments as JSON, sorted by symbol, every number exact."""
    content = {symbol: asdict(instruments[symbol]) for symbol in sorted(instruments)}
    return json.dumps(content, indent=1)


def write_instruments(path: Path, instruments: Mapping[str, Instrument]) -> None:
    """Write the instruments of a venue atomically, sorted by symbol."""
    with replacing(path) as temporary:
        temporary.write_text(instruments_text(instruments) + "\n", "utf-8")
