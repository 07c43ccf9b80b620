"""What the code says of itself, as Markdown: the same on every machine, and held by a test."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer

from bot.app.tables.columns import NAMES, shape_of
from bot.blocks import Task
from bot.cli.main import app
from bot.config.ready import ready_names, ready_purpose
from bot.errors import ConfigError
from bot.parts.kinds import KINDS
from bot.parts.plugins import load_plugins
from bot.parts.registry import MOST_TOLD, parts
from bot.parts.sets import SETS
from bot.portfolio.kernel.asked import FILL_FIELDS, POLICY_FIELDS
from scripts.documents.blocks import ROOT
from scripts.documents.reference import commands_in_full, search_settings, settings


def commands() -> str:
    """Return a table of the commands, from their own first lines of help."""
    top: Any = typer.main.get_command(app)
    lines = ["| command | what it does |", "|---|---|"]
    for name, command in top.commands.items():
        inner = getattr(command, "commands", None)
        for words, each in _named(name, command, inner):
            lines.append(f"| `bot {words}` | {_first_sentence(each.help or '')} |")
    return "\n".join(lines)


def decisions() -> str:
    """Return an index of docs/decisions.md: its sections, and each decision's number and title."""
    text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    lines = []
    for heading, number, title in re.findall(
        r"^## ([^\n]+)$|^\*\*(\d+)\. (.+?)\*\*", text, re.MULTILINE | re.DOTALL
    ):
        if heading:
            anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            lines.append(f"- [{heading}](#{anchor})")
        else:
            lines.append(f"  - {number}. {' '.join(title.split()).rstrip('.,')}")
    return "\n".join(lines)


def kinds_of_part() -> str:
    """Return a table of the kinds of part, with those that come with the bot."""
    lines = ["| kind | what it is | setting | shipped |", "|---|---|---|---|"]
    for name, kind in KINDS.items():
        names = [part.name for part in parts(name).values() if part.is_shipped]
        shipped = ", ".join(f"`{each}`" for each in names)
        if len(names) > MOST_TOLD:
            shipped = f"{len(names)}, listed in [extending.md](extending.md)"
        setting = f"`{kind.chosen_by}`" if kind.chosen_by else ""
        what = kind.what[0].upper() + kind.what[1:]
        lines.append(f"| {name.replace('_', ' ')} | {what} | {setting} | {shipped} |")
    return "\n".join(lines)


def features() -> str:
    """Return a table of the features that come with the bot, and the smallest set that each is in."""
    lines = ["| feature | what it is | in the set |", "|---|---|---|"]
    for name, part in parts("feature").items():
        if part.is_shipped:
            sets = [each for each, members in SETS["feature"].items() if name in members]
            lines.append(f"| `{name}` | {part.doc} | {sets[0] if sets else ''} |")
    return "\n".join(lines)


EXAMPLES = (
    "header", "feature", "cross-feature", "target", "policy", "cost-scheme", "weighting", "encoder",
)  # fmt: skip
"""The pieces of examples/my_parts.py, each from a line `# [NAME]` to the next such line."""


def example(name: str) -> str:
    """Return a piece of examples/my_parts.py."""
    text = (ROOT / "examples" / "my_parts.py").read_text(encoding="utf-8")
    _, *pieces = re.split(r"^# \[([a-z-]+)\]\n", text, flags=re.MULTILINE)
    found = dict(zip(pieces[::2], pieces[1::2], strict=True))
    return f"```python\n{found[name].strip()}\n```"


def record(fields: Sequence[tuple[str, str, str]]) -> str:
    """Return a table of the fields of a record that a part is asked with."""
    return "\n".join(
        [
            "| field | meaning |",
            "|---|---|",
            *(f"| `{name}` | {told} |" for name, _, told in fields),
        ]
    )


def example_settings() -> str:
    """Return examples/config.toml."""
    text = (ROOT / "examples" / "config.toml").read_text(encoding="utf-8")
    return f"```toml\n{text.strip()}\n```"


FAULTY = (
    '@feature("atr_14", bars=15)\ndef atr_14(open, high, low, close, volume, turnover):\n    return 0.0\n',
    '@feature("atr_14", bars=0)\ndef atr_14(open, high, low, close, volume, turnover):\n    "ATR."\n',
    '@feature("rsi", bars=15)\ndef rsi(open, high, low, close, volume, turnover):\n    "RSI."\n',
    '@feature("atr_14", bars=PERIOD + 1)\ndef atr_14(open, high, low, close, volume, turnover):\n    "ATR."\n',
)  # fmt: skip
"""Files of parts that are refused."""


def example_faults() -> str:
    """Return what is told of each faulty file."""
    told = []
    with tempfile.TemporaryDirectory() as folder:
        for source in FAULTY:
            path = Path(folder) / "my_parts.py"
            path.write_text(f"from bot.parts import feature\n\n{source}", encoding="utf-8")
            try:
                load_plugins([str(path)])
            except ConfigError as error:
                told.append(str(error).replace(f"{path.resolve().parent}/", ""))
    return "\n".join(["```text", *told, "```"])


def tables() -> str:
    """Return the tables of a run, a section each: what a row is, and its columns."""
    tasks = [Task("return", 5), Task("direction", 5), Task("volatility", 5), Task("volume", 5)]
    lines = []
    for name in NAMES:
        shape = shape_of(name, tasks)
        lines += [f"### {name}", "", f"A row is {shape.row}.", ""]
        lines += ["| column | kind | unit | meaning |", "|---|---|---|---|"]
        lines += [f"| `{c.name}` | {c.kind} | {c.unit} | {c.says} |" for c in shape.columns]
        lines.append("")
    return "\n".join(lines).strip()


def ready_files() -> str:
    """Return a table of the ready files of settings."""
    lines = ["| name | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {ready_purpose(name)} |" for name in ready_names()]
    return "\n".join(lines)


MADE: dict[str, Callable[[], str]] = {
    "commands": commands,
    "decisions": decisions,
    "parts": kinds_of_part,
    "features": features,
    "tables": tables,
    "settings": settings,
    "search-settings": search_settings,
    "commands-in-full": commands_in_full,
    "ready-files": ready_files,
    "example-settings": example_settings,
    "example-faults": example_faults,
    "policy-record": partial(record, POLICY_FIELDS),
    "fill-record": partial(record, FILL_FIELDS),
    **{f"example-{name}": partial(example, name) for name in EXAMPLES},
}


def _named(name: str, command: Any, inner: dict[str, Any] | None) -> list[tuple[str, Any]]:
    if inner is None:
        return [(name, command)]
    return [(f"{name} {word}", each) for word, each in inner.items()]


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    return paragraph.replace("|", "\\|")
