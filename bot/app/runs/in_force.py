"""The settings and instruments in force in a run: those of its creation, and what changed them since.

Rules: config.toml stays as the run was made; what `bot set` changed is in the record, and holds from
the bar that the record names; so does what the exchange said later of its symbols. Must not take a command: the daemon does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.adapters.files.commands import new_id, stopped_by_file, waiting
from bot.adapters.files.instruments import instruments_of, instruments_text
from bot.adapters.record.commands import CommandRow
from bot.adapters.record.reading import Record
from bot.app.runs.folder import RunFolder
from bot.app.training.triggers import DueBars
from bot.config import Config
from bot.config.changes import applied, changed, recorded_changes
from bot.config.given import GivenSettings
from bot.config.schema import Retrain
from bot.errors import ConfigError, DataError, JournalError
from bot.portfolio.book import FLATTENED, NOT_PAUSED, PAUSED, Book
from bot.portfolio.hand import Command
from bot.portfolio.instruments import Instrument
from bot.portfolio.rules import Rules, rules_from
from bot.timegrid import INTERVAL_MS
from bot.timestamps import format_utc


def changed_settings(config: Config, given: GivenSettings) -> Config:
    """Return the settings in force after a change.

    Raises:
        ConfigError: a key may not change, or what is given makes no sense.
    """
    new = changed(config, given)
    DueBars(new.retrain, INTERVAL_MS[new.market.interval])
    return new


def setting_commands(commands: Sequence[CommandRow]) -> list[CommandRow]:
    """Return the commands that changed settings."""
    return [row for row in commands if row.kind == Command.SET and row.refused is None]


def after_command(config: Config, row: CommandRow) -> Config:
    """Return the settings in force after a command of the record.

    Raises:
        JournalError: this version of the bot cannot obey it.
    """
    try:
        return applied(config, recorded_changes(row.values, f"command {row.id}"))
    except ConfigError as error:
        raise JournalError(
            f"command {row.id} of the run: {error}; read it with the version that took it"
        ) from None


def config_in_force(config: Config, commands: Sequence[CommandRow]) -> Config:
    """Return a run's settings after all of its commands."""
    for row in setting_commands(commands):
        config = after_command(config, row)
    return config


def rules_of_run(
    config: Config, symbols: Sequence[str], instruments: Mapping[str, Instrument]
) -> Rules:
    """Return the rules that settings and instruments in force come to.

    Args:
        symbols: all that are in the run; a share of the equity is one of those that have not left.
    """
    rules = rules_from(config, symbols, instruments)
    there = sum(name in config.market.symbols for name in symbols)
    if config.sizing.fraction or config.market.universe or not there:
        return rules
    return rules._replace(fraction=1.0 / there)


def learning(
    news: Mapping[str, Instrument], at_ms: int, open_time: int, *, inside: bool
) -> CommandRow:
    """Return the row that lets other instruments hold from a bar's open on, or from its close."""
    return CommandRow(
        new_id(at_ms), Command.INSTRUMENTS, instruments_text(news), "exchange", at_ms,
        open_time=open_time, inside=inside,
    )  # fmt: skip


def learned(row: CommandRow) -> dict[str, Instrument]:
    """Return the instruments that a row of the record changes; none of any other kind.

    Raises:
        JournalError: they are damaged.
    """
    if row.kind != Command.INSTRUMENTS or row.refused is not None:
        return {}
    try:
        return instruments_of(row.settings, f"command {row.id} of the run")
    except DataError as error:
        raise JournalError(f"{error}; restore a copy") from None


def instruments_in_force(
    kept: Mapping[str, Instrument], commands: Sequence[CommandRow]
) -> dict[str, Instrument]:
    """Return a run's instruments: those of its creation, and what was learned of them since."""
    known = dict(kept)
    for row in commands:
        known |= learned(row)
    return known


def instruments_of_record(record: Record) -> dict[str, Instrument]:
    """Return the instruments with which each symbol of a run came into it.

    Raises:
        DataError, JournalError: they are damaged.
    """
    where = f"{record.path}: meta.instruments"
    known = instruments_of(record.meta.get("instruments", "{}"), where)
    for row in record.commands():
        known = learned(row) | known
    return known


def changed_by_hand(commands: Sequence[CommandRow]) -> dict[str, Any]:
    """Return the values by key that commands have set, the newest of each."""
    values: dict[str, Any] = {}
    for row in setting_commands(commands):
        values |= row.values
    return values


def in_force(commands: Sequence[CommandRow]) -> list[CommandRow]:
    """Return the commands by which the run is other than its file says, and the last if it was refused.

    Of those that set the same keys it is the newest; a flattening takes the place of a pause.
    """
    settings: list[CommandRow] = []
    paused: list[CommandRow] = []
    for row in commands:
        if row.refused is not None or row.kind == Command.INSTRUMENTS:
            continue
        if row.kind == Command.SET:
            settings = [each for each in settings if each.values.keys() - row.values.keys()] + [row]
        elif row.kind == Command.RESUME:
            paused = []
        elif not paused or (row.kind, paused[0].kind) == (Command.FLATTEN, Command.PAUSE):
            paused = [row]
    refused = [row for row in commands[-1:] if row.refused is not None]
    return settings + paused + refused


def by_hand(folder: RunFolder, commands: Sequence[CommandRow], book: Book) -> dict[str, Any]:
    """Return what a status says of a person's hand on the run, by name."""
    paused = int(book.account["paused"][0])
    known = {row.id for row in commands}
    return {
        "paused": {NOT_PAUSED: "no", PAUSED: "paused", FLATTENED: "flattened"}[paused],
        "commands": tuple(in_force(commands)),
        "settings": changed_by_hand(commands),
        "asked": sum(each not in known for each in waiting(folder.path)),
        "stop_file": stopped_by_file(folder.path),
    }


def due_bars(config: Config, commands: Sequence[CommandRow]) -> DueBars:
    """Return when trainings are due in a run, with what commands changed of that on the way."""
    changes: list[tuple[int, Retrain]] = []
    now = config
    for row in setting_commands(commands):
        now = after_command(now, row)
        changes.append((row.open_time, now.retrain))
    return DueBars(config.retrain, INTERVAL_MS[config.market.interval], changes)


def told(row: CommandRow) -> str:
    """Return a command that holds, and from where on, in a few words."""
    what = ", ".join(f"{key} = {json.dumps(value)}" for key, value in row.values.items())
    if row.kind == Command.INSTRUMENTS:
        what = f"instruments of {', '.join(row.values)}"
    where = "close" if row.inside else "open"
    return f"{what or row.kind}, from the {where} of {format_utc(row.open_time)} UTC"


def command_json(row: CommandRow) -> Mapping[str, Any]:
    """Return a command as JSON values, for those who read runs."""
    return {
        "id": row.id,
        "kind": row.kind,
        "settings": dict(row.values),
        "asked_by": row.asked_by,
        "asked_ms": row.asked_ms,
        "open_time": row.open_time,
        "inside": row.inside,
        "refused": row.refused,
    }
