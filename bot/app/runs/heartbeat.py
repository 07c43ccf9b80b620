"""What the daemon last said of itself: RUN/status.json, which it replaces at each heartbeat.

Rule: it tells of the process (connection, lag, training); whatever money does is in the journal.
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path

from bot.errors import JournalError
from bot.timestamps import format_utc

NAME = "status.json"

SLOW_MS = 90_000
"""Beyond the heartbeats that are due, as long as a slow disk or network may take."""
SHORTEST_SILENCE_MS = 180_000


@dataclass(frozen=True)
class Rehearsing:
    """Where the rehearsal of a first start is.

    Attributes:
        stage: "training" while the models that were due are made, then "scoring" their signals.
        bar: due bar of the training, or the bar scored last, ms UTC.
        number, of: which bar of the history that is, and how many there are.
        models, models_planned: made so far, and as far as is known to be made in all.
    """

    stage: str
    bar: int
    number: int
    of: int
    models: int
    models_planned: int


@dataclass(frozen=True)
class Heartbeat:
    """The daemon's last words.

    Attributes:
        time_ms: of this machine's clock, when it was written.
        exchange_ms: of the exchange's clock at the same instant.
        lag_ms: from the last candle's arrival to the decision's commit.
        implausible: what the exchange said since the start and cannot be true.
        waiting: what a request waits long for and until when, None where none does.
        next_training_ms: when one is due, by the exchange's clock; None where none ever is.
        rehearsal: None but during one.
        leaving: why, by symbol that may not be opened any more.
        members: of the universe at the last close; None where there is no rule, or no close yet.
        every_ms: how far apart its heartbeats are.
    """

    pid: int
    time_ms: int
    exchange_ms: int
    connection: str
    last_bar: int | None
    lag_ms: float | None
    next_training_ms: int | None
    training: str
    version: str
    implausible: int = 0
    waiting: str | None = None
    rehearsal: Rehearsing | None = None
    leaving: dict[str, str] | None = None
    members: list[str] | None = None
    every_ms: int = 30_000

    @property
    def allowed_silence_ms(self) -> int:
        """How long after this one a daemon may be silent; then it hangs."""
        return max(SHORTEST_SILENCE_MS, 2 * self.every_ms + SLOW_MS)

    @property
    def training_for_people(self) -> str:
        """`training`, which says when it was due in ms UTC, with that time as a date."""
        return re.sub(r"\d{13}", lambda found: format_utc(int(found[0])), self.training)


def read_heartbeat(folder: Path) -> Heartbeat | None:
    """Return the last heartbeat of a run's daemon, None where there has been none.

    Raises:
        JournalError: the file is damaged.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_text("utf-8"))
        names = {f.name for f in fields(Heartbeat) if f.default is MISSING or f.name in content}
        found = Heartbeat(**{name: content[name] for name in names})
        where = content.get("rehearsal")
        return found if where is None else replace(found, rehearsal=Rehearsing(**where))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(
            f"{path}: is no heartbeat ({error!r}); delete it, the daemon writes a new one"
        ) from None
