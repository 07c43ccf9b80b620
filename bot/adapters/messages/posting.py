"""One HTTP request, without a redirect: an address of secrets is not carried to another host.

Rule: what went wrong is told by its number or kind, never with the address.
"""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any

from bot.adapters.messages.delivery import NotDelivered

TIMEOUT_S = 10.0
"""For each step: a connection, a part of the answer."""
WHOLE_S = 20.0
"""For all of it: an answer that comes letter by letter is not waited for."""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any, **named: Any) -> None:
        """Refuse to follow."""
        del given, named


def request(address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> None:  # fmt: skip
    """Make a GET, or with a body a POST, and see that it is answered with 2xx.

    Raises:
        NotDelivered: it was not, or nobody knows within `WHOLE_S`.
    """
    ended: list[NotDelivered | None] = []

    def ask() -> None:
        try:
            _request(address, body, headers or {})
        except NotDelivered as error:
            ended.append(error)
        else:
            ended.append(None)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(WHOLE_S)
    failed = ended[0] if ended else NotDelivered(f"no whole answer within {WHOLE_S:g} s")
    if failed is not None:
        raise failed


def _retry_after_s(text: str) -> float | None:
    """Return the seconds that a Retry-After asks for, given as such or as a date (RFC 9110, 10.2.3).

    >>> _retry_after_s("120"), _retry_after_s("soon"), _retry_after_s("")
    (120.0, None, None)
    """
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - time.time())


def _request(address: str, body: bytes | None, headers: Mapping[str, str]) -> None:
    opener = urllib.request.build_opener(_Stay)
    try:
        asked = urllib.request.Request(address, data=body, headers=dict(headers))
        with opener.open(asked, timeout=TIMEOUT_S) as answer:
            answer.read(1_000)
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
        wait_s = _retry_after_s(error.headers.get("Retry-After", ""))
        raise NotDelivered(f"answered with HTTP {error.code}", error.code, wait_s) from None
    except urllib.error.URLError as error:
        reason = error.reason
        said = reason.strerror if isinstance(reason, OSError) else None
        raise NotDelivered(said or type(reason).__name__) from None
    except (OSError, HTTPException, ValueError) as error:
        raise NotDelivered(type(error).__name__) from None
