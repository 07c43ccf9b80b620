"""The stretches of a run: which build made what, from which bar on, and from which state.

Rules: a journal's first row is written with it, and its link seals the facts in `meta`; each later
one is a seam, where another build went on, and keeps the state that it went on from. A seam is a link
of the chain, and the next bar's goes on from it; the first row is none, so that the same history has
the same links in every run.
"""

from __future__ import annotations

import io as memory
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.adapters.journal import schema
from bot.adapters.system.build import described, present_build
from bot.engine_state import STATE_LAYOUT
from bot.errors import JournalError


@dataclass(frozen=True)
class BuildRow:
    """A row of `builds`.

    Attributes:
        closed: the last bar closed before it, ms UTC; None before the first.
        digest, made_by: of the build, see `build.py`.
        layout: of the state, `engine_state.STATE_LAYOUT`.
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

    def expected_link(self, previous: bytes, meta: Mapping[str, str]) -> bytes:
        """Return the link that the row must have behind another."""
        content = schema.facts_digest(meta) if self.state is None else self.state
        return schema.seam_link(
            previous, self.position, self.closed, digest=self.digest, made_by=self.made_by,
            layout=self.layout, content=content,
        )  # fmt: skip


def build_rows(db: sqlite3.Connection) -> list[BuildRow]:
    """Return the rows, oldest first.

    Raises:
        JournalError: a value is of another kind than was written.
    """
    query = "SELECT position, closed, digest, made_by, layout, state, link FROM builds ORDER BY position"
    rows = [BuildRow(*row) for row in db.execute(query)]
    for row in rows:
        kinds = {"closed": int, "digest": str, "made_by": str, "layout": int, "state": bytes}
        for name, kind in {**kinds, "link": bytes}.items():
            value = getattr(row, name)
            if not isinstance(value, kind) and not (value is None and name in {"closed", "state"}):
                raise JournalError(f"table builds: {name} of row {row.position} is {value!r}")
    return rows


def write_build(
    db: sqlite3.Connection, previous: bytes, closed: int | None,
    arrays: Mapping[str, npt.NDArray[Any]] | None,
) -> bytes:  # fmt: skip
    """Write that the present build goes on from here; return the link that the next bar goes on from."""
    position = db.execute("SELECT coalesce(max(position), 0) + 1 FROM builds").fetchone()[0]
    meta = dict(db.execute("SELECT key, value FROM meta"))
    state = None if arrays is None else packed(arrays)
    build = present_build()
    row = BuildRow(
        position,
        closed,
        build.digest,
        made_by=build.made_by,
        layout=STATE_LAYOUT,
        state=state,
        link=b"",
    )
    link = row.expected_link(previous, meta)
    db.execute(
        "INSERT INTO builds VALUES (?, ?, ?, ?, ?, ?, ?)",
        (position, closed, build.digest, build.made_by, STATE_LAYOUT, state, link),
    )
    return previous if arrays is None else link


def newest_link(db: sqlite3.Connection, symbols: Sequence[str]) -> bytes:
    """Return the link that the next bar's goes on from."""
    last = db.execute("SELECT open_time, link FROM chain ORDER BY open_time DESC LIMIT 1")
    closed, link = last.fetchone() or (None, schema.first_link(symbols))
    seams = [row for row in build_rows(db) if row.is_seam and row.closed == closed]
    newest: bytes = seams[-1].link if seams else link
    return newest


def packed(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return named arrays as numpy keeps them, without a pickle."""
    buffer = memory.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
