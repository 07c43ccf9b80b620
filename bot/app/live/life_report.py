"""What the daemon tells of the lives of its symbols.

Rule: that a symbol leaves is told once, until it is traded again. Must not change anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.adapters.record.commands import CommandRow
from bot.app.live.seldom import Seldom
from bot.blocks import Bool
from bot.portfolio.instruments import TRADED, Instrument
from bot.timestamps import format_utc


class LifeReport:
    """Tell which symbols leave.

    Attributes:
        leaving: why, in a few words, by symbol.
        members: of the universe at the last close, None where there is no rule, or no close yet.

    Args:
        commanded: tells of a command of the record.
    """

    def __init__(self, log: Any, commanded: Callable[[CommandRow], None]) -> None:
        self.learned = commanded
        self.leaving: dict[str, str] = {}
        self.members: tuple[str, ...] | None = None
        self._log, self._seldom = log, Seldom()

    def leaving_at(self, bar: int, leaving: Mapping[str, Instrument]) -> None:
        """Take the symbols that leave from a bar's close on, and tell of what is new."""
        for symbol, known in leaving.items():
            if self.leaving.get(symbol) != _why(known):
                self._log.warning(
                    "symbol_leaving", bar=bar, symbol=symbol, status=known.status,
                    delivery_ms=known.delivery_ms or None,
                )  # fmt: skip
        for symbol in self.leaving.keys() - leaving.keys():
            self._log.info("symbol_stays", bar=bar, symbol=symbol)
        self.leaving = {symbol: _why(known) for symbol, known in leaving.items()}

    def members_at(self, bar: int, symbols: Sequence[str], members: Bool) -> None:
        """Take the members of the universe from a bar's close on, and tell of what is new."""
        now = tuple(s for s, on in zip(symbols, members.tolist(), strict=True) if on)
        if now != self.members:
            known = self.members or ()
            self._log.info(
                "universe_changed", bar=bar, members=len(now),
                joined=[s for s in now if s not in known], left=[s for s in known if s not in now],
            )  # fmt: skip
        self.members = now

    def not_told(self, reason: str) -> None:
        """Tell that the exchange did not say what is asked now and then; seldom."""
        if self._seldom.may_tell("not told"):
            self._log.warning("exchange_unreachable", reason=f"instruments: {reason}", retry_s=0.0)


def _why(known: Instrument) -> str:
    ends = f"ends {format_utc(known.delivery_ms)} UTC" if known.delivery_ms else ""
    status = "" if known.status in TRADED else known.status
    return ", ".join(part for part in (status, ends) if part)
