"""Before every request, streams included: is it for us, from us, and by who has the token?

Rules: a Host or Origin of others is refused before anything else is looked at; what is open to
everybody tells nothing of any run; a refusal says what to do and nothing of what is there. Whatever
goes wrong below is answered here, in the same form, with the same headers.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.serve.access.failures import Failures
from bot.serve.access.headers import HEADERS
from bot.serve.access.origins import Ours
from bot.serve.access.sessions import Sessions
from bot.serve.access.token import AccessToken
from bot.serve.problems import problem_response

OPEN_PATHS = frozenset({"/open", "/session", "/healthz", "/readyz"})
OPEN_FOLDER = "/static/"
"""The program's own files, the same for everybody."""

MOST_BYTES = 64 * 1024
_READING = ("GET", "HEAD")
_SIGN_IN = (
    "send the token as 'Authorization: Bearer …', or open the page by a link: press Enter where "
    "'bot serve' runs, or 'bot serve --link' prints one"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Guard:
    """Let a request through to `app`, or refuse it."""

    app: ASGIApp
    token: AccessToken
    sessions: Sessions
    failures: Failures
    ours: Ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # a web socket: there is none here
            await send({"type": "websocket.close", "code": 1008})
            return
        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                kept = [pair for pair in message["headers"] if pair[0] not in _OWN]
                message["headers"] = [*kept, *HEADERS]
            await send(message)

        try:
            refused = self._refused(scope)
            await (refused or self.app)(scope, receive, with_headers)
        except Exception:  # noqa: BLE001 - nobody is behind it
            _log.exception("a request failed: %s", scope["path"])
            if not begun:
                answer = problem_response(500, "an error of this program; its terminal has it")
                await answer(scope, receive, with_headers)

    def _refused(self, scope: Scope) -> ASGIApp | None:
        """Return the answer to a request that may not pass, None where it may."""
        headers, path = Headers(scope=scope), scope["path"]
        reading = scope["method"] in _READING
        if len(headers.getlist("host")) != 1 or not self.ours.is_host(headers["host"]):
            return problem_response(
                421,
                "this page does not go by the host name in the request; --allow-host names further ones",
            )
        origin = headers.get("origin")
        if origin is not None and not self.ours.is_origin(origin):
            return problem_response(403, "the request comes from a page of another origin")
        length = headers.get("content-length", "0")
        if (
            "transfer-encoding" in headers
            or not length.isdecimal()
            or len(length) > 9
            or int(length) > MOST_BYTES
        ):
            return problem_response(413, f"a request's body has up to {MOST_BYTES:,} bytes")
        if path in OPEN_PATHS or path.startswith(OPEN_FOLDER):
            return None
        bearer = headers.get("authorization")
        if bearer is not None:
            return self._by_token(bearer)
        if not self.sessions.is_ours(headers.get("cookie", "")):
            if path == "/" and reading:
                return problem_response(303, "sign in", {"Location": "/open"})
            return problem_response(401, _SIGN_IN, {"WWW-Authenticate": "Bearer"})
        if not reading and origin is None:  # a browser that changes something says from where
            return problem_response(403, "a request with a cookie needs an Origin")
        return None

    def _by_token(self, bearer: str) -> ASGIApp | None:
        scheme, _, given = bearer.partition(" ")
        if scheme.lower() == "bearer" and self.token.is_it(given.strip()):
            return None
        problem = self.failures.refusal(f"this is not the token; {_SIGN_IN}")
        return problem_response(problem.status, problem.detail, problem.headers)


_OWN = {name for name, _ in HEADERS} | {b"server"}
