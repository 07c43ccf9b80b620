"""Ray on this machine: equal to the byte to local processes, one of two raylets killed, an interrupt."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import STUDY
from tests.conftest import QUICK

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra 'ray' is not installed"),
]

PATIENCE_S = 240.0
ROOT = Path(__file__).resolve().parents[2]
HERE = {"PYTHONPATH": str(ROOT)}


SETS = [*STUDY, "training.epochs=20", "training.patience=20", "model.hidden=[32]"]
"""Trainings of a second, which something can befall."""


def compare(out: Path, *more: str) -> list[str]:
    settings = [part for each in SETS for part in ("--set", each)]
    return [
        sys.executable, "-m", "bot", "compare", "--preset", "mtl-vs-single", "--folds", "2", "--fold-months", "1",
        "--seeds", "2", "--out", str(out), "--json", *settings, *more,
    ]  # fmt: skip


def done(
    command: list[str], cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=os.environ | HERE | env, capture_output=True, text=True, timeout=600, check=False
    )  # fmt: skip


def digests(out: Path) -> dict[str, str]:
    """Hash the units that have landed; what is still being written has a name that begins with a dot."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((out / "units").glob("[!.]*.npz"))
    }


def without_cost(printed: str) -> Any:
    """Return what a comparison came to, less what was measured of its trainings, and its place."""
    content = json.loads(printed)
    for facts in content["facts"].values():
        facts.pop("CPU s a training")
    for name in ("folder", "trials"):
        content.pop(name)
    return content


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Any]:
    """The files and the result of local processes."""
    out = tmp_path_factory.mktemp("local") / "compare"
    ran = done(compare(out))
    assert ran.returncode == 0, ran.stderr
    found = digests(out)
    assert len(found) == 24
    return found, without_cost(ran.stdout)


def processes_in(session: int) -> list[int]:
    """Return the processes of a session: a command that was started with one, and all it began."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(path.name))
    return found


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for other processes."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        os.sched_yield()
    return found


def listening(processes: list[int]) -> set[str]:
    """Return the addresses, in hex as the kernel has them, on which any of these processes listens."""
    sockets = set()
    for process in processes:
        for handle in Path(f"/proc/{process}/fd").iterdir():
            try:
                sockets.add(os.readlink(handle))
            except OSError:
                continue
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].partition(":")[0])
    return found


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def test_a_new_cluster_gives_the_same_files_and_keeps_to_this_machine(
    local: tuple[dict[str, str], Any], tmp_path: Path
) -> None:
    out = tmp_path / "compare"
    with subprocess.Popen(
        compare(out, "--engine", "ray"), env=os.environ | HERE | {"TMPDIR": "/tmp"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as running:  # fmt: skip
        until(lambda: len(digests(out)) > 2, "no unit has landed")
        addresses = listening(processes_in(running.pid))
        said, err = running.communicate(timeout=600)
    assert running.returncode == 0, err
    assert addresses
    assert addresses <= LOOPBACK
    assert (digests(out), without_cost(said)) == local
    assert "ray: 1 node" in err
    assert not processes_in(running.pid)
    assert not list(Path("/tmp").glob("bot-ray-*")), "a cluster's files go with it"


def test_an_interrupt_leaves_a_study_that_goes_on(
    local: tuple[dict[str, str], Any], tmp_path: Path
) -> None:
    out = tmp_path / "compare"
    command = compare(out, "--engine", "ray")
    with subprocess.Popen(
        command, env=os.environ | HERE, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    ) as running:  # fmt: skip
        until(lambda: len(digests(out)) > 2, "no unit has landed")
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to all of the group
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "interrupted; the same command continues from here" in err
    assert "Traceback" not in err
    until(lambda: not processes_in(running.pid), "the cluster outlived the command")
    before = digests(out)
    assert 2 < len(before) < len(local[0])
    written = {path: path.stat().st_mtime_ns for path in (out / "units").glob("*.npz")}
    again = done(command)
    assert again.returncode == 0, again.stderr
    assert digests(out) == local[0]
    assert all(path.stat().st_mtime_ns == at for path, at in written.items())


class TwoRaylets:
    """A cluster of two nodes of one core each, on this machine, for whoever knows a token."""

    def __init__(self, folder: Path) -> None:
        self.env = HERE | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.folder = folder
        self._nodes: list[subprocess.Popen[str]] = []
        self.address = ""

    def start(self, *more: str, **env: str) -> subprocess.Popen[str]:
        log = open(self.folder / f"node-{len(self._nodes)}.txt", "w", encoding="utf-8")  # noqa: SIM115
        node = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus", "1",
             "--node-ip-address", "127.0.0.1", "--disable-usage-stats", *more],
            env=os.environ | self.env | env, stdout=log, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, cwd=self.folder,
        )  # fmt: skip
        log.close()
        self._nodes.append(node)
        return node

    def head(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.start(
            "--head",
            "--port",
            str(port),
            "--include-dashboard",
            "false",
            "--temp-dir",
            str(self.folder / "ray"),
        )
        self.address = f"127.0.0.1:{port}"
        self._until_started(0)

    def join(self, **env: str) -> subprocess.Popen[str]:
        node = self.start("--address", self.address, **env)
        self._until_started(len(self._nodes) - 1)
        return node

    def _until_started(self, number: int) -> None:
        path = self.folder / f"node-{number}.txt"
        until(lambda: "Ray runtime started" in path.read_text(encoding="utf-8"), path.read_text())

    @staticmethod
    def kill(node: subprocess.Popen[str]) -> None:
        for process in processes_in(node.pid):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        node.wait(timeout=30)

    def end(self) -> None:
        for node in self._nodes:
            self.kill(node)


def units_of(node: subprocess.Popen[str]) -> list[int]:
    """Return the processes of a node that run a unit just now, by the titles that Ray gives them."""
    found = []
    for process in processes_in(node.pid):
        try:
            if b"run_parcel" in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
        except OSError:
            continue
    return found


@pytest.fixture
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoRaylets]:
    folder = Path(tempfile.mkdtemp(prefix="rt-", dir="/tmp"))  # a socket's path is short
    cluster = TwoRaylets(folder)
    try:
        cluster.head()
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)


def test_the_units_of_a_raylet_that_is_killed_are_done_again(
    local: tuple[dict[str, str], Any], tmp_path: Path, two: TwoRaylets
) -> None:
    second = two.join()
    out = tmp_path / "compare"
    command = compare(out, "--engine", "ray", "--ray-address", two.address)
    with subprocess.Popen(
        command, env=os.environ | two.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        until(lambda: len(digests(out)) > 2 and units_of(second), "no unit runs on the second node")
        two.kill(second)
        landed = len(digests(out))
        _, err = running.communicate(timeout=600)
    assert running.returncode == 0, err
    assert landed < len(local[0])
    assert digests(out) == local[0]
    assert "ray: 2 nodes, 2 units side by side" in err
    # that a node is gone is told when the head says so, which may be after the last unit
    assert "is done again; its process or its node ended" in err


def test_a_node_of_another_version_is_refused_by_name(tmp_path: Path, two: TwoRaylets) -> None:
    old = tmp_path / "old"
    shutil.copytree(ROOT / "bot", old / "bot", ignore=shutil.ignore_patterns("__pycache__"))
    with (old / "bot" / "blocks.py").open("a", encoding="utf-8") as file:
        file.write("# of another version\n")
    two.join(PYTHONPATH=str(old))
    out = tmp_path / "compare"
    command = compare(out, "--engine", "ray", "--ray-address", two.address)
    # Ray's workers look in the folder of the command first
    ran = done(command, tmp_path, **two.env)
    assert ran.returncode == 2, ran.stderr
    assert "--engine ray: node " in ran.stderr
    assert "has code" in ran.stderr
    assert not digests(out)


def test_a_unit_that_hangs_is_begun_once_more_elsewhere(
    local: tuple[dict[str, str], Any], tmp_path: Path, two: TwoRaylets
) -> None:
    second = two.join()
    out = tmp_path / "compare"
    command = compare(out, "--engine", "ray", "--ray-address", two.address)
    with subprocess.Popen(
        command, env=os.environ | two.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        until(lambda: len(digests(out)) > 3 or running.poll() is not None, "no unit has landed")
        for process in until(lambda: units_of(second), "no unit runs on the second node"):
            os.kill(process, signal.SIGSTOP)
        _, err = running.communicate(timeout=600)
    assert running.returncode == 0, err
    assert digests(out) == local[0]
    assert "takes long; begun once more beside it" in err


def test_a_command_that_is_killed_leaves_no_process_and_a_study_that_goes_on(
    local: tuple[dict[str, str], Any], tmp_path: Path
) -> None:
    out = tmp_path / "compare"
    command = compare(out, "--engine", "ray")
    with subprocess.Popen(
        command, env=os.environ | HERE, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    ) as running:  # fmt: skip
        until(lambda: len(digests(out)) > 2, "no unit has landed")
        running.kill()
        running.communicate(timeout=60)
    until(lambda: not processes_in(running.pid), "the cluster outlived the command")
    assert 2 < len(digests(out)) < len(local[0])
    again = done(command)
    assert again.returncode == 0, again.stderr
    assert digests(out) == local[0]
    for left in Path("/tmp").glob("bot-ray-*"):  # nobody was there to remove them
        shutil.rmtree(left)


def test_a_sweep_comes_to_the_same(tmp_path: Path) -> None:
    run = str(tmp_path / "runs" / "base")
    settings = [part for each in QUICK for part in ("--set", each)]
    made = done([sys.executable, "-m", "bot", "backtest", "--run-dir", run, *settings])
    assert made.returncode == 0, made.stderr
    vary = ["--vary", "signal.threshold=0..0.004:30", "--vary", "policy.kind=threshold,hysteresis"]
    rows = []
    for engine in ("local", "ray"):
        command = [sys.executable, "-m", "bot", "sweep", run, *vary, "--engine", engine, "--json"]
        ran = done([*command, "--out", str(tmp_path / engine)])
        assert ran.returncode == 0, ran.stderr
        rows.append(json.loads(ran.stdout)["settings"])
    assert len(rows[0]) == 60
    assert rows[0] == rows[1]


def test_a_search_tries_and_finds_the_same(tmp_path: Path) -> None:
    space = tmp_path / "space.toml"
    space.write_text(
        "[search]\ntrials = 6\nfolds = 2\nmonths = 1\nseeds = 1\nobjectives = ['net_return']\n"
        "[space]\nsignal.threshold = {low = 0.0, high = 0.004}\nmodel.hidden = {choices = [[8], [16]]}\n"
    )
    settings = [part for each in STUDY for part in ("--set", each)]
    found = []
    for engine in ("local", "ray"):
        out = tmp_path / engine / "runs" / "compare"
        out.mkdir(parents=True)
        command = [sys.executable, "-m", "bot", "search", str(space), "--engine", engine, "--json"]
        # what is told of the register names it as it is reached from here
        ran = done([*command, "--out", "runs/compare", *settings], tmp_path / engine)
        assert ran.returncode == 0, ran.stderr
        found.append((digests(out), json.loads(ran.stdout)["trials"]))
    assert len(found[0][0]) >= 2
    assert found[0] == found[1]
