"""Licences: nothing copyleft comes with the base or the extras of running, by the metadata of what is installed."""

from __future__ import annotations

import re
from email.message import Message
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import licences
from scripts.licences import ACCEPTED_MPL, BASE, FREE, brought, by_set, declared, faults, licence_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "licences.md"


class Told(Distribution):
    """A package of which the metadata are told."""

    def __init__(self, **told: str | list[str]) -> None:
        self.told = Message()
        for name, value in told.items():
            for each in [value] if isinstance(value, str) else value:
                self.told[name.replace("_", "-")] = each

    @property
    def metadata(self) -> Any:
        return self.told

    def read_text(self, filename: str) -> str | None:
        return None

    def locate_file(self, path: Any) -> Any:
        return path


def test_nothing_installed_is_under_another_licence_than_it_may() -> None:
    sets = by_set()
    assert {"aiohttp", "certifi", "numpy", "torch"} <= set(sets[BASE])
    assert faults(sets) == []


def test_every_exception_is_needed_and_told() -> None:
    there = {name for packages in by_set().values() for name in packages}
    assert set(ACCEPTED_MPL) <= there
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"**{name}**" in page for name in ACCEPTED_MPL)


def test_the_solvers_of_gradients_are_gpl_and_that_is_said_where_they_are_chosen() -> None:
    assert "gradients" not in FREE
    solvers = brought(declared()["gradients"])
    if "quadprog" in solvers:
        assert licence_of(solvers["quadprog"]) == "GPL-2.0-or-later"
        assert licence_of(solvers["ecos"]) == "GPL-3.0"
    for document in (PAGE, ROOT / "docs" / "install.md"):
        lines = document.read_text(encoding="utf-8").splitlines()
        assert any("gradients" in line and "GPL" in line for line in lines), document.name
    assert re.search(r"#.*GPL.*\ngradients = ", (ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"License_Expression": "AGPL-3.0-only"}, "free: odd: AGPL-3.0-only"),
        ({"Classifier": "License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)"}, "LGPL-3.0"),
        ({"License": "GPLv3"}, "GPL-3.0"),
        ({"License_Expression": "MPL-2.0"}, "no exception is listed"),
        ({}, "name no licence"),
        ({"License": "UNKNOWN"}, "name no licence"),
    ],
)  # fmt: skip
def test_what_may_not_be_is_a_fault(
    told: dict[str, str], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(licences, "FREE", ("free",))
    (said,) = faults({"free": {"odd": Told(Name="odd", **told)}})
    assert found in said
    allowed = faults({"other": {"odd": Told(Name="odd", **told)}})
    assert bool(allowed) == ("name no licence" in found), "it binds only what runs"


def test_permissive_licences_are_no_fault() -> None:
    odd = Told(Name="odd", License_Expression="Apache-2.0 WITH LLVM-exception OR BSD-3-Clause")
    assert faults({BASE: {"odd": odd}}) == []


def test_the_walk_reaches_what_requirements_require() -> None:
    found = brought(["requests"])
    for text in distribution("requests").requires or ():
        required = Requirement(text)
        if required.marker is None or required.marker.evaluate({"extra": ""}):
            assert canonicalize_name(required.name) in found, text
    assert "not-a-package-at-all" not in brought(["not-a-package-at-all"])


def test_the_page_has_every_requirement_of_the_base_and_of_running() -> None:
    page = PAGE.read_text(encoding="utf-8").lower().replace("_", "-")
    asked = declared()
    for extra in (BASE, "serve", "notify", "watch", "xlsx"):
        for text in asked[extra]:
            assert f"| {canonicalize_name(Requirement(text).name)} |" in page, text
    assert all(f"| `{extra}` |" in (ROOT / "docs/install.md").read_text("utf-8") for extra in asked)
