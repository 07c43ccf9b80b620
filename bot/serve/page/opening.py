"""From a one-time code to a cookie, and out again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from bot.serve.site import Site

router = APIRouter(include_in_schema=False)
Code = Annotated[str, Body(embed=True, min_length=1, max_length=100)]


@router.post("/session")
def begin(request: Request, code: Code) -> Response:
    """Spend a code; give the cookie."""
    site: Site = request.app.state.site
    if not site.codes.spend(code):
        raise site.failures.refusal(
            "this link was used already or is too old; press Enter where 'bot serve' runs for a new one"
        )
    secure = request.headers.get("origin", "").startswith("https://")
    return Response(status_code=204, headers={"Set-Cookie": site.sessions.cookie(secure=secure)})


@router.delete("/session")
async def end(request: Request) -> Response:
    """End the cookie of this browser, and every copy of it."""
    site: Site = request.app.state.site
    ended = site.sessions.end(request.headers.get("cookie", ""))
    site.watching.let_go()  # a stream that was let in by it is not looked at again
    return Response(status_code=204, headers={"Set-Cookie": ended})
