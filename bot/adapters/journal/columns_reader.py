"""Reading a record in columns: a `Record` over journal.db and the parts that it names.

Rules: which parts there are, the table `parts` alone says, so that all is of one instant, unless it
follows the writer; files that no row names are none of the run's. A part is never changed, so what was
read of one may be kept. Must not write, repair or judge: a damaged file is refused by name.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bot.adapters.journal import schema
from bot.adapters.journal.facts_reader import FactsReader
from bot.adapters.journal.files import COLUMNS
from bot.adapters.journal.migrations import Shapes, table_shapes
from bot.adapters.journal.parts import PART_KINDS, TablePart, read_part, schema_of
from bot.adapters.record.chain import first_link
from bot.adapters.record.column_arrays import ColumnsAsArrays, distinct
from bot.adapters.record.columns import (
    COLUMN_TABLES,
    Columns,
    Texts,
    joined_columns,
    row_span,
    stored_columns,
)
from bot.adapters.record.contents import Span
from bot.adapters.record.difference import MISSING, Difference
from bot.adapters.record.tables import EARLIEST, LATER_BAR_VALUES, LATEST, Table
from bot.blocks import I64
from bot.errors import JournalError

KEPT_PARTS = 2
"""Parts of each table of which what was read is kept, for spans that go over an edge."""


class ColumnReader(FactsReader, ColumnsAsArrays):
    """Read the record of a backtest in columns.

    Args:
        follow: see what is committed after it was opened.
    """

    numbered = (("parts", "position"), *FactsReader.numbered)

    def columns(
        self, table: Table, after: int = EARLIEST, to: int = LATEST,
        names: Sequence[str] | None = None, most: int | None = None,
    ) -> Columns:  # fmt: skip
        """Return the rows of a span by column, by key; fills in the order of booking."""
        wanted = tuple(stored_columns(table, self.tasks) if names is None else names)
        read = ("open_time", *(name for name in wanted if name != "open_time"))
        found: list[Columns] = []
        rows = 0
        for part in self._parts(table, after, to):
            if most is not None and rows >= most:
                break
            columns = self._read(part, read)
            span = row_span(columns, after, to)
            found.append({name: columns[name][span] for name in wanted})
            rows += span.stop - span.start
        return joined_columns(found, wanted)

    def bar_times(self) -> I64:
        """Return the open times that any symbol has a bar row of, int64[n], part by part."""
        found = [
            distinct(self._read(part, ("open_time",))["open_time"])
            for part in self._parts("bars", EARLIEST, LATEST)
        ]
        return distinct(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)

    @property
    def texts(self) -> Texts:
        """Return the texts behind the codes in columns."""
        if self._follows:
            return self._told_texts()
        return self._texts

    def span(self, table: Table) -> Span:
        """Return how many rows a table has, and from when to when."""
        parts = self._parts(table, EARLIEST, LATEST)
        if not parts:
            return Span(0, None, None)
        return Span(sum(part.rows for part in parts), parts[0].first, parts[-1].last)

    def damage(self) -> Difference | None:
        """Return the first part whose file or link is not as it was written.

        What its columns hold is held against their seals whenever they are read.
        """
        return super().damage() or self._broken_part()

    def misshapen(self) -> Difference | None:
        """Return the first table that is not laid out as its version says."""
        return super().misshapen() or next(
            (found for part in self._all_parts() if (found := self._misshapen(part))), None
        )

    def check_seals(self) -> None:
        """Read every column.

        Raises:
            JournalError: one is not as it was sealed.
        """
        for part in self._all_parts():
            self._read(part, self._names_of(part))

    def left_over(self) -> list[str]:
        """Return the files in its folder that no row of `parts` names, and the folders without any."""
        own = {part.path(self._folder) for part in self._all_parts()}
        there = [
            path for path in self._folder.rglob("*") if not path.is_dir() or not any(path.iterdir())
        ]
        return sorted(str(path.relative_to(self._folder)) for path in there if path not in own)

    @cached_property
    def _texts(self) -> Texts:
        return self._told_texts()

    def _told_texts(self) -> Texts:
        return Texts(self.symbols, tuple(dict.fromkeys(row.model_id for row in self.models())))

    def _told_version(self) -> int:
        told = self.meta.get("journal_version")
        if told not in schema.LACKING_IN_COLUMNS:
            raise JournalError(
                f"{self.path}: journal version {told or 'none'}, this program reads "
                f"{' and '.join(schema.LACKING_IN_COLUMNS)}; use the version of the bot that wrote it, or a newer one"
            )
        self._lacking = schema.LACKING_IN_COLUMNS[told]
        self._folder = self.path.parent / COLUMNS
        self._kept: defaultdict[str, OrderedDict[int, Columns]] = defaultdict(OrderedDict)
        return schema.JOURNAL_VERSION

    def _expected_shapes(self) -> Shapes:
        with closing(sqlite3.connect(":memory:")) as new:
            new.executescript(schema.FACTS + schema.PARTS)
            return table_shapes(new)

    def _parts(self, table: Table, after: int, to: int) -> list[TablePart]:
        """Return the parts of a table that have rows of a span, oldest first."""
        return self._rows_of_parts("WHERE name = ? AND last > ? AND first <= ?", table, after, to)

    def _all_parts(self) -> list[TablePart]:
        return self._rows_of_parts("")

    def _rows_of_parts(self, where: str, *given: Any) -> list[TablePart]:
        query = f"SELECT {', '.join(PART_KINDS)} FROM parts {where} ORDER BY position"
        found = self._rows(query, *given)
        for row in found:
            for (name, kind), value in zip(PART_KINDS.items(), row, strict=True):
                if not isinstance(value, kind):
                    raise JournalError(
                        f"{self.path}: table parts: {name} of row {row[0]} is {value!r}"
                    )
        return [TablePart(*row) for row in found]

    def _read(self, part: TablePart, names: Sequence[str]) -> Columns:
        """Read columns of a part, but those that are kept from before."""
        of_table = self._kept[part.name]
        kept = of_table.setdefault(part.position, {})
        of_table.move_to_end(part.position)
        while len(of_table) > KEPT_PARTS:
            of_table.popitem(last=False)
        lacking = [name for name in names if name not in kept]
        if lacking:
            stored = self._names_of(part)
            there = [name for name in lacking if name in stored]
            kept |= read_part(self._folder, part, there, stored, self.texts)
            for name in set(lacking).difference(there):
                kept[name] = np.full(part.rows, LATER_BAR_VALUES[name])
        return kept

    def _broken_part(self) -> Difference | None:
        link = first_link(self.symbols)
        for part in self._all_parts():
            found = self._broken(part, link)
            if found is not None:
                return found
            link = part.link
        return None

    def _broken(self, part: TablePart, link: bytes) -> Difference | None:
        path = part.path(self._folder)
        if not path.is_file():
            return _of(part, "file", MISSING, path.name)
        content = path.read_bytes()
        for field, stored, written in (
            ("size_bytes", len(content), part.size_bytes),
            ("sha256", hashlib.sha256(content).digest(), part.sha256),
        ):
            if stored != written:
                return _of(part, field, stored, written)
        if part.expected_link(link) != part.link:
            return _of(part, "link", part.link, part.expected_link(link))
        return None

    def _misshapen(self, part: TablePart) -> Difference | None:
        path = part.path(self._folder)
        names = self._names_of(part)
        found = pq.read_schema(path).remove_metadata()
        if found.equals(schema_of(names)):
            return None
        return _of(part, "columns", str(found), str(schema_of(names)))

    def _names_of(self, part: TablePart) -> tuple[str, ...]:
        for table in COLUMN_TABLES:
            if table == part.name:
                columns = stored_columns(table, self.tasks)
                return tuple(c for c in columns if table != "bars" or c not in self._lacking)
        raise JournalError(f"{self.path}: table parts names a table '{part.name}'; restore a copy")


def _of(part: TablePart, field: str, stored: object, replayed: object) -> Difference:
    """Return a difference in a part, named by its table and the file."""
    return Difference(
        part.name, f"{part.position:06d}.parquet {field}", part.first, symbol=None, stored=stored,
        replayed=replayed,
    )  # fmt: skip
