"""Opening a run's record: the one place that knows what a run is stored in.

Rule: reading commands, the daemon's start and trainings all come through here. Must not write.
"""

from __future__ import annotations

from bot.adapters.journal.reader import JournalReader
from bot.adapters.record.reading import Record
from bot.app.runs.folder import RunFolder


def open_record(folder: RunFolder, *, follow: bool = False) -> Record:
    """Open a run's record, as a context manager.

    Args:
        follow: see what is committed after it was opened; else all is of one instant.

    Raises:
        JournalError: there is none, or it is damaged or of another version.
    """
    return JournalReader(folder.journal, follow=follow)
