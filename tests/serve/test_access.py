"""Nobody without the token reads anything: tokens, links, cookies, hosts, origins, headers."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
import stat
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.serve.access.codes import LIFETIME_S, OneTimeCodes
from bot.serve.access.failures import AT_ONCE, Failures
from bot.serve.access.headers import POLICY
from bot.serve.access.origins import ours
from bot.serve.access.sessions import LIFETIME_S as COOKIE_S
from bot.serve.access.sessions import Sessions
from bot.serve.access.signed_out import SignedOut
from bot.serve.access.token import AccessToken, default_path, read_or_make
from bot.serve.site import site_for
from tests.serve.conftest import BASE, Served

CLOSED = (
    "/", "/api/v1/runs", "/api/v1/runs/short/status", "/api/v1/runs/short/fills", "/api/v1/changes", "/metrics",
    "/api/v1/openapi.json", "/page/runs/short/equity", "/docs", "/nowhere",
)  # fmt: skip
OPEN = ("/open", "/healthz", "/readyz", "/static/page.css", "/static/main.js")


def session_of(served: Served) -> str:
    """Return a cookie, come by as a browser does."""
    answer = served.client(Origin=BASE).post("/session", json={"code": served.site.codes.new()})
    assert answer.status_code == 204
    return answer.headers["set-cookie"]


# The token's file


def test_the_token_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "serve-token"
    before = os.umask(0)
    try:
        token = read_or_make(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text("ascii").strip()
    assert read_or_make(path).is_it(text)
    assert not token.is_it(text[:-1])
    assert not token.is_it("")
    assert text not in repr(token)


def test_a_token_that_finds_no_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("secrets.token_urlsafe", full)
        with pytest.raises(ConfigError, match=r"No space left on device.*--token-file"):
            read_or_make(tmp_path / "serve-token")
    assert list(tmp_path.iterdir()) == []
    assert read_or_make(tmp_path / "serve-token").path.is_file()


def test_of_two_first_starts_at_once_one_makes_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, made = tmp_path / "serve-token", secrets.token_urlsafe
    first: list[AccessToken] = []

    def another_is_faster(size: int) -> str:
        monkeypatch.setattr("secrets.token_urlsafe", made)
        first.append(read_or_make(path))
        return made(size)

    monkeypatch.setattr("secrets.token_urlsafe", another_is_faster)
    second = read_or_make(path)
    assert first[0].bearer() == second.bearer()
    assert [each.name for each in tmp_path.iterdir()] == ["serve-token"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_token_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "serve-token"
    read_or_make(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o}.*delete the file"):
        read_or_make(path)


def test_a_token_that_is_a_link_or_a_folder_or_nothing_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    read_or_make(real)
    link = tmp_path / "link"
    link.symlink_to(real)
    with pytest.raises(ConfigError, match="no link"):
        read_or_make(link)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="is no file of yours"):
        read_or_make(tmp_path / "folder")
    empty = tmp_path / "empty"
    empty.touch(0o600)
    with pytest.raises(ConfigError, match="holds no token"):
        read_or_make(empty)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_token_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "serve-token"
    read_or_make(path)
    os.chown(path, 65534, 65534)
    with pytest.raises(ConfigError, match="is no file of yours"):
        read_or_make(path)


def test_the_token_is_in_the_users_state_and_in_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert default_path() == Path("/somewhere/mtl-paper-bot/serve-token")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/who")
    assert default_path() == Path("/home/who/.local/state/mtl-paper-bot/serve-token")


# Who may look


@pytest.mark.parametrize("path", CLOSED)
def test_without_a_token_nothing_of_a_run_is_told(served: Served, path: str) -> None:
    answer = served.client().get(path)
    assert answer.status_code == (303 if path == "/" else 401)
    assert "short" not in answer.text
    assert "SYN" not in answer.text


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open_to_all_tells_of_no_run(served: Served, path: str) -> None:
    answer = served.client().get(path)
    assert answer.status_code == 200
    assert "short" not in answer.text
    assert str(served.runs_dir) not in answer.text


@pytest.mark.parametrize("wrong", ["", "x", "Bearer", "Basic dTpw", "bearer  "])
def test_a_wrong_token_is_refused(served: Served, wrong: str) -> None:
    answer = served.client(Authorization=wrong.encode("latin-1")).get("/api/v1/runs")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_token_in_the_address_opens_nothing(served: Served) -> None:
    for name in ("token", "access_token", "code", "key"):
        assert served.client().get(f"/api/v1/runs?{name}={served.secret}").status_code == 401


def test_wrong_tries_are_slowed_and_the_owner_is_not(served: Served) -> None:
    stranger = served.client(Authorization="Bearer wrong")
    codes = [stranger.get("/api/v1/runs").status_code for _ in range(AT_ONCE + 3)]
    assert codes == [401] * AT_ONCE + [429] * 3
    slowed = stranger.get("/api/v1/runs")
    assert int(slowed.headers["retry-after"]) >= 1
    assert served.client(Origin=BASE).post("/session", json={"code": "guess"}).status_code == 429
    assert served.owner().get("/api/v1/runs").status_code == 200


def test_tries_come_back_with_time() -> None:
    now = [0.0]
    failures = Failures(lambda: now[0])
    assert [failures.another() for _ in range(AT_ONCE)] == [0.0] * AT_ONCE
    wait = failures.another()
    assert wait > 0.0
    now[0] += wait
    assert failures.another() == 0.0
    assert failures.another() > 0.0


# Links


def test_a_link_opens_the_page_once(served: Served) -> None:
    code = served.site.codes.new()
    client = served.client(Origin=BASE)
    first = client.post("/session", json={"code": code})
    cookie = first.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert client.get("/api/v1/runs").status_code == 200
    again = served.client(Origin=BASE).post("/session", json={"code": code})
    assert again.status_code == 401
    assert "set-cookie" not in again.headers


def test_a_code_is_good_for_minutes_and_of_few_the_newest() -> None:
    now = [0.0]
    codes = OneTimeCodes(lambda: now[0])
    old, new = codes.new(), codes.new()
    now[0] = LIFETIME_S
    assert not codes.spend(old)
    now[0] = LIFETIME_S - 1.0
    assert codes.spend(new)
    first = codes.new()
    for _ in range(32):
        codes.new()
    assert not codes.spend(first)


def test_a_link_is_asked_for_with_the_token_only(served: Served) -> None:
    assert served.client(Origin=BASE).post("/api/v1/links").status_code == 401
    told = served.owner().post("/api/v1/links").json()
    code = told["path"].removeprefix("/open#")
    assert served.client(Origin=BASE).post("/session", json={"code": code}).status_code == 204


def test_over_tls_the_cookie_is_secure(served: Served) -> None:
    site = served.site
    assert "Secure" in site.sessions.cookie(secure=True)


# Cookies


def test_a_cookie_ends_and_none_is_made_up(tmp_path: Path) -> None:
    now = [1_000_000.0]
    nobody = SignedOut(tmp_path / "nobody")
    sessions = Sessions(b"key", 8765, nobody, lambda: now[0])
    cookie = sessions.cookie(secure=False).partition(";")[0]
    assert sessions.is_ours(cookie)
    name, _, value = cookie.partition("=")
    ends, rest = value.split(".", 1)
    later = f"{name}={int(ends) + 1}.{rest}"
    for forged in (
        later,
        cookie[:-1],
        f"{name}=",
        "",
        "a=b",
        f"{name}=..",
        f"{name}=x.y.z",
        "\u00ff",
    ):
        assert not sessions.is_ours(forged)
    assert not Sessions(b"other", 8765, nobody, lambda: now[0]).is_ours(cookie)
    now[0] += COOKIE_S + 1
    assert not sessions.is_ours(cookie)


def test_signing_out_ends_the_cookie_and_its_copies_over_restarts(served: Served) -> None:
    client = served.client(Origin=BASE)
    client.post("/session", json={"code": served.site.codes.new()})
    stolen = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    other = session_of(served).partition(";")[0]
    assert served.client(Cookie=stolen).get("/api/v1/runs").status_code == 200
    assert client.delete("/session").status_code == 204
    assert client.get("/api/v1/runs").status_code == 401
    assert served.client(Cookie=stolen).get("/api/v1/runs").status_code == 401
    assert served.client(Cookie=other).get("/api/v1/runs").status_code == 200
    beside = served.site.token.path.with_name("serve-token.signed-out")
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    assert stolen.rpartition("=")[2] not in beside.read_text("ascii")
    again = site_for(served.runs_dir, read_or_make(served.site.token.path), ours(8765))
    assert not again.sessions.is_ours(stolen)
    assert again.sessions.is_ours(other)


def test_only_a_good_cookie_is_noted_as_signed_out(served: Served) -> None:
    forged = session_of(served).partition(";")[0] + "x"
    assert served.client(Cookie=forged, Origin=BASE).delete("/session").status_code == 204
    assert not served.site.token.path.with_name("serve-token.signed-out").exists()


def test_signing_out_is_told_where_it_cannot_be_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = Sessions(b"key", 1, SignedOut(tmp_path / "missing" / "file"))
    cookie = sessions.cookie(secure=False).partition(";")[0]
    sessions.end(cookie)
    assert not sessions.is_ours(cookie)
    assert "cannot be written" in caplog.text
    assert cookie.rpartition("=")[2] not in caplog.text


def test_two_servers_on_a_host_keep_their_cookies_apart(served: Served) -> None:
    other = site_for(served.runs_dir, served.site.token, ours(8766))
    mine = served.site.sessions.cookie(secure=False).partition(";")[0]
    its = other.sessions.cookie(secure=False).partition(";")[0]
    assert mine.partition("=")[0] == "mtl_paper_bot_8765"
    assert its.partition("=")[0] == "mtl_paper_bot_8766"
    both = f'odd=[{{"a":1}}]; {its}; {mine}'  # a browser sends what any port of the host has set
    assert served.client(Cookie=both).get("/api/v1/runs").status_code == 200
    renamed = its.replace("8766", "8765")
    assert served.client(Cookie=renamed).get("/api/v1/runs").status_code == 401
    forgets = served.client(Cookie=both, Origin=BASE).delete("/session").headers["set-cookie"]
    assert forgets.startswith("mtl_paper_bot_8765=;")
    assert other.sessions.is_ours(both)


def test_a_stream_ends_with_the_session_that_opened_it(served: Served) -> None:
    async def streamed() -> list[str]:
        stream = served.site.watching.listen(None)
        heard = [await anext(stream)]
        served.site.watching.let_go()
        heard += [text async for text in stream]
        return heard

    assert asyncio.run(streamed()) == ["retry: 2000\n\n"]


# Hosts and origins


@pytest.mark.parametrize(
    "path", ["/api/v1/runs", "/api/v1/changes", "/healthz", "/open", "/static/page.css"]
)
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:9", "127.0.0.1:8765.evil.example", ""]
)
def test_another_host_is_refused_whoever_asks(served: Served, path: str, host: str) -> None:
    answer = served.owner(Host=host).get(path)
    assert answer.status_code == 421
    assert "evil" not in answer.text


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/changes", "/open"])
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:9", "ftp://127.0.0.1:8765", "http://127.0.0.1:8765@evil",
     "http://127.0.0.1:8765/", "http://[", "http://127.0.0.1:8765.evil.example"],
)  # fmt: skip
def test_another_origin_is_refused_whoever_asks(served: Served, path: str, origin: str) -> None:
    cookie = session_of(served).partition(";")[0]
    assert served.client(Origin=origin, Cookie=cookie).get(path).status_code == 403
    assert served.owner(Origin=origin).get(path).status_code == 403


def test_what_changes_something_by_cookie_says_from_where(served: Served) -> None:
    cookie = session_of(served).partition(";")[0]
    asked = {"kind": "pause"}
    path = "/api/v1/runs/short/confirmations"
    assert served.client(Cookie=cookie).post(path, json=asked).status_code == 403
    # let through, to hear that a backtest takes no command
    assert served.client(Cookie=cookie, Origin=BASE).post(path, json=asked).status_code == 409
    assert served.owner().post(path, json=asked).status_code == 409


def test_further_names_are_ours_where_they_are_given() -> None:
    assert not ours(8765).is_host("bot.example.org")
    with_proxy = ours(8765, names=("bot.example.org",))
    assert with_proxy.is_host("BOT.example.org")
    assert with_proxy.is_origin("https://bot.example.org")
    assert ours(8765, "::1").is_host("[::1]:8765")
    assert not ours(8765, "0.0.0.0").is_host("0.0.0.0:8765")


# What every answer says


@pytest.mark.parametrize("path", [*CLOSED[1:], *OPEN])
def test_every_answer_has_the_headers(served: Served, path: str) -> None:
    for client in (served.client(), served.client(Host="evil.example")):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
    assert "unsafe" not in POLICY
    assert "script-src 'self';" in POLICY


def test_a_body_that_is_too_long_is_refused(served: Served) -> None:
    answer = served.owner().post("/api/v1/links", content=b"x" * 70_000)
    assert answer.status_code == 413
    assert served.owner(**{"Content-Length": "9" * 5000}).post("/api/v1/links").status_code == 413


def test_the_token_is_in_no_log_answer_or_error(
    served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)

    def broken(self: object, folder: object) -> object:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("bot.serve.feed.cards.Cards.of", broken)
    answers = [
        served.owner().get(path)
        for path in ("/api/v1/runs", "/nowhere", "/api/v1/runs/none/status")
    ]
    assert [answer.status_code for answer in answers] == [500, 404, 404]
    assert answers[0].headers["content-type"] == "application/problem+json"
    assert "broken on purpose" not in answers[0].text
    assert "broken on purpose" in caplog.text
    for text in (
        caplog.text,
        *(f"{answer.text}{answer.headers}{answer.url}" for answer in answers),
    ):
        assert served.secret not in text
