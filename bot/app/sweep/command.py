"""`bot sweep`: many settings over the forecasts of a run or a file, and what choosing among them is worth.

Rules: all settings are checked before the first is tried; all of them are entered in the register of
trials; the best is never told without its deflated Sharpe ratio and the probability of overfitting.
"""

from __future__ import annotations

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

from bot.adapters.files.trials import Trial
from bot.adapters.system.atomic_file import replacing
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
from bot.app.sweep.grid import Axis, axes_of, check_key, points, sets_of
from bot.app.sweep.replay import Share, SweepReplay, Tally, replay_of
from bot.app.sweep.source import SweepSource
from bot.app.symbols import bars_a_year
from bot.app.training.pool import TrainingPool
from bot.config import Config, flatten, load_config
from bot.config.needed_heads import needed_heads, needs_model
from bot.errors import ConfigError, JournalError
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
    workers: int | None = None,
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
    _all_differ(axes, settings)
    for config, _, _ in (base, *settings):
        check(source, config)
    folder = _folder(source, out)
    tallies = _tried([base, *settings], source, progress, workers or os.cpu_count() or 1)
    table = _judged(source, axes, base[0], tallies, folder)
    seconds = time.perf_counter() - started
    content = table.as_json() | {"folder": str(folder), "seconds": seconds}
    from bot.report.study.surface import page  # matplotlib takes a while

    for name, text in (("sweep.html", page(table)), ("sweep.json", json.dumps(content))):
        with replacing(folder / name) as path:
            path.write_text(text, encoding="utf-8")
    return SweepDone(folder, table, seconds)


def check(source: SweepSource, config: Config) -> None:
    """Refuse a setting that reads what these forecasts have not.

    Raises:
        ConfigError: a head is missing.
    """
    if not needs_model(config):
        return
    there = source.heads
    kinds = {kind for kind, _ in there}
    for kind, horizon in needed_heads(config):
        if kind not in kinds or (len(there) > len(kinds) and (kind, horizon) not in there):
            raise ConfigError(
                f"policy.kind = '{config.policy.kind}', sizing.method = '{config.sizing.method}': they read "
                f"the {kind} head, and {source.name} has no forecast of it"
            )


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


def _all_differ(axes: Sequence[Axis], settings: Sequence[Setting]) -> None:
    """Refuse one value in two spellings: it would count as two trials.

    Raises:
        ConfigError: an axis has such a value.
    """
    for axis in axes:
        meant = {str(own[axis.key]) for _, _, own in settings}
        if len(meant) < len(axis.values):
            raise ConfigError(
                f"--vary {axis.key}: of {', '.join(axis.values)}, only {len(meant)} differ; name each "
                "value once"
            )


def _folder(source: SweepSource, out: str | None) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = Path(out) if out else source.runs_dir / f"sweep-{stamp}"
    if (folder / "sweep.json").exists():
        raise JournalError(
            f"{folder}: there is a sweep already; give another --out, or remove this one"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(f"{folder}: cannot be made: {error.strerror}") from None
    return folder


def _tried(
    settings: list[Setting], source: SweepSource, progress: Progress, workers: int
) -> list[Tally]:
    """Return what each setting comes to; few are replayed here, more on all cores."""
    replay = replay_of(source)
    if len(settings) <= LEAST_SHARE or workers == 1:
        return _here(replay, settings, progress)
    size = max(LEAST_SHARE, -(-len(settings) // (SHARES_A_CORE * workers)))
    pool = TrainingPool(workers)
    found: dict[int, list[Tally]] = {}
    try:
        futures: dict[Future[list[Tally]], int] = {
            pool.submit(Share(replay, settings[k : k + size])): k
            for k in range(0, len(settings), size)
        }
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            found |= {futures[future]: future.result() for future in done}
            progress(sum(len(tallies) for tallies in found.values()), len(settings))
    finally:
        pool.shutdown()
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
    best = max(
        rest, key=lambda t: -np.inf if t.outcome.sharpe is None else t.outcome.sharpe
    ).outcome
    deflated = None
    if best.sharpe is not None:
        deflated = counted.deflated(
            best.sharpe, best.returns, skew=best.skew, kurtosis=best.kurtosis
        )
    years = (len(source.bars) - source.start) / trial.periods_per_year
    rows = [_row(trial, tally, years) for tally in tallies]
    return SweepTable(
        source=source.name,
        axes=tuple((axis.key, axis.values) for axis in axes),
        rows=tuple(rows[1:]),
        own=rows[0],
        best=best.name,
        trials=counted.as_json(best.returns, trial.periods_per_year, deflated),
        selection=overfitting_of(np.stack([tally.days for tally in rest], axis=1)),
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
        source=source_of(base),
        symbols=named_with_venues(base, source.symbols),
        interval=interval,
        start_ms=int(times[source.start]),
        end_ms=int(times[-1]) + INTERVAL_MS[interval],
        periods_per_year=bars_a_year(base, source.symbols),
        outcomes=tuple(tally.outcome for tally in tallies),
        time_ms=now_ms(),
    )
