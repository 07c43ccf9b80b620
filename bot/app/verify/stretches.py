"""The stretches of a run: what each build made, up to the seam where another went on.

Rules: a stretch goes from the state at its seam to the state at the next one; a build that rehearsed
went on from no state, but began at the first bar again. Must not replay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bot.adapters.record.builds import BuildRow
from bot.adapters.record.difference import Difference
from bot.adapters.record.reading import Record
from bot.adapters.system.build import present_build
from bot.app.runs.carried_state import carried_state
from bot.app.verify.engine import Engines
from bot.engine_state import EngineState
from bot.timestamps import format_utc


@dataclass(frozen=True)
class Stretch:
    """What one build made, up to the next seam.

    Attributes:
        build: None where the record is of a version that did not record it.
        seam: the state it went on from; None at the start of the run.
        last: the newest bar that it has seen; None for the run's last stretch.
        opened: whether that bar is open and not closed at its end.
    """

    build: BuildRow | None
    seam: EngineState | None
    last: int | None = None
    opened: bool = False

    @property
    def is_present(self) -> bool:
        """Return whether this very build made it."""
        return self.build is not None and self.build.digest == present_build().digest

    @property
    def made_by(self) -> str:
        """Return its build as a person reads it."""
        return "a build that the journal does not name" if self.build is None else str(self.build)


@dataclass(frozen=True)
class Unproved:
    """What another build made and this one does not make again.

    Attributes:
        model_id: of a model whose training rows it is about; None for a stretch of bars.
        after, to: of the bars, ms UTC; of a model its due bar and its first; None at an end.
    """

    made_by: str
    after: int | None
    to: int | None
    difference: Difference
    model_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "made_by": self.made_by,
            "model_id": self.model_id,
            "after": self.after,
            "to": self.to,
            "difference": self.difference.as_json(),
        }

    def __str__(self) -> str:
        after = None if self.after is None else format_utc(self.after)
        what = "all bars" if after is None else f"the bars after {after}"
        if self.to is not None:
            what = (
                f"the bars {'' if after is None else f'after {after} '}up to {format_utc(self.to)}"
            )
        if self.model_id is not None:
            due = "" if after is None else f", due at {after},"
            what = f"the training rows of model {self.model_id}{due}"
        return f"{what} were made by {self.made_by}, which proves them; here {self.difference}"


def stretches_of(record: Record, engines: Engines) -> list[Stretch]:
    """Return the stretches of a run, oldest first.

    Args:
        engines: by how many symbols were in the run.

    Raises:
        JournalError: the state at a seam cannot be read by this version.
    """
    found, models = [Stretch(None, None)], record.models()
    for row in record.builds():
        carried = row.carried(record.path)
        if carried is None:
            found[-1] = replace(found[-1], build=row)
            continue
        count = len(carried.arrays.get("book.quantity", ()))
        counts = {record.joins.first, *(count for _, count in record.joins.later)}
        count = count if count in counts else record.joins.first
        state = carried_state(carried, record.path, engines(count).initial())
        if any(m.effective_from <= state.last_open for m in models[len(state.schedule) :]):
            found[-1] = replace(found[-1], build=row)  # it rehearsed, from the first bar on
            continue
        found[-1] = replace(found[-1], last=state.last_open, opened=state.opened)
        found.append(Stretch(row, state))
    return found
