"""A backtest from a script or a notebook, the same that `bot backtest` makes.

Rules: it runs in this process, with trainings in processes of their own that never run the caller's
script again, so no `if __name__ == "__main__"` is needed; torch's threads are as before afterwards; it
is entered in the register of trials, as each look at the same bars is. It writes no report: ask
`LoadedRun.report` for one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.app.backtest.command import run_into_folder
from bot.app.library.run import LoadedRun
from bot.app.runs.results import read_run
from bot.app.runs.trials import enter_run
from bot.config import load_config
from bot.config.given import sets_of
from bot.errors import DataError
from bot.model.threads import one_thread

Settings = Mapping[str, Any]


def backtest(
    config: str | os.PathLike[str] | Settings | None = None,
    data: str | os.PathLike[str] | None = None,
    *,
    start: str | None = None,
    end: str | None = None,
    symbols: Sequence[str] | None = None,
    sets: Sequence[str] = (),
    forecasts: str | os.PathLike[str] | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LoadedRun:
    """Backtest on history through the live engine, retraining on schedule, and return the run.

    Args:
        config: a TOML file, or the settings themselves: by section, as in
            `{"costs": {"taker_fee": 0.001}}`, or by dotted keys, as in `{"costs.taker_fee": 0.001}`.
        data: a folder with candles/, or the candles' own folder; else as the settings say.
        start, end: first and last day or UTC time to trade, inclusive.
        symbols: to trade, in place of those of the settings.
        sets: "section.key=value", over all others, as --set.
        forecasts: a file of forecasts to use instead of a model's.
        run_dir: the run's folder; by default a new one in `runs/`.
        progress: called with the bars done and all there are.

    Raises:
        ConfigError: settings are refused; a line each.
        DataError: a file is missing or faulty, or there is no bar to trade.
        JournalError: there is a run in the folder already.
        KeyboardInterrupt: it was interrupted; the run up to there can be loaded from its folder.
    """
    base, path = (None, config) if not isinstance(config, Mapping) else (by_section(config), None)
    overrides = [
        *sets_of(
            None if data is None else os.fspath(data),
            start,
            end,
            None if symbols is None else ",".join(symbols),
        ),
        *sets,
    ]
    settings = load_config(
        None if path is None else os.fspath(path),
        overrides,
        base=base,
        base_name="the settings given",
    )
    with one_thread():
        folder, done = run_into_folder(
            settings,
            None if run_dir is None else os.fspath(run_dir),
            None if forecasts is None else os.fspath(forecasts),
            None,
            progress or _unheard,
            terminal=None,
        )
    if done.interrupted:
        raise KeyboardInterrupt
    if not done.bars:
        raise DataError(f"{folder.path}: there was no bar to trade")
    enter_run(folder, read_run(folder))
    return LoadedRun(folder)


def _unheard(_done: int, _total: int) -> None:
    pass


def by_section(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return settings by section, whether they were given so or by dotted keys.

    >>> by_section({"costs": {"taker_fee": 0.001}, "costs.slippage_bps": 1.0})
    {'costs': {'taker_fee': 0.001, 'slippage_bps': 1.0}}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        section, dot, key = name.partition(".")
        if dot:
            found.setdefault(section, {})[key] = value
        elif isinstance(value, Mapping):
            found[section] = {**found.get(section, {}), **value}
        else:
            found[name] = value
    return found
