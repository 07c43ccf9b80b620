"""The parameters of a request to the practice exchange, and refusing what Bybit refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.practice.wire import CATEGORIES

PARAMETER_ERROR, RATE_LIMITED = 10001, 10006

Query = Mapping[str, str]
Payload = dict[str, Any]


class RefusedRequest(Exception):  # noqa: N818 - an answer, not a failure of this program
    """A request that Bybit answers with a retCode."""

    def __init__(self, message: str, code: int = PARAMETER_ERROR) -> None:
        super().__init__(message)
        self.code = code


def category_of(query: Query, default: str = "", *, of_contracts: bool = False) -> str:
    """Return the category that is asked for; raises RefusedRequest, as all here."""
    category = query.get("category", default)
    if category not in CATEGORIES or (of_contracts and category == "spot"):
        raise RefusedRequest("params error: Category invalid")
    return category


def whole(query: Query, name: str) -> int | None:
    """Return a whole number, None where it is not given."""
    text = query.get(name, "")
    if text and not text.isdecimal():
        raise RefusedRequest(f"params error: {name} invalid")
    return int(text) if text else None


def limit_of(query: Query, *, most: int, default: int) -> int:
    """Return how many rows are asked for."""
    limit = whole(query, "limit")
    if limit is None:
        return default
    if not 1 <= limit <= most:
        raise RefusedRequest("params error: limit invalid")
    return limit


def within(time_ms: int, start: int | None, end: int | None) -> bool:
    """Tell whether a time is in a span, ends included; None is open."""
    return (start is None or time_ms >= start) and (end is None or time_ms <= end)
