"""The page's addresses: its files, what it draws, and how a browser signs in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.staticfiles import StaticFiles
from starlette.responses import FileResponse

from bot.report import page as report_page
from bot.serve.api.asked import span_asked
from bot.serve.api.v1 import From, GivenRun, To, site_of
from bot.serve.page import compared, drawn, opening

SHOWN_TRIPS = 100
FILES = Path(__file__).parents[1] / "static"
CHARTS = Path(report_page.__path__[0]) / "chart"
"""The charts, which the report's page has too."""
Points = Annotated[int, Query(ge=50, le=4000)]

router = APIRouter(include_in_schema=False)
router.include_router(opening.router)


def mount_files(app: FastAPI) -> None:
    """Serve the page's own files; a browser asks each time whether they are still the same."""
    app.mount("/static/chart", StaticFiles(directory=CHARTS), name="charts")
    app.mount("/static", StaticFiles(directory=FILES), name="static")


@router.get("/")
def page() -> FileResponse:
    """Return the page."""
    return FileResponse(FILES / "index.html", headers={"Cache-Control": "no-cache"})


@router.get("/open")
def open_page() -> FileResponse:
    """Return the page that spends the code in its own address."""
    return FileResponse(FILES / "open.html", headers={"Cache-Control": "no-cache"})


@router.get("/page/runs/{run_id}/equity")
def equity(
    request: Request, run: GivenRun, start: From = None, end: To = None, points: Points = 1200
) -> dict[str, Any]:
    """Return equity and drawdown of a span."""
    after, to = span_asked(start, end)
    return drawn.equity(site_of(request).curves.of(run), after, to, points)


@router.get("/page/runs/{run_id}/candles")
def candles(
    request: Request, run: GivenRun, symbol: Annotated[str, Query(max_length=60)], start: From = None,
    end: To = None, points: Points = 600,
) -> dict[str, Any]:  # fmt: skip
    """Return candles of a symbol with what was decided, filled and forecast."""
    after, to = span_asked(start, end)
    return drawn.candles(run, site_of(request).bars, symbol, (after, to), points)


@router.get("/page/runs/{run_id}/analysis")
async def analysis(request: Request, run: GivenRun) -> dict[str, Any]:
    """Return what was worked out last, and whether it is worked out anew."""
    found, under_way = await site_of(request).analyses.of(run, wait_s=0.0)
    result = None if found is None or found.result is None else dict(found.result)
    if result is not None:  # all trips are the API's matter
        result["trips_all"] = len(result["trips"])
        result["trips_won"] = sum(trip["profit"] > 0.0 for trip in result["trips"])
        result["trips"] = result["trips"][-SHOWN_TRIPS:]
    fault = "" if found is None else found.fault
    return {"under_way": under_way, "fault": fault, "result": result}


@router.get("/page/compared")
def compare(
    request: Request, run: Annotated[list[str], Query(min_length=2, max_length=8)]
) -> dict[str, Any]:
    """Return several runs' equity on one axis, and the first less each other."""
    site = site_of(request)
    return compared.runs_compared([site.runs.find(each) for each in run], site.curves)
