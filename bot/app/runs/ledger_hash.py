"""The ledger's hash from the rows of a record: of a run that was resumed, or that another wrote.

Rule: bars that are closed count; the fills of one that is only open do not yet.
"""

from __future__ import annotations

from bot.adapters.record.reading import Record
from bot.portfolio.ledger import LedgerHash


def stored_ledger(record: Record) -> LedgerHash:
    """Return the hash of the ledger as the record holds it; more bars can be added to it.

    Raises:
        InvariantError: a fill is of a bar that the ledger does not have.
        JournalError: a row names an unknown symbol or reason.
    """
    ledger = LedgerHash(record.symbols)
    for times, trace in record.ledger_blocks():
        ledger.update(times, trace)
    return ledger
