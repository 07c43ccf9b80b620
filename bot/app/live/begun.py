"""A run that has begun, and the settings that it is to go on with.

Rules: settings that decide numbers are those that the run was made with; what may change, `bot set`
changes. Other `market.symbols` are asked for as `bot set` would ask. Must not change the record.
"""

from __future__ import annotations

import time

from bot.adapters.files import commands as files
from bot.adapters.files.commands import Asked, ask, new_id, user_name
from bot.adapters.record.joins import SYMBOLS
from bot.app.runs.edited_settings import edited_settings
from bot.app.runs.folder import RunFolder, can_decide, config_of, deciding, resumable_run
from bot.app.runs.in_force import config_in_force
from bot.app.runs.record import open_record
from bot.config import Config
from bot.errors import ConfigError, DataError, JournalError
from bot.portfolio.hand import Command
from bot.wording import command_in_text


def begun(config: Config, run_dir: str) -> tuple[RunFolder | None, Config, tuple[str, ...]]:
    """Return the run to continue, None where there is none yet, and the settings to continue with.

    A run that began without a rehearsal stays without.

    Returns:
        also the symbols that the settings ask for, where the run has others in force; else none.

    Raises:
        ConfigError: it was made with other settings.
        JournalError: it is a backtest's, or its settings are missing or were edited.
    """
    folder = resumable_run(run_dir)
    if folder is None:
        return None, config, ()
    with open_record(folder) as record:
        meta, commands = record.meta, record.commands()
    if meta.get("mode") != "live":
        raise JournalError(
            f"{folder.path}: is the run of a {meta.get('mode')}, which the daemon cannot continue; "
            "give another --run-dir"
        )
    made = config_of(folder)
    if not made.policy.rehearse:
        policy = config.policy.model_copy(update={"rehearse": False})
        config = config.model_copy(update={"policy": policy})
    edited = [key for key in edited_settings(folder, meta) if can_decide(key)]
    if edited:
        raise JournalError(
            f"{folder.config}: was edited since the run was made, and can change its numbers: "
            f"{', '.join(edited)}; put back what was there "
            f"({command_in_text('verify', folder.path)} then proves the run), or begin a new run in another --run-dir"
        )
    wanted = config.market.symbols
    same = wanted in (made.market.symbols, config_in_force(made, commands).market.symbols)
    market = config.market.model_copy(update={"symbols": made.market.symbols})
    config = config.model_copy(update={"market": market})
    before, now = deciding(made), deciding(config)
    other = [
        f"{key} was {before[key]!r}, is {now[key]!r}" for key in now if now[key] != before[key]
    ]
    if other:
        raise ConfigError(
            f"{folder.path}: the run was made with other settings: {'; '.join(other)}; start it with "
            f"those (--config {folder.config}), or give another --run-dir"
        )
    return folder, config, () if same else wanted


def ask_for_symbols(folder: RunFolder, symbols: tuple[str, ...]) -> None:
    """Ask the run for these symbols, as `bot set` would, unless that waits already."""
    settings = {SYMBOLS: list(symbols)}
    for command_id in files.waiting(folder.path):
        try:
            waiting = files.read(folder.path, command_id)
        except DataError:  # the daemon tells of it
            continue
        if waiting is not None and waiting.settings == settings:
            return
    now_ms = time.time_ns() // 1_000_000
    ask(folder.path, Asked(new_id(now_ms), Command.SET, settings, user_name(), now_ms))
