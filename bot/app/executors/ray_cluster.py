"""A Ray cluster: a new one on this machine's loopback, or one that is there; and whether its nodes compute alike.

Rules: a new cluster listens on loopback only, asks for a token that no file holds, has no dashboard, and
reports its use to nobody. Whoever reaches a port of Ray can run code as its user: docs/scaling.md.
"""

from __future__ import annotations

import importlib
import os
import secrets
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.app.executors.ray_node import CPU, ONE_THREAD, build_here, refusal
from bot.errors import ConfigError, extra_needed

LOOPBACK = "127.0.0.1"
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's own switch for a cluster on loopback
    "RAY_AUTH_MODE": "token",
    "RAY_memory_monitor_refresh_ms": "0",  # it would end units for what other programs take; each has its bound
}
_ANSWER_S, _CHECK_S = 10.0, 120.0


def require_ray(address: str | None) -> Any:
    """Return the module ray, which reads its environment when it is imported.

    Args:
        address: of a cluster that is there; None for a new one, which keeps to this machine.

    Raises:
        ConfigError: it is not installed.
    """
    os.environ.update(_QUIET)
    if address is None:
        os.environ.update(_ALONE)
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError:
        raise extra_needed("--engine ray needs ray, which is not installed", "ray") from None


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process uses.

    Attributes:
        ray: the module, connected.
        cpus: the kinds of CPU of its nodes; results are equal to the bit on one kind.
        folder: of a new cluster's files, which go with it.
    """

    ray: Any
    cpus: frozenset[str]
    folder: Path | None

    def leave(self) -> None:
        """Leave the cluster; end a new one."""
        self.ray.shutdown()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def connect(address: str | None, workers: int | None) -> Cluster:
    """Start a cluster on this machine, or connect to one.

    Args:
        address: host:port of a cluster's head; None for a new cluster.
        workers: CPU slots of a new cluster; None for one a core.

    Raises:
        ConfigError: ray is not installed, no cluster answers, or its nodes do not compute alike.
    """
    if address is not None:
        _check_reachable(address)
    ray = require_ray(address)
    if ray.is_initialized():
        raise ConfigError(
            "--engine ray: this process uses Ray already; end that with ray.shutdown()"
        )
    folder = Path(tempfile.mkdtemp(prefix="bot-ray-")) if address is None else None
    asked: dict[str, Any] = {"address": address}
    if folder is not None:
        asked = {"num_cpus": workers or os.cpu_count(), "include_dashboard": False}
        asked["_temp_dir"] = str(folder)
    try:
        info = ray.init(
            **asked, log_to_driver=False, logging_level="ERROR",
            runtime_env={"env_vars": ONE_THREAD}, namespace="mtl-paper-bot",
        )  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError) as error:
        Cluster(ray, frozenset(), folder).leave()
        raise ConfigError(f"--engine ray: {address or 'a new cluster'}: {error}") from error
    if folder is not None and info.address_info["node_ip_address"] != LOOPBACK:
        Cluster(ray, frozenset(), folder).leave()
        raise ConfigError(
            "--engine ray: ray was imported before, and would listen beyond this machine; start the bot "
            "in a process of its own, or give --ray-address"
        )
    try:
        return Cluster(ray, check_nodes(ray), folder)
    except BaseException:
        Cluster(ray, frozenset(), folder).leave()
        raise


def _check_reachable(address: str) -> None:
    """Refuse an address where nobody answers: Ray would try for many minutes.

    Raises:
        ConfigError: it is no host:port, or nothing listens there.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(
            f"--ray-address {address}: give host:port of the head, such as 10.0.0.5:6379"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"--ray-address {address}: nothing answers there ({error}); is 'ray start --head' running, and does "
            "a firewall let this machine in?"
        ) from error


def check_nodes(ray: Any) -> frozenset[str]:
    """Refuse nodes of other code or packages; return the CPUs of all, which may differ.

    Raises:
        ConfigError: naming the node, what it has, and what this machine has.
    """
    strategies = importlib.import_module("ray.util.scheduling_strategies")
    wanted, affinity = build_here(), strategies.NodeAffinitySchedulingStrategy
    asked = {
        ray.remote(build_here)
        .options(
            num_cpus=0, max_retries=0, scheduling_strategy=affinity(node["NodeID"], soft=False)
        )
        .remote(): f"{node['NodeManagerAddress']} ({node['NodeManagerHostname']})"
        for node in ray.nodes()
        if node["Alive"]
    }
    cpus = {wanted[CPU]}
    for ref, name in asked.items():
        try:
            found = ray.get(ref, timeout=_CHECK_S)
        except ray.exceptions.RayError as error:
            raise ConfigError(
                f"--engine ray: node {name} cannot run this bot ({str(error).strip().splitlines()[-1]}); "
                "install there what is installed here"
            ) from error
        if (refused := refusal(name, wanted, found)) is not None:
            raise refused
        cpus.add(found[CPU])
    return frozenset(cpus)
