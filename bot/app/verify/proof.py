"""Prove a run: replay its bars as seen and its models through the engine, and demand the same rows.

Rules: features, forecasts, decisions, fills and ledger are computed again; what is stored of them is
only compared with. What the folder says of itself is proved first, then models and the rows they
were trained on, then bars by their hashes, then what follows from all, so that the cause is named
and not its effects. What nothing can prove is listed. Must not write to the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.adapters.record.contents import ModelRow
from bot.adapters.record.difference import Difference
from bot.adapters.record.reading import Record
from bot.adapters.system.build import present_build
from bot.adapters.system.run_lock import holder
from bot.app.loop.runner import Progress
from bot.app.runs.edited_settings import edited_settings
from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.ledger_hash import stored_ledger
from bot.app.runs.own_parts import check_parts
from bot.app.runs.record import open_record
from bot.app.verify.commands import ReplayedCommands
from bot.app.verify.engine import instruments_in, replay_engines
from bot.app.verify.facts import (
    check_facts,
    check_start_and_numbers,
    must_be_provable,
)
from bot.app.verify.models import check_models
from bot.app.verify.replay import Replay
from bot.app.verify.stretches import Unproved
from bot.app.verify.training import check_training_rows
from bot.app.verify.unproved import not_provable
from bot.config import Config
from bot.errors import InvariantError, JournalError
from bot.model.threads import one_thread
from bot.wording import counted


class Result(StrEnum):
    """What a proof says, in the words of --json."""

    IDENTICAL = "identical"
    OTHER_SETTINGS = "identical, but under other settings"
    OTHER_BUILDS = "identical, but for stretches of other builds"
    DIFFERENT = "different"

    @property
    def exit_code(self) -> int:
        """Return how the command ends."""
        codes = {Result.IDENTICAL: 0, Result.DIFFERENT: 1, Result.OTHER_SETTINGS: 7}
        return codes.get(self, 8)


@dataclass(frozen=True)
class Verdict:
    """What the proof has shown.

    Attributes:
        build: that replayed.
        stored_sha256: the ledger's hash, computed from the stored rows; None where they make no
            ledger.
        replayed_sha256: the replay's; None where it was not finished, or not of all stretches.
        bars, warm_bars, fills, models: how many were compared.
        settings: keys of config.toml that are not as the run was made with.
        stretches: those that another build has to prove.
        unproved: what nothing here proves, and why.
        notes: what a reader should know, identical or not.
    """

    build: str
    difference: Difference | None
    stored_sha256: str | None
    replayed_sha256: str | None
    bars: int
    warm_bars: int
    fills: int
    models: int
    settings: tuple[str, ...]
    stretches: tuple[Unproved, ...]
    unproved: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    @property
    def result(self) -> Result:
        """Return what is shown, in a word."""
        if self.difference is not None:
            return Result.DIFFERENT
        if self.settings:
            return Result.OTHER_SETTINGS
        return Result.OTHER_BUILDS if self.stretches else Result.IDENTICAL

    @property
    def identical(self) -> bool:
        """Return whether the run is proved, all of it and under its own settings."""
        return self.result is Result.IDENTICAL

    def __str__(self) -> str:
        lines = [f"note: {note}" for note in self.notes]
        lines += [f"not proved here: {stretch}" for stretch in self.stretches]
        lines.append(f"ledger   {self.stored_sha256 or 'the rows make none'}")
        lines.append(f"replayed {self.replayed_sha256 or 'not to the end'}")
        lines.append(f"{self.result}: {self.difference or self._counts()}")
        lines.append(f"by {self.build}")
        lines += [f"never proved: {what}; {why}" for what, why in self.unproved]
        return "\n".join(lines)

    def _counts(self) -> str:
        counts = [
            counted(self.bars, "bar"),
            counted(self.fills, "fill"),
            counted(self.models, "model"),
        ]
        return f"{', '.join(counts)}; {counted(self.warm_bars, 'bar')} of warm-up"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "result": str(self.result),
            "identical": self.identical,
            "build": self.build,
            "ledger_sha256": self.stored_sha256,
            "replayed_sha256": self.replayed_sha256,
            "bars": self.bars,
            "warm_bars": self.warm_bars,
            "fills": self.fills,
            "models": self.models,
            "difference": None if self.difference is None else self.difference.as_json(),
            "edited_settings": list(self.settings),
            "other_builds": [stretch.as_json() for stretch in self.stretches],
            "unproved": [{"what": what, "why": why} for what, why in self.unproved],
            "notes": list(self.notes),
        }


def verify(folder: RunFolder, progress: Progress | None = None) -> Verdict:
    """Replay a run, finished or going on, and compare; `progress` is called with (bars done, of all).

    One that goes on is proved as it was at the start, from a copy of its journal.

    A run with forecasts from a file is replayed from the forecasts in its journal: the chain of
    hashes proves those, nothing computes them again.

    Raises:
        JournalError: the run did not record all that a proof needs, or the file cannot be read.
    """
    config = config_of(folder)
    must_be_provable(folder, config)
    goes_on = holder(folder.path) is not None
    with open_record(folder, apart=goes_on) as record, one_thread():
        return _verdict(folder, config, record, progress)


def _verdict(
    folder: RunFolder, config: Config, record: Record, progress: Progress | None
) -> Verdict:
    models = record.models()
    check_parts(config, _newest_build(record), folder.path)
    difference = record.damage()
    difference = difference or check_facts(folder, config, record)
    difference = difference or check_models(folder, config, record, models)
    replay, bars, warm = None, 0, 0
    if difference is None:
        engines = replay_engines(folder, config, record, models)
        commands = ReplayedCommands(record, config, instruments_in(folder, record), engines)
        replay = Replay(
            engines, config, record, models=models, commands=commands, progress=progress
        )
        difference = replay.hole() or _training_difference(folder, config, record, models, replay)
        difference = difference or replay.first_difference() or check_start_and_numbers(record)
        bars, warm = replay.counts()
    stored = _stored_sha256(record, difference)
    ledger = None if replay is None or difference is not None else replay.ledger
    replayed = None if ledger is None else ledger.hexdigest()
    if difference is None:
        difference = _hash_difference(record, stored, replayed)
    settings = edited_settings(folder, record.meta)
    return Verdict(
        str(present_build()),
        difference,
        stored,
        replayed_sha256=replayed,
        bars=bars,
        warm_bars=warm,
        fills=0 if replay is None else replay.fills,
        models=len(models),
        settings=settings,
        stretches=() if replay is None else tuple(replay.unproved),
        unproved=not_provable(folder, record, models),
        notes=_notes(record, settings, replay),
    )


def _newest_build(record: Record) -> str:
    """Return by what the newest stretch was made, empty where the record does not say."""
    try:
        builds = record.builds()
    except JournalError:
        return ""  # a damaged row is found by the chain of builds
    return builds[-1].made_by if builds else ""


def _training_difference(
    folder: RunFolder, config: Config, record: Record, models: Sequence[ModelRow],
    replay: Replay,
) -> Difference | None:  # fmt: skip
    """Return the first model that was trained on other rows; another build may cut others."""
    for row, found in check_training_rows(folder, config, record, models):
        if row is None or not replay.of_another_build(row):
            return found
        replay.unproved.append(replay.unproved_model(row, found))
    return None


def _stored_sha256(record: Record, difference: Difference | None) -> str | None:
    try:
        return stored_ledger(record).hexdigest()
    except (InvariantError, JournalError):
        if difference is None:
            raise
        return None


def _hash_difference(record: Record, stored: str | None, replayed: str | None) -> Difference | None:
    recorded = record.meta.get("ledger_sha256", stored)
    if recorded != stored:
        return Difference(
            "meta", "ledger_sha256", None, symbol=None, stored=recorded, replayed=stored
        )
    if replayed is not None and stored != replayed:
        return Difference("ledger", "sha256", None, symbol=None, stored=stored, replayed=replayed)
    return None


def _notes(record: Record, settings: tuple[str, ...], replay: Replay | None) -> tuple[str, ...]:
    notes = []
    if settings:
        notes.append(
            f"config.toml was edited since the run was made: {', '.join(settings)}; it is replayed "
            "under what the file says now, and a difference may come from there"
        )
    taken = [row for row in record.commands() if row.refused is None]
    if taken:
        kinds = ", ".join(dict.fromkeys(row.kind for row in taken))
        notes.append(
            f"by hand: {len(taken)} ({kinds}); each holds in the replay where it was taken"
        )
    if "forecasts" in record.meta:
        notes.append("the forecasts came from a file: they were given to the replay")
    made = [s for s in ([] if replay is None else replay.stretches) if not s.is_present]
    if made and replay is not None and not replay.unproved:
        notes.append(
            f"made by {'; '.join(sorted({s.made_by for s in made}))}; this build makes the same"
        )
    return tuple(notes)
