"""A site over a folder with one short backtest, and clients with and without leave to look."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from starlette.testclient import TestClient

from bot.serve.access.origins import ours
from bot.serve.access.token import read_or_make
from bot.serve.app import make_app
from bot.serve.site import Site, site_for
from tests.conftest import Ran

BASE = "http://127.0.0.1:8765"


@dataclass(frozen=True)
class Served:
    """A site, its application, and what its token file holds."""

    site: Site
    app: Any
    secret: str
    runs_dir: Path

    def client(self, **headers: str | bytes) -> TestClient:
        """Return a client that nobody has let in."""
        client = TestClient(
            self.app, base_url=BASE, raise_server_exceptions=False, follow_redirects=False
        )
        for name, value in headers.items():
            client.headers[name] = value.decode("latin-1") if isinstance(value, bytes) else value
        return client

    def owner(self, **headers: str | bytes) -> TestClient:
        """Return a client that sends the token."""
        return self.client(Authorization=f"Bearer {self.secret}", **headers)


@pytest.fixture(scope="session")
def runs_dir(short: Ran, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "runs"
    folder.mkdir()
    shutil.copytree(short.folder.path, folder / "short")
    return folder


@pytest.fixture
def served(runs_dir: Path, tmp_path: Path) -> Served:
    path = tmp_path / "state" / "serve-token"
    token = read_or_make(path)
    site = site_for(runs_dir, token, ours(8765))
    return Served(site, make_app(site), path.read_text("ascii").strip(), runs_dir)
