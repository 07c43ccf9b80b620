"""The tree of errors: every one has an exit code of its own, and the text explains it."""

from __future__ import annotations

from bot import errors
from bot.errors import BotError


def test_exit_codes_are_distinct_and_documented() -> None:
    tree: list[type[BotError]] = [BotError, *BotError.__subclasses__()]
    codes = {error.__name__: error.exit_code for error in tree}
    assert len(set(codes.values())) == len(codes) == 7
    lines = (errors.__doc__ or "").splitlines()
    for name, code in codes.items():
        assert any(name in line and f"exit {code} " in line for line in lines), name
