"""What the daemon tells of its account: fills, liquidations, margin calls, what risk raises and lifts.

Rule: a state is told when it begins, and not again at every bar. Must not change anything.
"""

from __future__ import annotations

import math
from typing import Any

from bot.app.live.committed import CommittedRun
from bot.app.live.risk_watch import RiskWatch
from bot.portfolio.margin import is_called, margin_of, used_margin
from bot.portfolio.reasons import FILL_REASON, FillReason
from bot.portfolio.trace import Trace

ENDS = {FillReason.LIQUIDATION: "liquidation", FillReason.SETTLEMENT: "symbol_settled"}


class AccountReport:
    """Tell what became of the account at each close."""

    def __init__(self, run: CommittedRun, log: Any) -> None:
        self._run, self._log = run, log
        self._risk = RiskWatch(run.book, run.symbols)
        self._called = False

    def filled(self, trace: Trace) -> None:
        """Tell of the fills of a bar's open, or of its close."""
        for fill in trace.fills:
            costs = {name: float(fill[name]) for name in ("fee", "spread", "slippage")}
            self._log.info(
                "fill", bar=int(fill["open_time"]), symbol=self._run.symbols[fill["symbol"]],
                quantity=float(fill["quantity"]), price=float(fill["price"]),
                reason=FILL_REASON[int(fill["reason"])], **costs,
            )  # fmt: skip
        self._tell_ends(trace)

    def closed(self, bar: int) -> None:
        """Tell what a bar's close has brought the account to."""
        self._tell_margin(bar)
        self._risk.tell(self._log, bar, self._run.book)

    def _tell_ends(self, trace: Trace) -> None:
        """Tell of fills that nobody has ordered."""
        for reason, event in ENDS.items():
            for fill in trace.fills[trace.fills["reason"] == reason]:
                self._log.warning(
                    event, bar=int(fill["open_time"]), symbol=self._run.symbols[fill["symbol"]],
                    quantity=float(fill["quantity"]), price=float(fill["price"]), fee=float(fill["fee"]),
                )  # fmt: skip

    def _tell_margin(self, bar: int) -> None:
        called = is_called(used_margin(self._run.book, self._run.rules))
        if called and not self._called:
            self._call(bar)
        self._called = called

    def _call(self, bar: int) -> None:
        margin = margin_of(self._run.book, self._run.rules)
        if margin is None:
            return
        nearest = min(
            margin.positions, key=lambda p: math.inf if p.distance is None else p.distance
        )
        self._log.warning(
            "margin_call", bar=bar, used=margin.used, maintenance=margin.maintenance,
            symbol=self._run.symbols[nearest.symbol],
            liquidation_price=nearest.liquidation_price,
        )  # fmt: skip
