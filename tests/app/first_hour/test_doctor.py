"""bot doctor: each fault with its fix, in seconds without a network, and a code to rely on."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
import tomllib
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.bybit import probe as probing
from bot.adapters.bybit.hosts import Hosts
from bot.adapters.bybit.probe import probe, probe_all, stream_fault
from bot.app.first_hour import doctor, machine, network
from bot.app.first_hour.finding import Finding, graded
from bot.config import Config, load_config

if TYPE_CHECKING:
    from tests.conftest import Cli

Usage = namedtuple("Usage", "total used free")


@contextmanager
def bybit(status: int = 200, ahead_s: float = 0.0, body: str | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = body or json.dumps({"time": int((time.time() + ahead_s) * 1000)})
            self.send_response(status if self.path == "/v5/market/time" else 404)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *given: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def settings(rest: str, *more: str) -> Config:
    stream = rest.replace("http", "ws")
    return load_config(
        None, [f"exchange.rest_url={rest}", f"exchange.stream_url={stream}", *more], {}
    )


def found(rest: str, monkeypatch: pytest.MonkeyPatch, **regions: str) -> dict[str, Finding]:
    monkeypatch.setattr(network, "REGIONS", {k: Hosts(v, "") for k, v in regions.items()})
    return {each.check: each for each in network.network_checks(settings(rest), 1.0)}


def test_a_host_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with bybit() as rest:
        checks = found(rest, monkeypatch)
    assert {name: each.grade for name, each in checks.items()} == {
        "network": "ok", "stream": "ok", "clock": "ok"
    }  # fmt: skip
    assert all(each.fix == "" for each in checks.values())


@pytest.mark.parametrize(
    ("ahead_s", "grade", "way"), [(5.0, "warn", "behind"), (-90.0, "fail", "ahead of")]
)
def test_a_clock_that_is_wrong(
    ahead_s: float, grade: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bybit(ahead_s=ahead_s) as rest:
        clock = found(rest, monkeypatch)["clock"]
    assert clock.grade == grade
    assert f" s {way} the exchange" in clock.said
    assert "timedatectl" in clock.fix


def test_a_country_that_is_not_served_and_a_region_that_is_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bybit(403) as refused, bybit() as other:
        (only,) = found(refused, monkeypatch, netherlands=other).values()
        assert (only.grade, "HTTP 403" in only.said) == ("fail", True)
        assert 'exchange.region = "netherlands"' in only.fix
        (only,) = found(refused, monkeypatch).values()
        assert "does not serve" in only.fix


@pytest.mark.parametrize("body", ["no json", "[]", '{"time": "soon"}', "{}"])
def test_an_answer_that_makes_no_sense(body: str) -> None:
    with bybit(body=body) as rest:
        assert probe(rest, 1.0).fault == "an answer that makes no sense"


def test_without_a_network_it_is_said_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*given: Any, **named: Any) -> Any:  # a name server that never answers
        time.sleep(3.0)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    start = time.monotonic()
    (only,) = found("http://bybit.example", monkeypatch, **{f"r{k}": f"http://h{k}.example" for k in range(8)}).values()  # fmt: skip
    assert time.monotonic() - start < 2.5
    assert only.grade == "fail"
    assert "bot demo" in only.fix


def test_names_that_are_not_known_and_ports_that_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    (only,) = probe_all([f"http://127.0.0.1:{port}"], 1.0)
    assert only.fault == "Connection refused"
    assert stream_fault(f"ws://127.0.0.1:{port}", 1.0) == "Connection refused"

    def unknown(*given: Any, **named: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "its name is not known" in probe("http://bybit.example", 1.0).fault
    assert probing.TIMEOUT_S <= 5.0


@pytest.mark.parametrize(("free_mb", "grade"), [(50_000, "ok"), (1_000, "warn"), (100, "fail")])
def test_a_disk_without_room(free_mb: int, grade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free_mb * 1e6))
    assert machine.disk(tmp_path / "not" / "yet").grade == grade


@pytest.mark.parametrize(
    ("free_mb", "grade"), [(4_000.0, "ok"), (800.0, "warn"), (200.0, "fail"), (None, "ok")]
)
def test_memory(free_mb: float | None, grade: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_mb", lambda: free_mb)
    assert machine.memory().grade == grade


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    assert machine.permissions(tmp_path / "runs").grade == "ok"
    real = tempfile.TemporaryFile

    def refuse(*given: Any, dir: Any = None, **named: Any) -> Any:  # noqa: A002
        if Path(dir) == tmp_path:
            raise PermissionError(13, "Permission denied")
        return real(*given, dir=dir, **named)

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    refused = machine.permissions(tmp_path / "runs")
    assert (refused.grade, "Permission denied" in refused.said) == ("fail", True)
    assert "run.runs_dir" in refused.fix
    assert list(tmp_path.iterdir()) == []


def test_kernels_that_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "compiled_before", lambda: False)
    assert machine.compiled().grade == "warn"
    assert "about a minute" in machine.compiled().fix


def test_a_check_that_fails_itself_is_a_finding() -> None:
    def broken() -> list[Finding]:
        raise ZeroDivisionError("oops")

    (only,) = doctor.guarded(broken)
    assert (only.grade, "oops" in only.said) == ("warn", True)


def test_the_code_is_that_of_the_worst() -> None:
    ok, warn = graded("a", "x"), graded("b", "y", warn=True, fix="z")
    fail = graded("c", "y", fail=True, fix="z")
    assert (ok.fix, warn.fix) == ("", "z")
    assert [doctor.exit_code(each) for each in ([ok], [ok, warn], [ok, warn, fail])] == [0, 0, 1]
    assert doctor.as_json([ok, fail])["well"] is False


def test_on_the_command_line(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "available_mb", lambda: 4_000.0)
    said = cli("doctor", "--offline", "--json")
    assert said.code == 0
    checks = {each["check"]: each for each in said.json["findings"]}
    assert said.json["well"]
    assert {"settings", "versions", "disk", "memory", "permissions", "round trip"} <= checks.keys()
    assert checks["round trip"]["grade"] == "ok"
    assert "network" not in checks
    assert os.listdir(tmp_path) == []
    monkeypatch.setattr(machine, "available_mb", lambda: 10.0)
    said = cli("doctor", "--offline")
    assert said.code == 1
    assert "1 of 10 failed: memory" in said.out
    assert "→" in said.out
    assert cli("doctor", "--config", "nowhere.toml").code == 2


def test_every_extra_of_a_user_is_looked_for() -> None:
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8")
    declared = set(tomllib.loads(text)["project"]["optional-dependencies"])
    assert set(machine.EXTRAS) == declared - {"bench", "browsers", "dev"}
