"""The HTTP beneath pybit, made bounded: no answer is larger, slower or from elsewhere than allowed.

Rules: a redirect is an answer and not followed; a body is read as it comes, unpacked piece by piece,
and given up beyond a size or a time, so that neither a packed nor an endless one fills the memory;
text is UTF-8, for guessing at encodings takes minutes. Must not know what is asked.
"""

from __future__ import annotations

import time
from typing import Any

import requests
from requests.exceptions import ContentDecodingError, ReadTimeout
from urllib3.exceptions import HTTPError

MOST_BYTES = 16_000_000
"""Of an unpacked answer; the longest that Bybit gives, all instruments of a venue, has about one."""

_LONGEST_S = 30.0
"""Of an answer whose every piece comes within the timeout."""

_PIECE = 8192
_REFUSAL_BYTES = 2000


class BoundedSession(requests.Session):
    """A session whose answers fit into the memory."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request and read its answer; raises what `requests` raises."""
        began_s = time.monotonic()
        options |= {"stream": True, "allow_redirects": False}
        response = super().send(request, **options)
        limit = MOST_BYTES if response.status_code == 200 else _REFUSAL_BYTES
        try:
            response._content = _read(response, limit, began_s + _LONGEST_S)
        finally:
            response.close()
        response.encoding = "utf-8"
        return response


def _read(response: requests.Response, limit: int, until_s: float) -> bytes:
    """Return the body, of a refusal its beginning."""
    body = bytearray()
    try:
        for piece in response.raw.stream(_PIECE, decode_content=True):
            body += piece
            if len(body) > limit or time.monotonic() > until_s:
                break
    except (HTTPError, MemoryError) as error:
        raise ContentDecodingError(type(error).__name__) from None
    if response.status_code == 200 and len(body) > limit:
        raise ContentDecodingError(f"it is longer than {limit:,} bytes")
    if time.monotonic() > until_s:
        raise ReadTimeout("the answer takes too long")
    return bytes(body[:limit])
