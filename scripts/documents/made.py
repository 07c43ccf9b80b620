"""What the code says of itself, as Markdown: the same on every machine, and held by a test."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import typer

from bot.cli.main import app
from scripts.documents.blocks import ROOT


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


MADE: dict[str, Callable[[], str]] = {"commands": commands, "decisions": decisions}


def _named(name: str, command: Any, inner: dict[str, Any] | None) -> list[tuple[str, Any]]:
    if inner is None:
        return [(name, command)]
    return [(f"{name} {word}", each) for word, each in inner.items()]


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    return paragraph.replace("|", "\\|")
