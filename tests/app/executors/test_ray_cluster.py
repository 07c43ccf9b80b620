"""Connecting to a cluster: what is refused before Ray is asked for anything."""

from __future__ import annotations

import socket
import sys

import pytest

from bot.app.executors.choice import chosen
from bot.app.executors.ray_cluster import connect
from bot.errors import ConfigError


@pytest.mark.parametrize("address", ["auto", "10.0.0.5", "10.0.0.5:", ":6379", "host:port"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"give host:port of the head, such as 10\.0\.0\.5:6379"):
        connect(address, None)


@pytest.mark.parametrize("port", [None, 70_000])
def test_an_address_where_nobody_answers_is_told_at_once(port: int | None) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{port or taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"--ray-address {address}: nothing answers there"):
            connect(address, None)


@pytest.mark.parametrize("address", [None, "10.0.0.5:6379"])
def test_without_ray_the_extra_is_named(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
        monkeypatch.setenv(name, "")
    with pytest.raises(ConfigError, match=r"needs ray, which is not installed.*\[ray\]"):
        chosen("ray", None, address)


def test_an_address_is_for_ray_only() -> None:
    with pytest.raises(
        ConfigError, match=r"--ray-address .*: only --engine ray goes there; add it"
    ):
        chosen("local", None, "10.0.0.5:6379")
