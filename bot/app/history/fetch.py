"""Download history into candle, funding, mark and instrument files: which symbol from where.

A fetch goes on where the files end, at either side, and asks for nothing that they have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bot.adapters.bybit.asking import open_session
from bot.adapters.bybit.hosts import hosts_of
from bot.adapters.bybit.rest import BybitRest
from bot.adapters.bybit.retry import Limiter, backoff_of
from bot.adapters.files.data_root import DataRoot, Series
from bot.adapters.files.instruments import load_instruments
from bot.adapters.yahoo import Download, download_table
from bot.app.history.fetch_bybit import fetch_instruments, fetch_symbol
from bot.app.history.fetch_yahoo import fetch_daily
from bot.app.history.progress import Fetched, FetchProgress, OnProgress
from bot.config import Config
from bot.config.schema import ExchangeSection
from bot.errors import ConfigError, DataError, UnlistedError
from bot.portfolio.instruments import Instrument
from bot.timestamps import format_utc, parse_utc
from bot.venues import Source, split_symbol, venue_row

_ADVICE = (
    " (Bybit lifts the bar of an address after ten minutes without a request, that of a country never: "
    "see exchange.region; Ctrl-C keeps what was fetched)"
)


def fetch_all(
    config: Config,
    start: str,
    end: str | None,
    progress: Callable[[int, int], None],
    tell: Callable[[str], None],
) -> list[Fetched]:
    """Download all symbols of the settings into data.root; return what it brought, file by file.

    Args:
        start, end: first and last day or UTC time, inclusive; without an end, until now.
        progress: takes the bars done and the bars in all of the series under way.
        tell: takes a line when the exchange has to be asked again, before the wait.

    Raises:
        ConfigError, ExchangeError, DataError: as `fetch`.
    """
    start_ms = parse_utc(start, "--from")
    if start_ms is None:
        raise ConfigError("--from: name the first day to fetch, for example 2023-01-01")
    end_ms = parse_utc(end or "", "--to", inclusive_end=True)
    span_ms = (start_ms, int(time.time() * 1000) if end_ms is None else end_ms)
    return fetch(
        config,
        config.market.symbols,
        span_ms,
        config.data.root,
        lambda step: progress(step.done, step.total),
        rest=lambda: open_rest(config.exchange, tell),
    )


def fetch(
    config: Config,
    symbols: Sequence[str],
    span_ms: tuple[int, int],
    root: str | Path,
    progress: OnProgress,
    *,
    rest: Callable[[], BybitRest],
    download: Download = download_table,
    now_ms: int | None = None,
) -> list[Fetched]:
    """Download candles, and for contracts funding rates and mark prices, and the instruments.

    Args:
        config: market.venue and market.interval are read.
        symbols: as in market.symbols.
        span_ms: open times of the first and last bar wanted, inclusive, ms UTC.
        root: the folder of the files; made where missing.
        progress: called after every page.
        rest: makes the client of Bybit, if one is needed.
        download: asks Yahoo for daily bars.
        now_ms: ends the last finished day of Yahoo's bars; by default the clock.

    Raises:
        ConfigError: the venue cannot be fetched, or not in this interval.
        ExchangeError: the exchange gives up; what was downloaded so far is kept.
        DataError: a file, or what the exchange says, is wrong.
    """
    if span_ms[0] > span_ms[1]:
        raise ConfigError("--from is after --to; swap them")
    where = DataRoot.at(root)
    wanted = [
        Series(*split_symbol(name, config.market.venue), config.market.interval) for name in symbols
    ]
    done: list[Fetched] = []
    now = int(time.time() * 1000) if now_ms is None else now_ms
    for series in wanted:
        if _is_yahoo(series.venue):
            done.append(fetch_daily(where, series, span_ms, now, download))
            progress(FetchProgress(series.symbol, "candles", 1, 1))
    bybit = [series for series in wanted if not _is_yahoo(series.venue)]
    if bybit:
        done += _fetch_bybit(
            where, bybit, span_ms, rest(), progress=progress, finer=config.market.finer_interval
        )
    return done


def _fetch_bybit(
    where: DataRoot, wanted: Sequence[Series], span_ms: tuple[int, int], client: BybitRest,
    progress: OnProgress, finer: str,
) -> list[Fetched]:  # fmt: skip
    """Fetch symbols of Bybit: first what they are, which says since when they have bars.

    An instrument that makes no sense is told at the end: it costs no candle.
    """
    told: list[Fetched] = []
    odd: DataError | None = None
    known: dict[Series, Instrument] = {}
    for venue in sorted({series.venue for series in wanted}):
        own = {series.symbol for series in wanted if series.venue == venue}
        try:
            told.append(fetch_instruments(where, venue, own, client))
        except DataError as error:
            odd = odd or error
        found = load_instruments(where.path, venue)
        known |= {series: found[series.symbol] for series in wanted if series.symbol in found}
    done: list[Fetched] = []
    for series in wanted:
        try:
            done += fetch_symbol(
                where, series, span_ms, client, progress, finer=finer, instrument=known.get(series)
            )
        except UnlistedError as error:
            raise UnlistedError(f"{error}{_other_venue(series)}") from None
    if odd is not None:
        raise odd
    return done + told


def gaps_error(done: Sequence[Fetched]) -> DataError | None:
    """Return the error of a download that lacks what it was to bring, None where it lacks nothing."""
    lacking = [f"{each.symbol} {each.what}" for each in done if each.absent]
    if not lacking:
        return None
    shown = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
    return DataError(
        f"the exchange did not give all of {shown}: the lines above say which times; what came is kept "
        "and can be used. Fetch again later, or name a span (--from, --to) without them"
    )


def _other_venue(series: Series) -> str:
    """Return where a contract may be that Bybit does not list at this venue; "" where its name says nothing.

    >>> _other_venue(Series("bybit_linear", "BTCUSD", "1h"))
    '; an inverse contract is named bybit_inverse:BTCUSD'
    """
    inverse = series.symbol.endswith("USD")
    if series.venue == "bybit_linear" and inverse:
        return f"; an inverse contract is named bybit_inverse:{series.symbol}"
    if series.venue == "bybit_inverse" and not inverse:
        return f"; a linear contract is named bybit_linear:{series.symbol}"
    return ""


def _is_yahoo(venue: str) -> bool:
    return venue_row(venue).source is Source.YAHOO


def open_rest(settings: ExchangeSection, tell: Callable[[str], None]) -> BybitRest:
    """Return a client of the exchange that the settings name, which never waits in silence.

    It gives up at once where the exchange was never reached: nobody waits for a missing network.

    Raises:
        ConfigError: the practice exchange is to be used, and its address is not given.
    """
    return BybitRest(
        open_session(hosts_of(settings).rest, settings.request_timeout_s),
        limiter=Limiter(settings.requests_per_second),
        backoff=backoff_of(settings),
        on_wait=telling(tell),
        patient_at_first=False,
    )


def telling(tell: Callable[[str], None]) -> Callable[[float, str], None]:
    """Return what tells of a wait before it: why, how long and until when."""

    def on_wait(wait_s: float, reason: str) -> None:
        until = format_utc(int((time.time() + wait_s) * 1000.0))
        tell(
            f"{reason}; asks again in {wait_s:.3g} s, at {until} UTC{_ADVICE if '403' in reason else ''}"
        )

    return on_wait
