"""What benches say where a package that only they need is not installed."""

from __future__ import annotations

import importlib.metadata

import pytest

from scripts.benchmarks import ledger, measuring
from scripts.benchmarks.__main__ import _table
from scripts.benchmarks.workload import FULL_ACCOUNT, Workload


def test_a_package_that_is_not_installed_is_told_and_the_rest_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(name: str) -> str:
        if name == "vectorbt":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", gone)
    facts = measuring.machine_facts()
    assert (facts["vectorbt"], facts["numba"]) == ("absent", "1.0")


def test_a_row_without_a_value_meets_no_goal_and_says_absent() -> None:
    row = measuring.absent("vectorbt", "s")
    assert row.met is None
    assert measuring.Row("it", row.value, "s", goal=1.0).met is None
    assert list(_table("sweep", [row]).columns[1].cells) == ["absent"]
    assert measuring.is_installed("numba")
    assert not measuring.is_installed("no_such_package_of_anyone")


def test_the_plain_account_is_plain_and_the_full_one_full() -> None:
    """What one is measured beside the other is not the other with everything off."""
    assert ledger.crowd(200, 2)[2].full is None
    assert ledger.crowd(200, 2, FULL_ACCOUNT)[2].full is not None
    assert Workload.draw(200, 0.9).rules.full is None
