"""The errors of the bot, named by what they make the caller do.

    BotError                exit 1   anything the bot refuses or gives up on
    ├── ConfigError         exit 2   a setting is wrong: fix the named key and start again
    ├── DataError           exit 3   candles, forecasts or a file are wrong: skip and record, or fix it
    ├── ExchangeError       exit 4   the exchange is out of reach or refuses: retry with back-off
    ├── JournalError        exit 5   a run's folder or journal cannot be used: look at it before a start
    ├── ModelError          exit 6   a model file is damaged, foreign or unfit: retrain or restore it
    └── InvariantError      exit 70  the books do not balance: stop at once, never restart blindly

A supervisor may restart on 4, and must not on 2, 3, 5, 6 and 70. Exit 130 is Ctrl-C.
Rule: a message names the file, key or row, what was expected, and how to fix it.
"""

from __future__ import annotations


class BotError(Exception):
    """An error that a person can act on; its text is printed as it is, without a traceback."""

    exit_code = 1


class ConfigError(BotError):
    """A setting is unknown, out of bounds or impossible together with another."""

    exit_code = 2


def extra_needed(what: str, extra: str) -> ConfigError:
    """Return the error of a part whose packages come with an optional extra of this package."""
    return ConfigError(
        f"{what}; install the extra '{extra}': pip install 'mtl-paper-bot[{extra}]', or in a clone: "
        f"pip install -c constraints.txt -e '.[{extra}]'"
    )


class DataError(BotError):
    """Candles, funding, forecasts or another input file are missing or malformed."""

    exit_code = 3


class ExchangeError(BotError):
    """The exchange cannot be reached, refuses, or answers something that is no answer."""

    exit_code = 4


class UnreachableError(ExchangeError):
    """The exchange does not answer, or nobody at the moment: nothing is said of what was asked."""


class UnlistedError(ExchangeError):
    """The exchange does not know a symbol, or no longer: asking again does not help."""


class JournalError(BotError):
    """A run's folder is locked, missing, damaged or of another schema."""

    exit_code = 5


class ModelError(BotError):
    """A model file is damaged, foreign, or does not fit the features and tasks in force."""

    exit_code = 6


class InvariantError(BotError):
    """Something that must always hold does not; going on would falsify the ledger."""

    exit_code = 70
