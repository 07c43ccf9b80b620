"""docs/logs.md says of the log what the program writes."""

from __future__ import annotations

import re
from pathlib import Path

from bot.log import EVENTS, LOG_SCHEMA

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "logs.md"


def test_the_table_of_events_is_the_schema() -> None:
    section = DOCUMENT.read_text("utf-8").partition("\n## Events\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]+) \|$", section, re.MULTILINE)
    assert {name: frozenset(re.findall(r"`(\w+)`", fields)) for name, fields, _ in rows} == EVENTS
    assert len(rows) == len(EVENTS)
    assert all(meaning.strip().endswith(".") for _, _, meaning in rows)
    assert f"(the version of this table, {LOG_SCHEMA})" in section
