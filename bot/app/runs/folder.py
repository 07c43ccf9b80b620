"""A run is a folder: config.toml as run, journal.db, models/, log.jsonl, report.html.

Owns the names in it and the hash of the settings. Must not know what a job does with them.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.adapters.journal.files import JOURNAL
from bot.config import Config, flatten, load_config, to_toml
from bot.config.given import read_toml
from bot.errors import JournalError
from bot.wording import command_in_text

NOT_IN_HASH = {
    "plugins",
    "run.runs_dir",
    "run.block_bars",
    "run.record",
    "run.commands_every_s",
    "market.feed",
    "training.workers",
    "training.time_limit_s",
    "training.memory_limit_mb",
    "data.root",
    "data.source",
    "data.history_bars",
    "data.start",
    "data.end",
    "data.history_start",
}
"""Settings that cannot change what is computed from the same bars."""

SECTIONS_NOT_IN_HASH = {"log", "report", "exchange", "practice", "notify"}
"""Sections that cannot either: where bars come from and how it is logged."""


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def journal(self) -> Path:
        """The SQLite journal."""
        return self.path / JOURNAL

    @property
    def models(self) -> Path:
        """The folder of models."""
        return self.path / "models"

    @property
    def log(self) -> Path:
        """The JSON lines log."""
        return self.path / "log.jsonl"

    @property
    def config(self) -> Path:
        """The settings as run."""
        return self.path / "config.toml"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"


def new_run(config: Config, run_dir: str | None, kind: str) -> RunFolder:
    """Make the folder of a new run and write its settings.

    Raises:
        JournalError: there is a run in it already, or it cannot be made.
    """
    folder = RunFolder(Path(run_dir or free_run_dir(config, kind)))
    if folder.journal.exists():
        raise JournalError(
            f"{folder.path}: there is a run already; give another --run-dir, or remove this one"
        )
    try:
        folder.models.mkdir(parents=True, exist_ok=True)
        folder.config.write_text(to_toml(config), encoding="utf-8")
    except OSError as error:
        raise JournalError(
            f"{folder.path}: cannot make the run's folder: {error.strerror}"
        ) from None
    return folder


def free_run_dir(config: Config, kind: str) -> str:
    """Return a folder for a new run, named by its kind and the time, that does not exist yet."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    base = Path(config.run.runs_dir) / f"{kind}-{stamp}"
    free = (base.with_name(f"{base.name}-{k}") if k else base for k in range(1000))
    return str(next(path for path in free if not path.exists()))


def resumable_run(run_dir: str | None) -> RunFolder | None:
    """Return the run in this folder, None where there is none yet."""
    folder = None if run_dir is None else RunFolder(Path(run_dir))
    return folder if folder is not None and folder.journal.exists() else None


def runs_in(runs_dir: Path) -> list[RunFolder]:
    """Return the runs in a folder that have begun, by name."""
    return [RunFolder(path.parent) for path in sorted(runs_dir.glob(f"*/{JOURNAL}"))]


def find_run(name: str, runs_dir: str = "runs", *, begun: bool = True) -> RunFolder:
    """Return the run at a path, or of a name in the folder of runs.

    Args:
        begun: whether it must have a journal; a daemon makes one once it has reached the exchange.

    Raises:
        JournalError: there is none.
    """
    for path in (Path(name), Path(runs_dir) / name):
        folder = RunFolder(path)
        if folder.journal.is_file() or (not begun and folder.log.is_file()):
            return folder
        if folder.config.is_file() and folder.log.is_file():
            raise JournalError(
                f"{path}: the run has not begun: it has not reached the exchange yet; "
                f"{command_in_text('logs', path)} says why"
            )
    there = [folder.path.name for folder in runs_in(Path(runs_dir))]
    near = difflib.get_close_matches(Path(name).name, there, n=1)
    meant = f"; did you mean {Path(runs_dir) / near[0]}?" if near else ""
    raise JournalError(
        f"{name}: no run here (looked for {name}/{JOURNAL}, also in {runs_dir}/){meant}"
    )


def config_text(folder: RunFolder) -> str:
    """Return config.toml as it stands; empty where there is none.

    Raises:
        JournalError: it cannot be read.
    """
    try:
        return folder.config.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise JournalError(f"{folder.config}: cannot be read ({error}); restore a copy") from None


def config_of(folder: RunFolder) -> Config:
    """Return the settings a run was made with; the environment does not change them.

    Raises:
        JournalError: they are not there any more.
        ConfigError: they make no sense.
    """
    if not folder.config.exists():
        raise JournalError(
            f"{folder.config}: the run's settings are missing; restore a copy; its journal has them "
            f"too: sqlite3 {folder.journal} \"SELECT value FROM meta WHERE key='config_toml'\""
        )
    return load_config(folder.config, environ={}, recorded=True)


def deciding(config: Config) -> dict[str, object]:
    """Return the settings that can change a number, by key."""
    return _deciding(flatten(config))


def config_hash(config: Config) -> str:
    """Return SHA-256 over the settings that can change a number."""
    return _hash(deciding(config))


def stored_hash(folder: RunFolder) -> str:
    """Return the same over the settings in a run's config.toml, as that version of the bot knew them."""
    return _hash(_deciding(flatten_toml(read_toml(folder.config))))


def flatten_toml(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a TOML file says by dotted keys."""
    found: dict[str, Any] = {}
    for section, values in sections.items():
        if isinstance(values, Mapping):
            found |= {f"{section}.{key}": value for key, value in values.items()}
        else:
            found[section] = values
    return found


def can_decide(key: str) -> bool:
    """Return whether a setting, as section.key, can change a number."""
    return key not in NOT_IN_HASH and key.partition(".")[0] not in SECTIONS_NOT_IN_HASH


def _deciding(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if can_decide(key)}


def _hash(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
