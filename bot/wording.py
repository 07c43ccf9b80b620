"""Small pieces of text that every layer prints the same way: counts, near names, commands to type.

Must not know what it speaks of.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable
from pathlib import Path


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with what it counts.

    Args:
        many: the word for any number but one; by default `one` with an s.

    >>> counted(1, "round trip"), counted(0, "row"), counted(1234, "fill"), counted(2, "proxy", "proxies")
    ('1 round trip', '0 rows', '1,234 fills', '2 proxies')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def did_you_mean(given: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return a hint at the known name that is most like the given one, '' where none is.

    >>> did_you_mean("trads", ["fills", "trades"]), did_you_mean("x", ["fills"])
    ("; did you mean 'trades'?", '')
    """
    near = difflib.get_close_matches(given, list(known), n=1, cutoff=cutoff)
    return f"; did you mean '{near[0]}'?" if near else ""


def command(*words: str | Path) -> str:
    """Return a command of the bot as a shell takes it; a path stands as it is reached from here.

    >>> command("report", Path("runs/my run")), command("verify", Path("-odd"))
    ("bot report 'runs/my run'", 'bot verify ./-odd')
    """
    return shlex.join(["bot", *map(_word, words)])


def command_in_text(*words: str | Path) -> str:
    """Return a command between marks, as sentences have them: what is between them can be copied.

    >>> command_in_text("report", "runs/a"), command_in_text("report", "runs/a b")
    ("'bot report runs/a'", "`bot report 'runs/a b'`")
    """
    line = command(*words)
    return f"`{line}`" if "'" in line else f"'{line}'"


def _word(word: str | Path) -> str:
    text = str(word)
    return f"./{text}" if isinstance(word, Path) and text.startswith("-") else text
