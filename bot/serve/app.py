"""The application: guard before everything, then API, page, health and metrics.

Rule: an error that a person can act on is answered in its own words, as a problem.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from bot import __version__
from bot.errors import BotError
from bot.serve.access.guard import Guard
from bot.serve.api import asking, health, metrics, v1
from bot.serve.page import addresses
from bot.serve.problems import Problem, problem_response
from bot.serve.site import Site

_ABOUT = """Read runs, live or finished, and ask a running bot for something.

Send the token as `Authorization: Bearer …`. Times are ms UTC, the open time of the bar; money is in
the quote currency; returns are fractions. Tables are paged: `next` of a page is the `cursor` of the next.
"""


def make_app(site: Site) -> ASGIApp:
    """Return the application of a site."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        yield
        await site.close()

    app = FastAPI(
        title="mtl-paper-bot", version=__version__, description=_ABOUT, lifespan=lifespan,
        openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.state.site = site
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(BotError, _refused)
    app.add_exception_handler(RequestValidationError, _unfit)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _broken)
    for router in (v1.router, asking.router, health.router, metrics.router, addresses.router):
        app.include_router(router)
    addresses.mount_files(app)
    return Guard(app, site.token, site.sessions, site.failures, site.ours)


def _problem(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, Problem)
    return problem_response(error.status, str(error), error.headers)


def _refused(request: Request, error: Exception) -> Response:
    within = f"{request.app.state.site.runs.path}/"
    return problem_response(409, str(error).replace(within, ""))


def _broken(request: Request, error: Exception) -> Response:
    del request, error  # the guard has it logged
    return problem_response(500, "an error of this program; its terminal has the whole of it")


def _unfit(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, RequestValidationError)
    told = (
        f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()
    )
    return problem_response(422, "; ".join(told))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {404: f"there is no {request.url.path}", 405: f"not with {request.method}"}
    return problem_response(
        error.status_code, told.get(error.status_code, str(error.detail)), error.headers
    )
