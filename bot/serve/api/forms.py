"""Rows as JSON, CSV or Arrow, as a request's `Accept` asks.

Rules: all forms hold the same values; what is not known is null, an empty field, or null. A column has
one type in Arrow, whatever a page holds, so that pages can be put together. The next page is named in
`Link` too, since CSV and Arrow have no place for it.
"""

from __future__ import annotations

import csv
import io as memory
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response

from bot.serve.problems import Problem

JSON, CSV = "application/json", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
FORMS = (JSON, CSV, ARROW)


Kind = Literal["whole", "number", "text", "flag", "json"]
_TYPES: dict[Kind, pa.DataType] = {
    "whole": pa.int64(), "number": pa.float64(), "text": pa.string(), "flag": pa.bool_(),
    "json": pa.string(),
}  # fmt: skip


@dataclass(frozen=True)
class RowsPage:
    """A page of rows.

    Attributes:
        columns: their kinds by name, in the order of a row's values; the same for every page of a table.
        next_cursor: None where it is the last.
    """

    columns: Mapping[str, Kind]
    rows: Sequence[Sequence[Any]]
    next_cursor: str | None = None

    @property
    def schema(self) -> pa.Schema:
        """Return it as Arrow knows it."""
        return pa.schema([(name, _TYPES[kind]) for name, kind in self.columns.items()])


def form_asked(request: Request) -> str:
    """Return the form that a request asks for: that of the highest weight, ours first of equals.

    Raises:
        Problem: none that there is.
    """
    accept = request.headers.get("accept", "*/*")
    weights = [(kind, _weight(parts)) for kind, *parts in map(_parts, accept.split(","))]
    best = max(FORMS, key=lambda form: _weight_of(form, weights))
    if _weight_of(best, weights) <= 0.0:
        raise Problem(406, f"Accept: there is {', '.join(FORMS)}")
    return best


def answer(request: Request, page: RowsPage) -> Response:
    """Return a page in the form that was asked for."""
    form = form_asked(request)
    headers = {"Vary": "Accept", "Cache-Control": "no-store"}
    if page.next_cursor is not None:
        following = request.url.include_query_params(cursor=page.next_cursor)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    written = {JSON: _json, CSV: _csv, ARROW: _arrow}[form](page)
    return Response(written, headers=headers, media_type=form)


def _json(page: RowsPage) -> bytes:
    items = [dict(zip(page.columns, row, strict=True)) for row in page.rows]
    return json.dumps({"items": items, "next": page.next_cursor}, allow_nan=False).encode()


def _csv(page: RowsPage) -> bytes:
    text = memory.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(page.columns)
    for row in page.rows:
        writer.writerow(["" if value is None else _plain(value) for value in row])
    return text.getvalue().encode()


def _arrow(page: RowsPage) -> bytes:
    columns = list(zip(*page.rows, strict=True)) or [() for _ in page.columns]
    arrays = [
        pa.array(map(_plain, column), kind)
        for column, kind in zip(columns, page.schema.types, strict=True)
    ]
    table = pa.table(arrays, schema=page.schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, page.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def _parts(piece: str) -> list[str]:
    return [part.strip() for part in piece.strip().lower().split(";")]


def _weight(parts: Sequence[str]) -> float:
    told = [part.partition("=")[2] for part in parts if part.startswith("q=")]
    try:
        return min(1.0, max(0.0, float(told[0]))) if told else 1.0
    except ValueError:
        return 0.0


def _weight_of(form: str, weights: Sequence[tuple[str, float]]) -> float:
    """Return the weight of the most particular piece that speaks of a form."""
    of = dict(weights)
    for kind in (form, f"{form.partition('/')[0]}/*", "*/*"):
        if kind in of:
            return of[kind]
    return 0.0
