"""What went wrong, as application/problem+json (RFC 9457), in the words of the commands.

Rule: a title is the same for all cases of a kind; the detail says what was given, what was expected
and what to do. No secret and no path outside the runs' folder is in either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818
    """An answer that is none: its status, and why, for who asked."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def problem_body(status: int, detail: str) -> bytes:
    """Return the document of a problem."""
    title = HTTPStatus(status).phrase
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return json.dumps(told).encode()


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer that tells of a problem."""
    return Response(
        problem_body(status, detail), status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )
