"""The ledger's hash from the rows of a journal: of a run that was resumed, or that another wrote.

Rule: bars that are closed count; the fills of one that is only open do not yet.
"""

from __future__ import annotations

from bot.adapters.journal.snapshot import JournalSnapshot
from bot.portfolio.ledger import LedgerHash


def stored_ledger(snapshot: JournalSnapshot) -> LedgerHash:
    """Return the hash of the ledger as the journal holds it; more bars can be added to it.

    Raises:
        InvariantError: a fill is of a bar that the ledger does not have.
        JournalError: a row names an unknown symbol or reason.
    """
    ledger = LedgerHash(snapshot.symbols)
    for times, trace in snapshot.ledger_blocks():
        ledger.update(times, trace)
    return ledger
