"""The documents name what is there: commands, options, settings, paths, links, tables, codes."""

from __future__ import annotations

import re
import shlex
import sqlite3
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from bot import errors
from bot.adapters.journal import schema as journal_schema
from bot.cli.main import app
from bot.config.whole import section_types
from bot.practice import exchange
from bot.practice.faults import Faults

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]  # fmt: skip
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FILE_ENDINGS = {"toml", "db", "js", "css", "jsonl", "json", "html", "lock", "py", "md", "sh"}
"""What follows a section's name and a dot in a file's name, such as log.jsonl."""

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def code_of(document: Path) -> list[str]:
    """Return the lines of all fenced blocks, and every piece of inline code."""
    text = document.read_text("utf-8")
    fenced = [line for block in FENCE.findall(text) for line in block.splitlines()[1:-1]]
    return fenced + CODE.findall(FENCE.sub("", text).replace("\n", " "))


def table_rows(document: Path, heading: str) -> list[list[str]]:
    """Return the cells of the tables under a heading, header lines included."""
    _, _, part = document.read_text("utf-8").partition(f"\n{heading}\n")
    part = re.split(r"^#{1,6} ", part, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in rows if not set("".join(row)) <= {"-"}]


def said_commands(document: Path) -> Iterator[list[str]]:
    """Yield the words after 'bot' of each command in the document's code."""
    for line in code_of(document):
        for piece in re.findall(r"(?:^|[/ ])bot ([a-z].*)", line.removeprefix("$ ")):
            plain = re.split(r"\s#|\s{2,}| \| jq|[…;&]", piece.replace("[", "").replace("]", ""))[0]
            yield shlex.split(plain)


@each_document
def test_commands_and_options_exist(document: Path) -> None:
    top: Any = typer.main.get_command(app)
    for words in said_commands(document):
        assert words[0] in top.commands, f"bot {' '.join(words)}"
        command = top.commands[words[0]]
        if hasattr(command, "commands"):
            names = [w for w in words[1:] if not w.startswith("-") and w.isalpha()]
            assert names, f"bot {' '.join(words)}"
            assert names[0] in command.commands, f"bot {' '.join(words)}"
            command = command.commands[names[0]]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= known, f"bot {' '.join(words)}: {given - known}"


def test_every_command_is_in_the_readme() -> None:
    top: Any = typer.main.get_command(app)
    assert set(top.commands) <= {words[0] for words in said_commands(ROOT / "README.md")}


@each_document
def test_settings_exist(document: Path) -> None:
    known = {name: set(kind.model_fields) for name, kind in section_types().items()}
    for piece in code_of(document):
        for section, key in re.findall(r"(?<![\w/.-])([a-z]+)\.([a-z_0-9]+)\b(?![(/])", piece):
            if section in known and key not in FILE_ENDINGS:
                assert key in known[section], f"{section}.{key}"
        for section, key in re.findall(r"\bBOT_([A-Z]+)__([A-Z_]+)", piece):
            if section != "SECTION":
                assert key.lower() in known[section.lower()], piece


@each_document
def test_links_resolve(document: Path) -> None:
    for target in LINK.findall(document.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path) if path else document
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, target


@each_document
def test_paths_exist(document: Path) -> None:
    for piece in code_of(document):
        for path in re.findall(r"(?<![\w/.-])((?:bot|tests|scripts|configs|docs)/[\w./-]+)", piece):
            assert (ROOT / path.rstrip(".")).exists(), path


def test_tables_of_the_journal() -> None:
    rows = table_rows(ROOT / "docs" / "architecture.md", "### The journal's tables")[1:]
    told = {row[0].strip("`"): CODE.findall(row[1]) for row in rows}
    db = sqlite3.connect(":memory:")
    db.executescript(journal_schema.TABLES)
    db.execute(journal_schema.forecast_table([]).replace(", , ", ", "))
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    there = {t: [row[1] for row in db.execute(f"PRAGMA table_info({t})")] for t in tables}
    db.close()
    assert told == there


def test_exit_codes() -> None:
    rows = table_rows(ROOT / "docs" / "operations.md", "## Exit codes")[1:]
    told = {row[1].strip("`"): int(row[0]) for row in rows if row[1]}
    found = [each for each in vars(errors).values() if isinstance(each, type)]
    assert told == {e.__name__: e.exit_code for e in found if issubclass(e, errors.BotError)}
    unit = (ROOT / "deploy/systemd/mtl-paper-bot.service").read_text("utf-8")
    never = {row[0] for row in rows if row[3].startswith(("no:", "never"))}
    assert f"RestartPreventExitStatus={' '.join(sorted(never, key=int))}\n" in unit


def test_the_practice_exchange() -> None:
    rows = table_rows(ROOT / "docs" / "practice.md", "## Requests and faults")
    named = [CODE.findall(row[0]) for row in rows]
    told = [name for names in named for name in names if re.fullmatch("[a-z_]+", name)]
    assert sorted(told) == sorted(field.name for field in fields(Faults))
    controls = re.findall(r"(?:GET|PUT|POST) +/practice/\w+", exchange.__doc__ or "")
    requests = {name for names in named for name in names if "/practice/" in name}
    assert requests == {" ".join(control.split()) for control in controls}


def test_layers() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    rows = table_rows(ROOT / "docs" / "architecture.md", "## Layers")[1:]
    told = [row[0].strip("`").replace("\\|", "|") for row in rows]
    assert told == contracts[0]["layers"]
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert all(f"**{contract['name']}**" in text for contract in contracts)


def test_the_walk_of_a_bar_is_short() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    walk = text.split("### The walk of a bar, by file")[1].split("\n### ")[0]
    steps = re.findall(r"^\d+\. `(bot/[\w/]+\.py)`: ", walk, re.MULTILINE)
    assert 10 <= len(steps) == len(set(steps)) <= 16
    assert all((ROOT / step).is_file() for step in steps)
