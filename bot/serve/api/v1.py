"""The addresses under /api/v1 that read: runs, status, tables, models, skill, events.

Rule: an address says what `bot` would print, as data; it works out nothing itself.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from bot.adapters.record.tables import Table
from bot.app.runs.folder import RunFolder
from bot.app.runs.log_backwards import LogPlace
from bot.app.runs.log_view import LogFilter
from bot.app.runs.sentences import sentence
from bot.log import EVENTS
from bot.serve.api import schemas
from bot.serve.api.asked import (
    cursor_of,
    known_names,
    numbers_of,
    place_of,
    span_asked,
    time_asked,
)
from bot.serve.api.forms import ARROW, CSV, Kind, RowsPage, answer
from bot.serve.api.models import models_of
from bot.serve.api.status import run_line, run_status
from bot.serve.api.tables import MOST_ROWS, finite, table_page
from bot.serve.feed.events import events_page
from bot.serve.problems import MEDIA_TYPE, Problem
from bot.serve.site import Site

PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"description": told, "model": schemas.ProblemDocument, "content": {MEDIA_TYPE: {}}}
    for code, told in {
        401: "no token, or a wrong one",
        404: "there is no such run",
        406: "no form that there is",
        409: "the run cannot be read, or not be asked for this",
        422: "what was asked makes no sense",
        429: "too many wrong tries",
        503: "not there yet; Retry-After says when to ask again",
    }.items()
}
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A page of rows.", "content": {CSV: {}, ARROW: {}}}
}
MODELS: dict[str, Kind] = {
    "model_id": "text", "effective_from": "whole", "due": "whole", "late": "flag", "rows": "whole",
    "train_from": "whole", "train_to": "whole", "metrics": "json", "fault": "text",
}  # fmt: skip
EVENT_COLUMNS: dict[str, Kind] = {
    "id": "text", "time": "whole", "level": "text", "event": "text", "says": "text", "fields": "json",
}  # fmt: skip
TRIPS: dict[str, Kind] = {
    "symbol": "text", "side": "text", "opened": "whole", "closed": "whole", "bars": "whole",
    "quantity": "number", "entry_price": "number", "exit_price": "number", "profit": "number",
    "profit_fraction": "number", "fees": "number", "funding": "number", "reason": "text",
}  # fmt: skip
router = APIRouter(prefix="/api/v1", responses=PROBLEMS, dependencies=[Depends(known_names)])


def site_of(request: Request) -> Site:
    """Return the site that a request is for."""
    site: Site = request.app.state.site
    return site


def run_of(
    request: Request, run_id: Annotated[str, Path(description="The name of a run's folder.")]
) -> RunFolder:
    """Return the run that a request names."""
    return site_of(request).runs.find(run_id)


GivenRun = Annotated[RunFolder, Depends(run_of)]
From = Annotated[
    str | None, Query(alias="from", max_length=40, description="First time, inclusive: ms or text.")
]
To = Annotated[
    str | None, Query(alias="to", max_length=40, description="Last time, inclusive: ms or text.")
]
Limit = Annotated[
    int, Query(ge=1, le=MOST_ROWS, description="Most rows; a bar's own stay together.")
]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]
Symbol = Annotated[str | None, Query(max_length=60, description="Only this symbol.")]


@router.get("/runs", response_model=list[schemas.ListedRun], summary="The runs, by name")
def runs(request: Request) -> list[dict[str, Any]]:
    """Return every run in the folder, those that cannot be read with their fault."""
    site = site_of(request)
    return [run_line(site.cards.of(folder)) for folder in site.runs.all()]


@router.get("/runs/{run_id}/status", response_model=schemas.RunStatus, summary="Where a run stands")
def status(request: Request, run: GivenRun) -> dict[str, Any]:
    """Return what `bot status --json` prints, and the run's state."""
    card = site_of(request).cards.of(run)
    if card.status is None:
        raise Problem(409, card.fault)
    return run_status(card) | {"coverage": site_of(request).coverages.of(run)}


def _table(path: str, table: Table, summary: str, *, by_symbol: bool = True) -> None:
    """Enter the address of a table."""

    def rows(
        request: Request, run: GivenRun, start: From = None, end: To = None, limit: Limit = 1000,
        cursor: Cursor = None, symbol: Symbol = None,
    ) -> Response:  # fmt: skip
        after, to = span_asked(start, end)
        if cursor is not None:
            (after,) = numbers_of(cursor, 1)
        wanted = symbol if by_symbol else None
        return answer(request, table_page(run, table, after, to, limit, symbol=wanted))

    rows.__doc__ = f"{summary}, oldest first, as recorded; JSON, CSV or Arrow by `Accept`."
    router.add_api_route(
        f"/runs/{{run_id}}/{path}", rows, methods=["GET"], response_model=schemas.Items,
        summary=summary, responses=_FORMS, name=path,
    )  # fmt: skip


_table("bars", "bars", "Bars as seen")
_table("forecasts", "forecasts", "What each head forecast")
_table("decisions", "decisions", "What was decided at each close, and why not")
_table("fills", "fills", "Fills, in the order of booking")
_table("positions", "positions", "What was held after each close")
_table("equity", "ledger", "Equity, cash and what was paid, by bar", by_symbol=False)


@router.get(
    "/runs/{run_id}/models", response_model=schemas.Items, responses=_FORMS, summary="Its models"
)
def models(
    request: Request, run: GivenRun, limit: Limit = MOST_ROWS, cursor: Cursor = None
) -> Response:
    """Return the schedule: each model, when it decides, and what its training reported."""
    return answer(request, _paged(MODELS, models_of(run), limit, cursor))


@router.get(
    "/runs/{run_id}/events", response_model=schemas.Items, responses=_FORMS,
    summary="Its log, newest first",
)  # fmt: skip
def events(
    request: Request, run: GivenRun,
    event: Annotated[list[str] | None, Query(max_length=20, description="Only of these names.")] = None,
    symbol: Symbol = None,
    since: Annotated[str | None, Query(max_length=40, description="Only later ones: ms or text.")] = None,
    level: Annotated[Literal["debug", "info", "warning", "error"], Query()] = "info",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Cursor = None,
) -> Response:  # fmt: skip
    """Return events with the filters of `bot logs`; `fields` are those of docs/logs.md."""
    for name in event or []:
        if name not in EVENTS:
            raise Problem(422, f"event: there is no '{name:.60}'; docs/logs.md lists them")
    since_ms = None if since is None else time_asked(since, "since", 0)
    wanted = LogFilter(frozenset(event or []), symbol, since_ms, level)
    page = events_page(run, wanted, limit, place_of(cursor))
    following = None if page.older is None else _at(page.older)
    rows = [[_at(place), *_event(found)] for place, found in page.events]
    return answer(request, RowsPage(EVENT_COLUMNS, rows, following))


def _at(place: LogPlace) -> str:
    return cursor_of(place.file, place.byte)


def _event(event: dict[str, Any]) -> tuple[Any, ...]:
    own = ("time_ms", "timestamp", "level", "event", "schema")
    fields = {key: finite(value) for key, value in event.items() if key not in own}
    return event["time_ms"], event["level"], event["event"], sentence(event), fields


async def _analysed(request: Request, run: RunFolder) -> dict[str, Any]:
    """Return what is worked out of a run, as it was last."""
    found, _ = await site_of(request).analyses.of(run, wait_s=20.0)
    if found is None:
        raise Problem(503, "it is being worked out", {"Retry-After": "5"})
    if found.result is None:
        raise Problem(409, found.fault)
    return found.result


@router.get("/runs/{run_id}/skill", summary="What its report says")
async def skill(request: Request, run: GivenRun) -> dict[str, Any]:
    """Return the report's figures: skill against baselines, calibration, controls, edge and costs.

    They take seconds; while they are worked out for the first time the answer is 503. `last_bar` says of
    which bar they are.
    """
    found = await _analysed(request, run)
    return {"last_bar": found["last_bar"], **found["summary"]}


@router.get(
    "/runs/{run_id}/trips", response_model=schemas.Items, responses=_FORMS, summary="Round trips"
)
async def trips(
    request: Request,
    run: GivenRun,
    limit: Limit = 1000,
    cursor: Cursor = None,
    symbol: Symbol = None,
) -> Response:
    """Return closed round trips, oldest first, with their net profit.

    They are worked out with `skill`: up to the bar that is its `last_bar`, and at first the answer is 503.
    """
    found = [
        trip
        for trip in (await _analysed(request, run))["trips"]
        if symbol is None or trip["symbol"] == symbol
    ]
    return answer(request, _paged(TRIPS, found, limit, cursor))


def _paged(
    columns: dict[str, Kind], found: list[dict[str, Any]], limit: int, cursor: str | None
) -> RowsPage:
    """Return a page of rows that are all at hand; its cursor is how many came before."""
    start = 0 if cursor is None else max(0, numbers_of(cursor, 1)[0])
    rows = [[row[name] for name in columns] for row in found[start : start + limit]]
    return RowsPage(columns, rows, cursor_of(start + limit) if start + limit < len(found) else None)
