"""The addresses that ask a daemon for something, and those of links and the stream of changes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from bot.errors import ConfigError
from bot.portfolio.hand import Command
from bot.serve.access.codes import LIFETIME_S as CODE_S
from bot.serve.api import schemas
from bot.serve.api.asked import known_names
from bot.serve.api.commands import LIFETIME_S, asked_of, effect_of
from bot.serve.api.v1 import PROBLEMS, GivenRun, site_of
from bot.serve.problems import Problem

router = APIRouter(prefix="/api/v1", responses=PROBLEMS, dependencies=[Depends(known_names)])


@router.post(
    "/runs/{run_id}/confirmations", response_model=schemas.Confirmation,
    summary="What a command will do, and what confirms it",
)  # fmt: skip
def confirm(request: Request, run: GivenRun, wanted: schemas.WantedCommand) -> dict[str, Any]:
    """Return the confirmation that `commands` wants; nothing is asked yet."""
    kind = _kind(wanted)
    try:
        says = effect_of(run, kind, wanted.changes)
    except ConfigError as error:
        raise Problem(422, str(error)) from None
    code = site_of(request).confirmations.new(run.path.name, kind, wanted.changes)
    return {"confirm": code, "says": says, "expires_s": LIFETIME_S}


@router.post(
    "/runs/{run_id}/commands", response_model=schemas.CommandOutcome, status_code=202,
    summary="Pause, resume, flatten, set",
)  # fmt: skip
def command(request: Request, run: GivenRun, wanted: schemas.Confirmed) -> dict[str, Any]:
    """Ask the run's daemon, as `bot pause` and its like do; what holds is journaled with its bar."""
    kind = _kind(wanted)
    site = site_of(request)
    site.confirmations.spend(wanted.confirm, run.path.name, kind, wanted.changes)
    try:
        return asked_of(run, kind, wanted.changes)
    except ConfigError as error:
        raise Problem(422, str(error)) from None


@router.post(
    "/links", response_model=schemas.OneTimeLink, summary="A link that opens the page once"
)
def link(request: Request) -> dict[str, Any]:
    """Return the path of a link, good once and for minutes; its code is behind '#', which no log sees."""
    return {"path": f"/open#{site_of(request).codes.new()}", "expires_s": CODE_S}


@router.get(
    "/changes", summary="Server-sent events: which runs have changed", response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}}},
)  # fmt: skip
def changes(request: Request, run: str | None = None) -> StreamingResponse:
    """Send `event: run` with `run` and what `changed` of it: journal, process, log; `event: all` to who
    has just come, or has not read: ask for everything shown."""
    site = site_of(request)
    if run is not None:
        site.runs.find(run)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        site.watching.listen(run), headers=headers, media_type="text/event-stream"
    )


def _kind(wanted: schemas.WantedCommand) -> Command:
    kind = Command(wanted.kind)
    if (kind is Command.SET) != bool(wanted.changes):
        raise Problem(422, "changes: settings for set, and for set alone")
    return kind
