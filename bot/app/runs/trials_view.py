"""`bot trials`: the register of trials as tables, and how much was tried on each symbol.

Rule: a line that is no entry is named and hides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bot.adapters.files import trials as register
from bot.adapters.files.trials import Outcome, Trial
from bot.app.runs.trials import on_same_data
from bot.errors import ConfigError, JournalError
from bot.report.formats import percent, two_digits, written
from bot.timestamps import format_utc

_SHOWN_SETTINGS = 4


@dataclass(frozen=True)
class TriedOn:
    """What was tried on a symbol of one source, over its whole history.

    Attributes:
        count: settings tried; `entries` that they were tried in.
        best: the trial with the highest Sharpe ratio of a year, and the outcome that has it; None where
            none has one.
        best_count: settings tried on the same data as the best, it among them.
        deflated: the best's deflated Sharpe ratio after those.
    """

    symbol: str
    source: str
    count: int
    entries: int
    start_ms: int
    end_ms: int
    best: tuple[Trial, Outcome] | None
    best_count: int
    deflated: float | None


@dataclass(frozen=True)
class Trials:
    """The register, or what of it saw one symbol: newest last."""

    path: Path
    trials: tuple[Trial, ...]
    by_symbol: tuple[TriedOn, ...]
    faults: tuple[str, ...]


def read_trials(runs_dir: Path, symbol: str | None = None) -> Trials:
    """Read the register of a folder of runs.

    Args:
        symbol: only entries that saw it, with its venue or at any.

    Raises:
        JournalError: it cannot be read.
        ConfigError: no entry saw the symbol.
    """
    path = runs_dir / register.NAME
    try:
        every, faults = register.read(path)
    except OSError as error:
        raise JournalError(f"{path}: cannot be read ({error.strerror or error})") from None
    shown = [t for t in every if symbol is None or _saw(t, symbol)]
    if symbol is not None and not shown:
        names = sorted({name for t in every for name in t.symbols})
        raise ConfigError(
            f"--symbol {symbol}: no trial of it in {path}; there is {', '.join(names) or 'none'}"
        )
    pairs = dict.fromkeys((name, t.source) for t in shown for name in t.symbols)
    found = [_tried_on(every, *pair) for pair in pairs if symbol is None or _is(pair[0], symbol)]
    return Trials(path, tuple(shown), tuple(found), faults)


def trials_json(found: Trials) -> dict[str, Any]:
    """Return the register as the object that --json prints."""
    return {
        "register": str(found.path),
        "trials": [trial.as_json() for trial in found.trials],
        "by_symbol": [_tried_json(each) for each in found.by_symbol],
        "faults": list(found.faults),
    }


def trials_tables(found: Trials) -> Group:
    """Return the entries, the count by symbol, and the lines that are no entry."""
    faults = [Text(fault, "red") for fault in found.faults]
    return Group(_entries(found.trials), _by_symbol(found.by_symbol), *faults)


def _saw(trial: Trial, symbol: str) -> bool:
    return any(_is(name, symbol) for name in trial.symbols)


def _is(name: str, symbol: str) -> bool:
    """Return whether venue:symbol is what was asked for, with a venue or without."""
    return symbol in (name, name.partition(":")[2])


def _tried_on(every: Sequence[Trial], symbol: str, source: str) -> TriedOn:
    mine = [t for t in every if t.source == source and symbol in t.symbols]
    ranked = [
        (sharpe, trial, outcome)
        for trial in mine
        for outcome in trial.outcomes
        if (sharpe := trial.annual_sharpe(outcome)) is not None
    ]
    best = max(ranked, key=lambda row: row[0], default=None)
    count, deflated = 0, None
    if best is not None:
        _, trial, o = best
        around = on_same_data(every, trial, "")
        count = around.count
        assert o.sharpe is not None
        deflated = around.deflated(o.sharpe, o.returns, skew=o.skew, kurtosis=o.kurtosis)
    return TriedOn(
        symbol, source, sum(len(t.outcomes) for t in mine), len(mine),
        start_ms=min(t.start_ms for t in mine), end_ms=max(t.end_ms for t in mine),
        best=None if best is None else best[1:], best_count=count, deflated=deflated,
    )  # fmt: skip


def _tried_json(each: TriedOn) -> dict[str, Any]:
    best = None
    if each.best is not None:
        trial, outcome = each.best
        best = {
            "id": trial.key, "where": trial.where, "name": outcome.name,
            "net_return": outcome.net_return, "sharpe_annual": trial.annual_sharpe(outcome),
            "tried_on_same_data": each.best_count, "deflated_sharpe": each.deflated,
        }  # fmt: skip
    return {
        "symbol": each.symbol, "source": each.source, "count": each.count,
        "entries": each.entries, "from": format_utc(each.start_ms),
        "to": format_utc(each.end_ms), "best": best,
    }  # fmt: skip


def _entries(trials: Sequence[Trial]) -> Table:
    numbers = ("tried", "net return", "Sharpe")
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0),
        caption="Of several settings the figures are those of the one with the best Sharpe ratio.",
        caption_justify="left",
    )  # fmt: skip
    for name in ("entered", "kind", "where", "symbols", "bars", "from", "to", *numbers, "settings"):
        table.add_column(
            name, justify="right" if name in numbers else "left",
            overflow="fold", no_wrap=name in (*numbers, "entered", "from", "to"),
        )  # fmt: skip
    shown = [(trial, _best(trial)) for trial in trials]
    settings = [{**trial.settings, **best.settings} for trial, best in shown]
    for (trial, best), own in zip(shown, settings, strict=True):
        table.add_row(
            format_utc(trial.time_ms), trial.kind, escape(_named(trial, best)),
            escape(_symbols(trial)), trial.interval, format_utc(trial.start_ms)[:10],
            format_utc(trial.end_ms)[:10], f"{len(trial.outcomes):,}",
            written(best.net_return, percent), written(trial.annual_sharpe(best), two_digits),
            escape(_settings(own, settings)),
        )  # fmt: skip
    return table


def _by_symbol(rows: Sequence[TriedOn]) -> Table:
    numbers = ("settings tried", "entries", "Sharpe", "of", "deflated")
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=Text("By symbol", style="bold"),
        title_justify="left", caption_justify="left",
        caption="Deflated: the probability that the best's true Sharpe ratio is above the best to expect "
        "by luck of as many as were tried on bars that overlap with its own ('of').",
    )  # fmt: skip
    columns = ("symbol", "data", "settings tried", "entries", "from", "to", "best")
    for name in (*columns, *numbers[2:]):
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        best, sharpe = "–", None
        if row.best is not None:
            trial, outcome = row.best
            best, sharpe = _named(trial, outcome), trial.annual_sharpe(outcome)
        table.add_row(
            escape(row.symbol), escape(row.source), f"{row.count:,}", f"{row.entries:,}",
            format_utc(row.start_ms)[:10], format_utc(row.end_ms)[:10], escape(best),
            written(sharpe, two_digits), f"{row.best_count:,}", written(row.deflated, percent),
        )  # fmt: skip
    return table


def _named(trial: Trial, outcome: Outcome) -> str:
    return f"{trial.where}: {outcome.name}" if outcome.name else trial.where


def _symbols(trial: Trial) -> str:
    made = trial.source != "files"
    return ", ".join(trial.symbols) + (" (synthetic)" if made else "")


def _best(trial: Trial) -> Outcome:
    return max(trial.outcomes, key=lambda o: float("-inf") if o.sharpe is None else o.sharpe)


def _settings(own: Mapping[str, Any], of_all: Sequence[Mapping[str, Any]]) -> str:
    """Return what differs from the defaults, the first few: before others what not all entries have."""
    is_common = {k: all(k in each and each[k] == v for each in of_all) for k, v in own.items()}
    every = [f"{k}={_short(own[k])}" for k in sorted(own, key=is_common.__getitem__)]
    more = len(every) - _SHOWN_SETTINGS
    shown = ", ".join(every[:_SHOWN_SETTINGS])
    return f"{shown} and {more} more" if more > 0 else shown or "the defaults"


def _short(value: Any) -> str:
    """Return a value; of a list of many their number."""
    return f"{len(value)} values" if isinstance(value, list) and len(value) > 4 else str(value)
