"""Whether the process answers, and whether it can read the runs: for supervisors; tells of no run.

Rule: both answer HEAD too, which is what many monitors ask with.
"""

from __future__ import annotations

import os

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from bot.serve.problems import Problem

router = APIRouter(tags=["health"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", response_class=PlainTextResponse, summary="Whether the process answers")
def healthz() -> str:
    """Answer "ok"."""
    return "ok\n"


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", response_class=PlainTextResponse, summary="Whether runs can be read")
def readyz(request: Request) -> str:
    """Answer "ready" where the folder of runs can be read, 503 where it cannot."""
    if not os.access(request.app.state.site.runs.path, os.R_OK | os.X_OK):
        raise Problem(503, "the folder of runs cannot be read")
    return "ready\n"
