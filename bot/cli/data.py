"""The commands about history on disk: download it, import it, list it.

Rules: --json prints JSON on stdout and nothing else there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import ConfigOption, DataOption, JsonOption, SetOption
from bot.cli.output import progress_bar, stdout_console
from bot.config import load_config
from bot.errors import ConfigError, DataError


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(fetch)
    app.command("import")(import_)
    app.command("data")(data)


def fetch(
    config: ConfigOption = None,
    data: DataOption = None,
    symbols: Annotated[str | None, typer.Option(help="Symbols, separated by commas.")] = None,
    start: Annotated[str, typer.Option("--from", help="First day or UTC time.")] = "",
    end: Annotated[
        str | None, typer.Option("--to", help="Last day, inclusive; now by default.")
    ] = None,
    sets: SetOption = None,
) -> None:
    """Download candles, funding, mark prices and instruments; an interrupted download resumes.

    Exit code 3 where the exchange did not give all that was asked for; what it gave is kept.
    """
    overrides = [
        *([f"data.root={data}"] if data else []),
        *([f"market.symbols={symbols}"] if symbols else []),
        *(sets or []),
    ]
    settings = load_config(config, overrides)
    if not start:
        raise ConfigError("--from: name the first day to fetch, for example --from 2023-01-01")
    from bot.app.history.fetch import fetch_all, gaps_error

    with progress_bar("fetch", quiet=False) as progress:
        done = fetch_all(settings, start, end, progress, lambda line: print(line, file=sys.stderr))
    for fetched in done:
        print(fetched)
    if (error := gaps_error(done)) is not None:
        raise error


def import_(
    files: Annotated[list[Path], typer.Argument(help="Files of candles or funding rates.")],
    venue: Annotated[
        str, typer.Option(help="Where it was traded, if the file does not tell: binance_spot.")
    ] = "",
    symbol: Annotated[str, typer.Option(help="What, if the file does not tell: BTCUSDT.")] = "",
    interval: Annotated[str, typer.Option(help="Length of a bar, if it does not tell: 1h.")] = "",
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import candle files of other programs and exchanges into the data folder.

    Known layouts: Binance Vision, Bybit's public klines, CryptoDataDownload, TradingView, freqtrade,
    ccxt, yfinance, and any CSV, Parquet, Feather or JSON with named columns.
    """
    settings = load_config(config, [f"data.root={data}"] if data else [])
    import time

    from bot.app.history.import_reading import Wanted
    from bot.app.history.importing import import_files

    wanted, now_ms = Wanted(venue, symbol, interval), time.time_ns() // 1_000_000
    done = import_files(files, settings.data.root, wanted, now_ms)
    if as_json:
        print(json.dumps([imported.as_json() for imported in done]))
        return
    for imported in done:
        print(imported)


def data(data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the history there is, checked as a backtest checks it; exit 3 if something is wrong."""
    settings = load_config(config, [f"data.root={data}"] if data else [])
    from bot.app.history.listing import listing_rows, listing_text

    rows = listing_rows(settings.data.root, settings.market)
    if as_json:
        print(json.dumps(rows))
    else:
        stdout_console().print(listing_text(rows), highlight=False, soft_wrap=True)
    if any(row["fault"] for row in rows):
        sys.exit(DataError.exit_code)
