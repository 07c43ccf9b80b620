"""Blocks of a Markdown file that a command writes.

Owns the marks. `<!-- made: NAME -->` … `<!-- /made -->` holds what the code itself says, the same on
every machine: a test demands that it is so. `<!-- measured: NAME, DAY -->` … `<!-- /measured -->` holds
what a run gave on a named day and machine. Everything between the marks is replaced. Must not know
what stands in a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(
    r"<!-- (?P<kind>made|measured): (?P<name>[a-z-]+)(?:, (?P<day>\d{4}-\d\d-\d\d))? -->\n"
    r"(?P<text>.*?)<!-- /(?P=kind) -->",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block as it stands in a file; `day` is of a measured one."""

    kind: Literal["made", "measured"]
    name: str
    day: str | None
    text: str


def documents() -> list[Path]:
    """Return the files that may hold blocks: README and everything in docs/."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(text: str) -> Iterator[Block]:
    """Yield the blocks of a file's text, in order."""
    for found in _BLOCK.finditer(text):
        kind: Literal["made", "measured"] = "made" if found["kind"] == "made" else "measured"
        yield Block(kind, found["name"], found["day"], found["text"])


def replaced(text: str, kind: str, name: str, content: str, day: str | None = None) -> str:
    """Return a file's text with new content in the blocks of this kind and name.

    >>> replaced("a\\n<!-- made: x -->\\nold\\n<!-- /made -->\\nb", "made", "x", "new")
    'a\\n<!-- made: x -->\\nnew\\n<!-- /made -->\\nb'
    """

    def put(found: re.Match[str]) -> str:
        if (found["kind"], found["name"]) != (kind, name):
            return found[0]
        mark = f"{kind}: {name}" + (f", {day}" if day else "")
        return f"<!-- {mark} -->\n{content.rstrip()}\n<!-- /{kind} -->"

    return _BLOCK.sub(put, text)
