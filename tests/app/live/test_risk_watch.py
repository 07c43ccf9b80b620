"""What of risk is told: what is raised or lifted, once; and where the status says that it stands."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.app.live.risk_watch import RiskWatch
from bot.app.runs.risk_status import risk_of
from bot.log import EVENTS
from bot.portfolio.book import Book, copy_book, new_book
from bot.portfolio.reasons import DrawdownStage, Halt

SYMBOLS = ("A", "B")


class Log:
    """Keep what is logged, and hold it to the schema."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def warning(self, event: str, **fields: Any) -> None:
        assert fields.keys() == EVENTS[event]
        self.told.append((event, fields))


def changed(book: Book, left: tuple[int, int] = (0, 0), **account: Any) -> Book:
    after = copy_book(book)
    for name, value in account.items():
        after.account[name] = value
    after.holding["cooling"] = np.array(left)
    return after


def test_what_is_raised_and_lifted_is_told_once() -> None:
    calm = new_book(2, 1000.0)
    log, watch = Log(), RiskWatch(calm, SYMBOLS)
    flattened = changed(calm, stage=DrawdownStage.FLATTENED, cooling=3, equity=800.0)
    still = changed(flattened, stage=DrawdownStage.FLATTENED, cooling=2, equity=800.0)
    for bar, book in enumerate([calm, flattened, still, calm]):
        watch.tell(log, bar, book)
    flat = {"bar": 1, "halt": "none", "stage": "flattened", "cooling_bars": 3, "equity": 800.0}
    lifted = {"bar": 3, "halt": "none", "stage": "none", "cooling_bars": 0, "equity": 1000.0}
    assert log.told == [("risk", flat), ("risk", lifted)]


def test_a_symbol_that_cools_down_is_told_by_name() -> None:
    calm = new_book(2, 1000.0)
    log, watch = Log(), RiskWatch(calm, SYMBOLS)
    for bar, left in enumerate([(0, 5), (0, 4), (0, 0)]):
        watch.tell(log, bar, changed(calm, left))
    begun, over = {"bar": 0, "symbol": "B", "bars": 5}, {"bar": 2, "symbol": "B", "bars": 0}
    assert log.told == [("cooling", begun), ("cooling", over)]


def test_what_was_raised_before_a_start_is_not_told_again() -> None:
    halted = changed(new_book(2, 1000.0), halted=Halt.DAY)
    log, watch = Log(), RiskWatch(halted, SYMBOLS)
    watch.tell(log, 0, halted)
    assert log.told == []


def test_the_status_says_where_the_limits_stand() -> None:
    book = changed(new_book(2, 1000.0), (0, 7), stage=DrawdownStage.HALVED, losses=2)
    risk = risk_of(book, SYMBOLS)
    assert (risk.stage, risk.cooling_bars, risk.cooling, risk.losses) == ("halved", 0, {"B": 7}, 2)
