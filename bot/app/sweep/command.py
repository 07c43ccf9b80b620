"""`bot sweep`: many settings over the forecasts of a run or a file, and what choosing among them is worth.

Rules: all settings are checked before the first is tried; all of them are entered in the register of
trials; the best is never shown without its deflated Sharpe ratio and the probability of overfitting; a setting
that never traded has no place. The folder is made at the end, so that what is broken off leaves none.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bot.adapters.files.trials import Outcome, Trial
from bot.adapters.system.atomic_file import replacing
from bot.app.executors.choice import LOCAL, EngineChoice, opened
from bot.app.executors.units import Held
from bot.app.loop.runner import Progress
from bot.app.runs.folder import deciding
from bot.app.runs.trials import (
    digest_of,
    enter,
    named_with_venues,
    now_ms,
    runs_dir_of,
    source_of,
    tried,
    unusual,
)
from bot.app.sweep.checks import check_differ, check_heads, check_read
from bot.app.sweep.grid import Axis, axes_of, check_key, points, sets_of
from bot.app.sweep.replay import Share, SweepReplay, Tally, replay_of
from bot.app.sweep.source import SweepSource
from bot.app.symbols import bars_a_year
from bot.config import Config, flatten, load_config
from bot.errors import JournalError
from bot.report.study.selection import overfitting_of
from bot.report.study.sweep import SweepRow, SweepTable
from bot.timegrid import INTERVAL_MS

Setting = tuple[Config, str, dict[str, Any]]

LEAST_SHARE, SHARES_A_CORE = 25, 4


@dataclass(frozen=True)
class SweepDone:
    """The folder that it is written in, and what it came to."""

    folder: Path
    table: SweepTable
    seconds: float


def sweep(
    source: SweepSource, varied: Sequence[str], out: str | None, sets: Sequence[str], progress: Progress,
    engine: EngineChoice = LOCAL,
) -> SweepDone:  # fmt: skip
    """Try every combination of what varies, and write sweep.json and sweep.html.

    Args:
        varied: as --vary takes them.
        out: the folder; a new one beside the run by default.
        sets: as --set takes them, over the source's settings.

    Raises:
        ConfigError: a key may not vary, or a combination makes no sense.
        JournalError: there is something in the folder already.
    """
    started = time.perf_counter()
    axes = axes_of(varied)
    for given in sets:
        check_key(given.partition("=")[0].strip(), "--set")
    base = _setting(source, axes, (), sets)
    settings = [_setting(source, axes, point, sets, base[0]) for point in points(axes)]
    values = [value for _, _, value in settings]
    check_differ(axes, values)
    asked = [*(axis.key for axis in axes), *(given.partition("=")[0].strip() for given in sets)]
    configs = [config for config, _, _ in settings]
    check_read(asked, configs, source)
    for config in (base[0], *configs):
        check_heads(source, config)
    free = _free(source, out)
    from bot.report.study.surface import page  # matplotlib takes a while

    tallies = _tried([base, *settings], source, progress, engine)
    folder = _made(free, named=out is not None)
    table = _judged(source, axes, base[0], tallies, folder)
    seconds = time.perf_counter() - started
    content = table.as_json() | {"folder": str(folder), "seconds": seconds}
    for name, text in (("sweep.html", page(table)), ("sweep.json", json.dumps(content))):
        with replacing(folder / name) as path:
            path.write_text(text, encoding="utf-8")
    return SweepDone(folder, table, seconds)


def _setting(
    source: SweepSource, axes: Sequence[Axis], point: Sequence[str], sets: Sequence[str],
    base: Config | None = None,
) -> Setting:  # fmt: skip
    """Return the settings of a combination, its name, and what differs from the base."""
    of_point = sets_of(axes, point) if point else []
    config = load_config(None, [*sets, *of_point], environ={}, base=source.settings)
    own: dict[str, Any] = {}
    if base is not None:
        here, there = flatten(config), flatten(base)
        own = {axis.key: here[axis.key] for axis in axes}
        also = {k: here[k] for k in deciding(config) if here[k] != there[k]}
        own |= also
    return config, " ".join(of_point), own


def _free(source: SweepSource, out: str | None) -> Path:
    """Return the folder that the sweep will be written in; it is made only once there is something.

    Raises:
        JournalError: a sweep is there already, or no folder can be.
    """
    if out is None:
        return source.runs_dir / f"sweep-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    folder = Path(out)
    if (folder / "sweep.json").exists():
        raise JournalError(
            f"{folder}: there is a sweep already; give another --out, or remove this one"
        )
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise JournalError(
            f"{folder}: cannot be made: {there} is {'not writable' if there.is_dir() else 'no folder'}"
        )
    return folder


def _made(folder: Path, *, named: bool) -> Path:
    """Make the folder, under the next free name where another sweep has taken it meanwhile.

    Args:
        named: whether its name was asked for, and so is kept.
    """
    for k in itertools.count(1):
        free = folder if named or k == 1 else folder.with_name(f"{folder.name}-{k}")
        try:
            free.mkdir(parents=True, exist_ok=named)
        except FileExistsError:
            if named:
                raise JournalError(f"{folder}: cannot be made: there is a file") from None
        except OSError as error:
            raise JournalError(f"{folder}: cannot be made: {error.strerror}") from None
        else:
            return free
    raise AssertionError


def _tried(
    settings: list[Setting], source: SweepSource, progress: Progress, engine: EngineChoice
) -> list[Tally]:
    """Return what each setting comes to; few are replayed here, more side by side."""
    replay = replay_of(source)
    if engine.name == "local" and (len(settings) <= LEAST_SHARE or engine.cores == 1):
        return _here(replay, settings, progress)
    found: dict[int, list[Tally]] = {}
    with opened(engine) as executor:
        size = max(LEAST_SHARE, -(-len(settings) // (SHARES_A_CORE * executor.slots)))
        data = Held("the replay", replay)
        futures: dict[Future[list[Tally]], int] = {
            executor.submit(Share(settings[k : k + size]), data): k
            for k in range(0, len(settings), size)
        }
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            found |= {futures[future]: future.result() for future in done}
            progress(sum(len(tallies) for tallies in found.values()), len(settings))
    return [tally for _, tallies in sorted(found.items()) for tally in tallies]


def _here(replay: SweepReplay, settings: list[Setting], progress: Progress) -> list[Tally]:
    tallies = []
    for k, (config, name, own) in enumerate(settings):
        tallies.append(replay.tally(config, name, own))
        progress(k + 1, len(settings))
    return tallies


def _judged(
    source: SweepSource, axes: Sequence[Axis], base: Config, tallies: list[Tally], folder: Path
) -> SweepTable:
    """Enter all settings in the register, and return what they came to with what choosing is worth."""
    rest = tallies[1:]
    trial = _trial(source, base, rest, folder.name)
    runs_dir = source.register_dir or runs_dir_of(folder)
    if warning := enter(runs_dir, trial):
        print(f"warning: {warning}", file=sys.stderr)
    counted = tried(runs_dir, trial)
    traded = [tally for tally in rest if tally.fills]
    best = max(
        (t.outcome for t in traded if t.outcome.sharpe is not None), key=_ratio, default=None
    )
    deflated = None
    if best is not None:
        deflated = counted.deflated(
            _ratio(best), best.returns, skew=best.skew, kurtosis=best.kurtosis
        )
    years = (len(source.bars) - source.start) / trial.periods_per_year
    rows = [_row(trial, tally, years) for tally in tallies]
    n = best.returns if best is not None else len(source.bars) - source.start
    return SweepTable(
        source=source.name,
        axes=tuple((axis.key, axis.values) for axis in axes),
        rows=tuple(rows[1:]),
        own=rows[0],
        best=None if best is None else best.name,
        trials=counted.as_json(n, trial.periods_per_year, deflated),
        selection=overfitting_of([tally.days for tally in traded]),
        idle=_idle(axes, rest),
    )


def _ratio(outcome: Outcome) -> float:
    assert outcome.sharpe is not None
    return outcome.sharpe


def _idle(axes: Sequence[Axis], tallies: list[Tally]) -> tuple[str, ...]:
    """Return the keys that changed nothing, whatever the others were."""
    days = np.array([tally.days for tally in tallies]).reshape(*(len(a.values) for a in axes), -1)
    return tuple(
        axis.key
        for k, axis in enumerate(axes)
        if len(axis.values) > 1 and np.all(days == np.take(days, [0], axis=k))
    )


def _row(trial: Trial, tally: Tally, years: float) -> SweepRow:
    o = tally.outcome
    return SweepRow(
        o.name,
        settings=dict(o.settings),
        net_return=o.net_return,
        sharpe=trial.annual_sharpe(o),
        max_drawdown=tally.drawdown,
        turnover_annual=tally.turnover / years,
        fills=tally.fills,
        equity=tally.equity,
    )


def _trial(source: SweepSource, base: Config, tallies: list[Tally], where: str) -> Trial:
    times, interval = source.bars.open_time, base.market.interval
    decides = [list(source.digest), deciding(base), [dict(t.outcome.settings) for t in tallies]]
    return Trial(
        kind="sweep",
        where=where,
        digest=digest_of(json.loads(json.dumps(decides, default=str))),
        settings=unusual(base),
        source=source_of(base, live=source.live),
        symbols=named_with_venues(base, source.symbols),
        interval=interval,
        start_ms=int(times[source.start]),
        end_ms=int(times[-1]) + INTERVAL_MS[interval],
        periods_per_year=bars_a_year(base, source.symbols),
        outcomes=tuple(tally.outcome for tally in tallies),
        time_ms=now_ms(),
    )
