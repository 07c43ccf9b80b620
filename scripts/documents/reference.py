"""The reference pages of settings and commands, from the schema and from the command line's own help."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import typer

from bot.cli.examples import EXAMPLES
from bot.cli.main import app
from bot.config.bounds import bounds
from bot.config.search import SearchSettings
from bot.config.section import Section
from bot.config.whole import PLUGINS, Config, section_types

UNITS = {
    "bars": "bars", "bps": "bp", "s": "s", "ms": "ms", "mb": "MB", "days": "days", "hours": "hours", "minutes": "minutes",
}  # fmt: skip
"""What the end of a setting's name says of its unit; others have it in their explanation."""


def settings() -> str:
    """Return every setting, a table for each section: unit, default, what is allowed, explanation."""
    plugins = Config.model_fields[PLUGINS]
    lines = [f"`{PLUGINS}` stands above all sections, `[]` by default. {plugins.description}", ""]
    for name, section in section_types().items():
        lines += [f"## {name}", "", *_table(section), ""]
    return "\n".join(lines).strip()


def _table(section: type[Section]) -> list[str]:
    """Return what a section is, and its settings as a table."""
    lines = [(section.__doc__ or "").strip().splitlines()[0], ""]
    lines += ["| key | default | unit | allowed | what it is |", "|---|---|---|---|---|"]
    defaults = section().model_dump(mode="json")
    for key, schema in section.model_json_schema()["properties"].items():
        unit = UNITS.get(key.rpartition("_")[2], "")
        allowed = bounds(schema)[1:-1].replace(">=", "≥").replace("<=", "≤") or _kind(schema)
        cells = (
            f"`{key}`", _value(defaults[key]), unit, _cell(allowed), _cell(schema["description"])
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def search_settings() -> str:
    """Return the settings of [search] in a space's file: default, what is allowed, explanation."""
    return "\n".join(_table(SearchSettings)[2:])


def commands_in_full() -> str:
    """Return every command: what it does, its arguments and options, its examples."""
    lines: list[str] = []
    for group in dict.fromkeys(group for group, _ in EXAMPLES.values()):
        lines += [f"## {group}", ""]
        for name, (of, examples) in EXAMPLES.items():
            if of == group:
                lines += [*_command(name, examples), ""]
    return "\n".join(lines).strip()


def _command(name: str, examples: tuple[str, ...]) -> Iterator[str]:
    command: Any = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    yield from (f"### bot {name}", "", _plain(command.help or ""), "")
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    if shown:
        yield from ("| argument or option | default | what it is |", "|---|---|---|")
        for each in shown:
            yield f"| {_named(each)} | {_default(each)} | {_cell(each.help or '')} |"
        yield ""
    yield from ("```sh", *examples, "```")


def _named(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _default(parameter: Any) -> str:
    shown = getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        return f"`{shown}`"
    value = parameter.default
    if getattr(parameter, "required", False):
        return "must be given"
    return "" if value in (None, False, (), "") or callable(value) else f"`{value}`"


def _plain(text: str) -> str:
    """Return a help text with each of its paragraphs on a line."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(_cell(" ".join(each.split())).replace("\\|", "|") for each in paragraphs)


def _kind(schema: dict[str, Any]) -> str:
    return {"boolean": "true, false", "string": "text", "array": "list", "object": "table"}.get(
        schema["type"], ""
    )


def _value(default: Any) -> str:
    if isinstance(default, str) and not default:
        return "empty"
    return f"`{json.dumps(default, ensure_ascii=False)}`".replace("|", "\\|")


def _cell(text: str) -> str:
    """Return a text for a table: bars escaped, and angles and stars as they are."""
    escaped = text.replace("|", "\\|").replace("<", "&lt;")
    return re.sub(r"(?<![\w`])\*(?=\S)", "\\*", escaped)
