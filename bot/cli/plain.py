"""What a terminal or file is written that knows not every letter, as one in Latin-1.

Rule: figures keep their sense, so a minus stays a minus; what has no plain form is a question mark,
and nothing ends because it could not be written.
"""

from __future__ import annotations

import codecs
import io
from typing import TextIO

HANDLER = "mtl-paper-bot.plain"
BY_ITSELF = ("strict", "surrogateescape", "backslashreplace")
"""What Python does on stdout, on stdout under the locale C, and on stderr."""

PLAIN = {
    "\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
    "\N{MIDDLE DOT}": "|", "\N{BOX DRAWINGS LIGHT VERTICAL}": "|",
    "\N{RIGHTWARDS ARROW}": "->", "\N{HORIZONTAL ELLIPSIS}": "...", "\N{MULTIPLICATION SIGN}": "x",
    "\N{PLUS-MINUS SIGN}": "+-", "\N{BLACK UP-POINTING TRIANGLE}": "^", "\N{BLACK DOWN-POINTING TRIANGLE}": "v",
    "\N{NO-BREAK SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " ", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LESS-THAN OR EQUAL TO}": "<=", "\N{GREATER-THAN OR EQUAL TO}": ">=",
}  # fmt: skip


def write_plainly(stream: TextIO) -> None:
    """Have a stream write what its encoding lacks in plain letters, in place of failing.

    One that is told already what to do instead is left as it is.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors in BY_ITSELF:
        codecs.register_error(HANDLER, _plain)
        stream.reconfigure(errors=HANDLER)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter, "?") for letter in lacking), error.end
