"""The stretches of a run: which build made what, from which bar on, and from which state.

Rules: a record's first row is written with it, and its link seals the facts of the run; each later
one is a seam, where another build went on, and keeps the state that it went on from. A seam is a link
of the chain, and the next bar's goes on from it; the first row is none, so that the same history has
the same links in every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from bot.adapters.record.chain import facts_digest, seam_link
from bot.adapters.record.contents import Carried, packed, unpacked
from bot.adapters.system.build import described, present_build
from bot.engine_state import STATE_LAYOUT


@dataclass(frozen=True)
class BuildRow:
    """What one build made, from a bar on.

    Attributes:
        closed: the last bar closed before it, ms UTC; None before the first.
        digest, made_by: of the build, see `build.py`.
        layout: of the state, `engine.STATE_LAYOUT`.
        state: the carried state at the seam, as packed; None where nothing was carried.
    """

    position: int
    closed: int | None
    digest: str
    made_by: str
    layout: int
    state: bytes | None
    link: bytes

    @property
    def is_seam(self) -> bool:
        """Return whether bars before it were made by another build."""
        return self.state is not None

    def __str__(self) -> str:
        return described(self.digest, self.made_by)

    def carried(self, where: Path) -> Carried | None:
        """Return the state at the seam, None where nothing was carried.

        Raises:
            JournalError: it is damaged; `where` names the record.
        """
        return None if self.state is None else Carried(unpacked(self.state, where), self.layout)

    def expected_link(self, previous: bytes, meta: Mapping[str, str]) -> bytes:
        """Return the link that the row must have behind another."""
        content = facts_digest(meta) if self.state is None else self.state
        return seam_link(
            previous, self.position, self.closed, digest=self.digest, made_by=self.made_by,
            layout=self.layout, content=content,
        )  # fmt: skip


def present_row(
    position: int, previous: bytes, closed: int | None,
    arrays: Mapping[str, npt.NDArray[Any]] | None, meta: Mapping[str, str],
) -> BuildRow:  # fmt: skip
    """Return that the present build goes on from here, sealed behind the link `previous`."""
    build, state = present_build(), None if arrays is None else packed(arrays)
    row = BuildRow(
        position, closed, build.digest, made_by=build.made_by, layout=STATE_LAYOUT, state=state,
        link=b"",
    )  # fmt: skip
    return replace(row, link=row.expected_link(previous, meta))
