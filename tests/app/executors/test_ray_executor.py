"""The Ray executor over a stand-in: what becomes of units whose processes die, hang or refuse."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest

from bot.app.executors import flights as flights_module
from bot.app.executors import ray_executor
from bot.app.executors.flights import MOST_DEATHS
from bot.app.executors.ray_cluster import Cluster
from bot.app.executors.ray_executor import RayExecutor
from bot.app.executors.ray_node import Parcel, build_here, refusal, run_parcel
from bot.app.executors.units import Held
from bot.app.sweep.replay import Share
from bot.config import Config, load_config
from bot.errors import ConfigError, DataError, ModelError
from bot.parts import plugins
from tests.app.executors.fake_ray import FakeRay, WorkerCrashedError

CONFIG = load_config(None, [], {})


@dataclass(frozen=True)
class Adding:
    """Adds a number to what it is given; refuses nought."""

    number: int
    config: Config = CONFIG

    @property
    def label(self) -> str:
        return f"number {self.number}"

    def run(self, data: int) -> int:
        if not self.number:
            raise DataError("nought")
        return self.number + data


def run_here(build: str, parcel: bytes, content: Any) -> Any:
    """Run a unit as a node does, but for the bound of memory, which would be this process's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.app.executors.ray_node.limit_memory", lambda megabytes: None)
        return run_parcel(build, parcel, content)


@pytest.fixture
def ray() -> FakeRay:
    return FakeRay()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def executor(
    ray: FakeRay, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[RayExecutor]:
    cluster = Cluster(ray, frozenset({"zen3"}), None)
    monkeypatch.setattr(ray_executor, "connect", lambda address, workers: cluster)
    monkeypatch.setattr(ray_executor, "run_parcel", run_here)
    made = RayExecutor(None, None, tell=told.append)
    yield made
    made.shutdown()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline


HUNDRED = Held("hundred", 100)


def results(futures: list[Future[int]]) -> list[int]:
    return [future.result(timeout=30) for future in futures]


def test_results_come_back_and_data_are_put_once(executor: RayExecutor, ray: FakeRay) -> None:
    futures = [executor.submit(Adding(n), HUNDRED) for n in range(1, 21)]
    assert results(futures) == [n + 100 for n in range(1, 21)]
    assert len(ray.puts) == 1
    assert executor.slots == 2


def test_data_that_no_unit_reads_any_more_are_let_go(executor: RayExecutor, ray: FakeRay) -> None:
    results([executor.submit(Adding(1), HUNDRED)])
    results([executor.submit(Adding(1), Held("ten", 10))])
    assert results([executor.submit(Adding(1), HUNDRED)]) == [101]
    assert len(ray.puts) == 3


def test_what_a_unit_refuses_is_its_futures_error(executor: RayExecutor) -> None:
    with pytest.raises(DataError, match="nought"):
        executor.submit(Adding(0), HUNDRED).result(timeout=30)


def test_a_fault_is_told_with_what_the_node_says(executor: RayExecutor) -> None:
    text: Any = Held("text", "text")
    with pytest.raises(ModelError, match=r"failed on a node of the cluster: .*unsupported"):
        executor.submit(Adding(1), text).result(timeout=30)


def test_a_unit_whose_process_dies_is_done_again(
    executor: RayExecutor, ray: FakeRay, told: list[str]
) -> None:
    ray.script = [WorkerCrashedError("killed"), None, WorkerCrashedError("killed")]
    assert results([executor.submit(Adding(n), HUNDRED) for n in (1, 2, 3)]) == [101, 102, 103]
    again = [line for line in told if "is done again" in line]
    assert len(again) == 2
    assert "number 1" in again[0]
    assert "WorkerCrashedError" in again[0]


def test_a_unit_that_kills_every_process_is_given_up(executor: RayExecutor, ray: FakeRay) -> None:
    ray.script = [WorkerCrashedError("killed") for _ in range(MOST_DEATHS)]
    with pytest.raises(ModelError, match=f"number 1 ended without a result {MOST_DEATHS} times"):
        executor.submit(Adding(1), HUNDRED).result(timeout=30)
    assert results([executor.submit(Adding(2), HUNDRED)]) == [102]


def test_a_unit_that_hangs_is_begun_once_more_and_its_first_copy_cancelled(
    executor: RayExecutor, ray: FakeRay, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights_module, "LEAST_S", 0.0)
    ray.script = [threading.Event()]
    hung = executor.submit(Adding(9), HUNDRED)
    others = [executor.submit(Adding(n), HUNDRED) for n in range(1, 8)]
    assert results(others) == [n + 100 for n in range(1, 8)]
    assert hung.result(timeout=30) == 109
    assert ray.cancelled == [0]
    assert [line for line in told if "number 9 takes long" in line]


def test_shutting_down_drops_what_waits_and_ends_what_runs(
    executor: RayExecutor, ray: FakeRay
) -> None:
    ray.script = [threading.Event(), threading.Event()]
    hung = [executor.submit(Adding(n), HUNDRED) for n in (1, 2)]
    waiting = executor.submit(Adding(3), HUNDRED)
    until(lambda: all(future.running() for future in hung))
    executor.shutdown()
    assert waiting.cancelled()
    assert set(ray.cancelled) == {0, 1}
    assert ray.is_shut


def test_a_unit_that_was_cancelled_before_it_began_is_left_out(
    executor: RayExecutor, ray: FakeRay
) -> None:
    ray.script = [hold := threading.Event(), threading.Event()]
    first = [executor.submit(Adding(n), HUNDRED) for n in (1, 2)]
    third, fourth = (executor.submit(Adding(n), HUNDRED) for n in (3, 4))
    until(lambda: all(future.running() for future in first))
    assert third.cancel()
    hold.set()
    assert fourth.result(timeout=30) == 104


def test_a_cluster_that_is_gone_is_told_to_all_who_wait(
    executor: RayExecutor, ray: FakeRay
) -> None:
    ray.broken = True
    with pytest.raises(ModelError, match="the cluster is gone: the head is gone"):
        executor.submit(Adding(1), HUNDRED).result(timeout=30)


def test_nodes_that_come_and_go_are_told(
    executor: RayExecutor, ray: FakeRay, told: list[str]
) -> None:
    assert told == ["ray: 1 node, 2 units side by side"]
    ray.cores = [2.0, 6.0]
    until(lambda: len(told) == 2)
    assert told[1] == "ray: 2 nodes, 8 units side by side"
    assert executor.slots == 8


def test_a_node_of_other_code_is_refused_by_what_differs() -> None:
    here = build_here()
    assert refusal("n", here, dict(here) | {"cpu": "another"}) is None
    for name in set(here) - {"cpu"}:
        refused = refusal("10.0.0.7", here, here | {name: "other"})
        assert isinstance(refused, ConfigError)
        assert f"node 10.0.0.7 has {name} other, and this machine {name}" in str(refused)
        assert isinstance(
            refusal("n", here, {k: v for k, v in here.items() if k != name}), ConfigError
        )


def test_a_unit_of_another_build_is_not_even_unpickled() -> None:
    build = json.dumps(build_here() | {"code": "other"})
    found = run_here(build, b"no pickle at all", b"")
    assert isinstance(found, ConfigError)
    assert "has code" in str(found)


def test_own_parts_must_be_those_of_the_machine_that_asks(tmp_path: Any) -> None:
    own = tmp_path / "far_parts.py"
    own.write_text("", encoding="utf-8")
    config = load_config(None, [f'plugins=["{own}"]'], {})
    packed, build = Held("x", 1).packed(), json.dumps(build_here())
    digest = plugins.digests_of([str(own)])
    assert digest.keys() == {"far_parts.py"}
    good = Parcel(Share([(config, "", {})]), packed.read, {"far_parts.py": "00"})
    found = run_here(build, good.packed(), packed.content)
    assert isinstance(found, ConfigError)
    assert "has another far_parts.py (plugins); copy the same there" in str(found)
    adding = Parcel(Adding(5, config), packed.read, digest)
    assert run_here(build, adding.packed(), packed.content) == 6
