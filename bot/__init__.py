"""Paper-trade a multi-task model on candles: one engine for live, backtest and replay.

As a library (nothing is imported before it is asked for):

    import bot
    run = bot.load_run("runs/demo")           # run.equity, .fills, .trades, ... are pandas
    run = bot.backtest("config.toml", "data")  # the same kind of object

cli             the commands: start here to follow what one of them does
serve           `bot serve`: the page, the API and the metrics, in a process of its own
app             the jobs behind the commands: live, backtest, verify, compare, download
practice        a stand-in for the exchange, and the synthetic market
adapters        all that touches the outside: Bybit, files, the journal, the system
report          what a run means: figures with their uncertainty, the page
engine          closed bars in, fills and ledger rows out; the one way a bar is processed
engine_state    what the engine carries from bar to bar, and how it is kept
features        what is computed of every bar, and the targets
model           the multi-task model: from rows to forecasts
portfolio       from forecast to ledger: signal, orders, fills, costs
parts           the registry of parts, and a user's own
config          the settings: schema, loading, checks
venues          the table of venues: what trades there, costs, sessions
plausibility    what can be true of a price or a rate
universe        which symbols may be traded at a time, by the rule of market.universe
timestamps      the one reader and writer of times
timegrid        arithmetic on the bar grid
blocks          the types that flow between all of these
one_for_all     columns that hold one number for all bars
log             structured logs
errors          the errors, named by what the caller does about them
wording         counts, near names, commands to type
compiled        the decorator of all compiled functions, and their cache
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.app.library import LoadedRun, backtest, load_run

__version__ = "0.1.0"
__all__ = ["LoadedRun", "__version__", "backtest", "load_run"]


def __getattr__(name: str) -> Any:
    """Return what the library offers, imported when it is first asked for."""
    if name in __all__:
        return getattr(importlib.import_module("bot.app.library"), name)
    raise AttributeError(f"module 'bot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
