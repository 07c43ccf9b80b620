"""`bot serve` as it is typed: what it prints, refuses and lets in, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.cli import serve as serve_command
from bot.serve.access.token import read_or_make
from bot.serve.command import watch_parent
from scripts.documents.browsing import until
from tests.conftest import Cli


@contextmanager
def served_at(runs: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `bot serve` with these options; give it and the line that it prints first."""
    command = [sys.executable, "-m", "bot", "serve", str(runs), "--port", "0", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


def test_it_prints_a_link_and_gives_another_when_it_is_asked(
    runs_dir: Path, tmp_path: Path, cli: Cli
) -> None:
    token = tmp_path / "token"
    with served_at(runs_dir, "--token-file", str(token)) as (process, line):
        found = re.fullmatch(r"page: (http://127\.0\.0\.1:(\d+))/open#[\w-]{32}\n", line)
        assert found, line
        base, port = found.groups()
        assert token.read_text().strip() not in line
        until(lambda: urllib.request.urlopen(f"{base}/healthz").status == 200)
        said = cli("serve", "--link", "--port", port, "--token-file", token)
        assert re.fullmatch(rf"{base}/open#[\w-]{{32}}\n", said.out), said.err
        assert said.out != line.removeprefix("page: ")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{base}/api/v1/runs")
        assert refused.value.code == 401
        command_line = Path(f"/proc/{process.pid}/cmdline").read_text()
        assert token.read_text().strip() not in command_line
        read_or_make(tmp_path / "other")
        other = cli("serve", "--link", "--port", port, "--token-file", tmp_path / "other")
        assert (other.code, "of another token" in other.err) == (2, True)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("host", "asked"), [("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]")]
)
def test_the_address_that_is_printed_can_be_asked(
    runs_dir: Path, tmp_path: Path, cli: Cli, host: str, asked: str
) -> None:
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    token = tmp_path / "token"
    with served_at(runs_dir, "--token-file", str(token), "--host", host) as (_, line):
        base, port = re.findall(r"^page: (http://.*:(\d+))/open#", line)[0]
        assert base == f"http://{asked}:{port}"
        until(lambda: urllib.request.urlopen(f"{base}/healthz").status == 200)
        said = cli("serve", "--link", "--host", host, "--port", port, "--token-file", token)
        assert said.out.startswith(f"{base}/open#"), said.err


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as asked:
            asked.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_a_link_makes_no_token(tmp_path: Path, cli: Cli) -> None:
    said = cli("serve", "--link", "--token-file", tmp_path / "mistyped")
    assert (said.code, "there is no token" in said.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_answers_there_is_no_link(tmp_path: Path, cli: Cli) -> None:
    read_or_make(tmp_path / "token")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said = cli("serve", "--link", "--port", port, "--token-file", tmp_path / "token")
    assert said.code == 2
    assert "no 'bot serve' answers there" in said.err


def test_a_port_that_is_taken_is_told_in_a_line(runs_dir: Path, tmp_path: Path, cli: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = cli("serve", runs_dir, "--port", port, "--token-file", tmp_path / "token")
    assert said.code == 2
    assert "--port names another" in said.err


@pytest.mark.parametrize("name", ["*", "a/b", "me@there", "a b"])
def test_a_host_that_is_none_is_refused(runs_dir: Path, cli: Cli, name: str) -> None:
    said = cli("serve", runs_dir, "--allow-host", name)
    assert (said.code, "expected a host's name" in said.err) == (2, True)


def test_a_folder_that_is_not_there_is_told(cli: Cli, tmp_path: Path) -> None:
    said = cli("serve", tmp_path / "none")
    assert (said.code, "no such folder of runs" in said.err) == (5, True)


def test_a_run_is_no_folder_of_runs(
    cli: Cli, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = cli("serve", runs_dir / "short")
    assert (said.code, f"'bot serve {runs_dir}' shows it" in said.err) == (2, True), said.err
    monkeypatch.chdir(runs_dir / "short")
    assert f"'bot serve {runs_dir}' shows it" in cli("serve", ".").err


def test_without_the_extra_it_says_what_to_install(
    cli: Cli, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_command, "NEEDED", ("fastapi", "no_such_package"))
    for words in (("serve", runs_dir), ("run", "--serve", "--practice")):
        said = cli(*words)
        assert said.code == 2
        assert "no_such_package" in said.err
        assert "'.[serve]'" in said.err


BESIDE = """
import sys, time
from pathlib import Path
from bot.cli.serve import serving_beside
with serving_beside(Path(sys.argv[1])):
    print("begun", flush=True)
    time.sleep(60)
"""
REAPER = """
import ctypes, subprocess, sys
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
process = subprocess.Popen([sys.executable, *sys.argv[1:]])
print(process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("adopted_by", ["init", "subreaper"])
def test_it_ends_with_the_process_that_started_it(
    runs_dir: Path, tmp_path: Path, adopted_by: str
) -> None:
    """Killed, so that it ends nobody itself."""
    env = os.environ | {"XDG_STATE_HOME": str(tmp_path)}
    words = ["-c", BESIDE, str(runs_dir)]
    words = ["-c", REAPER, *words] if adopted_by == "subreaper" else words
    with subprocess.Popen(
        [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=env,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stdout is not None
        starter = int(process.stdout.readline()) if adopted_by == "subreaper" else process.pid
        line = process.stderr.readline()
        base = line.partition("page: ")[2].partition("/open")[0]
        assert base, line
        os.kill(starter, signal.SIGKILL)
        until(lambda: not answers(base), 15.0)
        process.kill()


def test_it_ends_where_its_parent_was_gone_before_it_looked(runs_dir: Path, tmp_path: Path) -> None:
    """Adopted by whoever is its parent by then."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    words = ("--with-parent", str(gone.pid), "--token-file", str(tmp_path / "token"))
    with served_at(runs_dir, *words) as (process, _):
        assert process.wait(timeout=30.0) == 0


def test_a_parent_may_be_the_first_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a daemon is that runs alone in a container."""
    parents = iter([1, 1, 1, 77])
    slept: list[float] = []
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr("bot.serve.command.time.sleep", slept.append)
    server = SimpleNamespace(should_exit=False)
    watch_parent(server, 1)  # type: ignore[arg-type]
    assert server.should_exit
    assert slept == [1.0] * 3


def answers(base: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{base}/healthz", timeout=2.0).status == 200)
    except OSError:
        return False
