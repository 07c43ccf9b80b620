"""One HTTP request, without a redirect: an address of secrets is not carried to another host.

Rule: what went wrong is told by its number or kind, never with the address.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from bot.adapters.messages.delivery import NotDelivered

TIMEOUT_S = 10.0


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any, **named: Any) -> None:
        """Refuse to follow."""
        del given, named


def request(address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> None:  # fmt: skip
    """Make a GET, or with a body a POST, and see that it is answered with 2xx.

    Raises:
        NotDelivered: it was not.
    """
    opener = urllib.request.build_opener(_Stay)
    try:
        asked = urllib.request.Request(address, data=body, headers=dict(headers or {}))
        with opener.open(asked, timeout=TIMEOUT_S) as answer:
            answer.read(1_000)
    except urllib.error.HTTPError as error:
        raise NotDelivered(f"answered with HTTP {error.code}") from None
    except urllib.error.URLError as error:
        reason = error.reason
        said = reason.strerror if isinstance(reason, OSError) else None
        raise NotDelivered(said or type(reason).__name__) from None
    except (OSError, HTTPException, ValueError) as error:
        raise NotDelivered(type(error).__name__) from None
