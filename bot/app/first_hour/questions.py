"""`bot init`: a few questions with defaults, and the file of settings that the answers make.

Rules: an answer is tried as the setting it is, so what the file would be refused for is asked again
at once; the file has each setting's explanation from the schema; nothing is overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from bot.app.messages.addresses import check_settings
from bot.config import flatten, load_config
from bot.config.example import chosen_toml
from bot.errors import ConfigError, JournalError
from bot.wording import command

COMMON = (
    "market.symbols", "market.interval", "exchange.region", "portfolio.initial_capital",
    "portfolio.leverage", "risk.max_daily_loss", "risk.max_drawdown", "run.runs_dir", "notify.kinds",
    "notify.quiet", "notify.timezone", "notify.summary_at",
)  # fmt: skip
"""Settings that the file has, asked for or not: those that people change first."""


@dataclass(frozen=True)
class Question:
    """What is asked, for which setting."""

    key: str
    text: str
    hint: str


QUESTIONS = (
    Question("market.symbols", "Which symbols?", "Bybit's perpetuals, separated by commas"),
    Question("market.interval", "How long is a bar?", "1m 5m 15m 30m 1h 2h 4h 6h 12h 1d"),
    Question("exchange.region", "Which Bybit serves you?",
             "global, netherlands, eea, turkey, kazakhstan, georgia, uae, indonesia; 'bot doctor' tries them"),
    Question("portfolio.initial_capital", "How much play money?", "in dollars"),
    Question("notify.timezone", "Your time zone?", "for the daily summary, such as Europe/Berlin"),
)  # fmt: skip


def ask_all(given: Sequence[str], console: Console) -> list[str]:
    """Ask at the terminal; return the answers that differ from the defaults, as --set takes them.

    Args:
        given: settings of the command line, which are not asked for.
    """
    defaults = flatten(load_config(environ={}))
    known = {text.partition("=")[0].strip() for text in given}
    console.print(
        Text("Enter takes what stands in brackets. Nothing here can place a real order.", "dim")
    )
    answers: list[str] = []
    for question in QUESTIONS:
        if question.key not in known:
            answers += _ask(question, defaults[question.key], console)
    return answers


def write_settings(path: Path, sets: Sequence[str]) -> None:
    """Write the settings with their explanations.

    Raises:
        ConfigError: a setting is refused.
        JournalError: the file cannot be written.
    """
    config = load_config(None, sets, environ={})
    check_settings(config.notify)
    asked = [text.partition("=")[0].strip() for text in sets]
    keys = dict.fromkeys([*COMMON, *asked])
    values = flatten(config)
    write_text(path, chosen_toml({key: values[key] for key in keys}, HEADER))
    load_config(path, environ={})


def write_text(path: Path, text: str) -> None:
    """Write a new file.

    Raises:
        ConfigError: it is there already.
        JournalError: it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path}: is there already; name another file, or move it away") from None
    except OSError as error:
        raise JournalError(f"{path}: cannot be written: {error.strerror}") from None


def next_steps(path: Path) -> str:
    """Return the commands that come next."""
    return "\n".join(
        (
            f"  {command('doctor', '--config', path)}",
            f"  {command('run', '--config', path, '--run-dir', 'runs/live')}",
            f"  {command('backtest', '--config', path, '--data', 'data')}        after 'bot fetch'",
        )
    )


def _ask(question: Question, default: Any, console: Console) -> list[str]:
    shown = ",".join(default) if isinstance(default, list) else f"{default:g}" if isinstance(default, float) else str(default)  # fmt: skip
    while True:
        console.print(Text.assemble("\n", (question.text, "bold"), (f"  {question.hint}", "dim")))
        try:
            answer = console.input(Text(f"[{shown}] ")).strip()
        except EOFError:
            raise ConfigError("init: broken off; nothing was written") from None
        if not answer or answer == shown:
            return []
        try:
            check_settings(load_config(None, [f"{question.key}={answer}"], environ={}).notify)
        except ConfigError as error:
            console.print(Text(str(error), "yellow"))
            continue
        return [f"{question.key}={answer}"]


HEADER = """\
# Settings of the bot, written by 'bot init'. What does not stand here has its default; 'bot config example'
# prints every setting. 'bot doctor --config' and 'bot config check --config' try this file.
# Addresses of messages are no settings: docs/messages.md.
"""
