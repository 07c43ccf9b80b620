"""What a run's folder says of itself beside its bars: facts, builds, settings.

Rules: a fact that can be had in another way is held against that; all that were recorded at the run's
creation are sealed by the first row of `builds`. Must not replay.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.adapters.record.chain import first_link
from bot.adapters.record.difference import MISSING, Difference
from bot.adapters.record.reading import Record
from bot.app.loop.forecasters import TABLE_ID, TABLE_TASKS
from bot.app.runs.edited_settings import edited_settings
from bot.app.runs.folder import RunFolder, stored_hash
from bot.app.symbols import traded_symbols
from bot.config import Config
from bot.errors import JournalError
from bot.features.targets import target_tasks


def check_facts(folder: RunFolder, config: Config, record: Record) -> Difference | None:
    """Return the first thing that cannot be as the run wrote it, None where all can."""
    found = next(_facts(folder, config, record), None) or record.misshapen()
    return found or next(_builds(record), None)


def check_start_and_numbers(record: Record) -> Difference | None:
    """Return where the run's start is not its ledger's, or its numbered rows have holes."""
    start, extent = record.meta.get("start"), record.extent()
    if extent is not None and start != str(extent.first):
        return Difference(
            "meta", "start", None, symbol=None, stored=start or MISSING, replayed=str(extent.first)
        )
    return record.misnumbered()


def _builds(record: Record) -> Iterator[Difference]:
    """Make the links of the builds again; the first one's is over the facts of the run."""
    link = first_link(record.symbols[: record.joins.first])
    times, recorded = record.links()
    links = dict(zip(times.tolist(), recorded, strict=True))
    rows = record.builds()
    if not rows and record.version > 1:
        yield Difference(
            "builds",
            "row",
            None,
            symbol=None,
            stored=MISSING,
            replayed="the build that made the run",
        )
    for row in rows:
        if row.closed is not None:
            if row.closed not in links:
                yield Difference(
                    "builds",
                    "closed",
                    row.closed,
                    symbol=None,
                    stored=row.closed,
                    replayed="a closed bar",
                )
                return
            link = links[row.closed]
        expected = row.expected_link(link, record.meta)
        if row.link != expected:
            field = "link" if row.is_seam else "link (over the build and the facts in meta)"
            yield Difference(
                "builds", field, row.closed, symbol=None, stored=row.link, replayed=expected
            )
        link = row.link if row.is_seam else link


def _facts(folder: RunFolder, config: Config, record: Record) -> Iterator[Difference]:
    meta = record.meta
    tasks = TABLE_TASKS if TABLE_ID in meta else target_tasks(config.targets)
    expected = {
        "symbols": "\n".join(traded_symbols(config)),
        "tasks": "\n".join(task.name for task in tasks),
        "interval": config.market.interval,
        "venue": config.market.venue,
    }
    if not edited_settings(folder, record.meta):
        expected["config_hash"] = stored_hash(folder)
    for key, value in expected.items():
        if meta.get(key) != value:
            yield Difference(
                "meta", key, None, symbol=None, stored=meta.get(key, MISSING), replayed=value
            )
    if meta.get("mode") not in {"live", "backtest"}:
        yield Difference(
            "meta",
            "mode",
            None,
            symbol=None,
            stored=meta.get("mode", MISSING),
            replayed="live or backtest",
        )
    ended = {"ledger_sha256", "seconds", "interrupted"}
    if meta.get("mode") == "live":
        for key in sorted(ended & meta.keys()):
            yield Difference(
                "meta",
                key,
                None,
                symbol=None,
                stored=meta[key],
                replayed="nothing: a daemon writes none",
            )
    elif ended & meta.keys():  # a backtest writes them together, at its end
        for key in sorted(ended - meta.keys()):
            yield Difference(
                "meta",
                key,
                None,
                symbol=None,
                stored=MISSING,
                replayed="what a backtest tells at its end",
            )


def must_be_provable(folder: RunFolder, config: Config) -> None:
    """Refuse a run that has not recorded its decisions.

    Raises:
        JournalError: with what to do.
    """
    if config.run.record != "full":
        raise JournalError(
            f"{folder.path}: was run with run.record = '{config.run.record}', so its decisions are "
            "not recorded and it cannot be verified; run it again with run.record = 'full'"
        )
