"""`bot doctor`: whether this machine, its network and these settings will do, each with its fix.

Rule: a check that itself fails is a finding, never the end of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from bot.app.first_hour.finding import Finding, graded
from bot.app.first_hour.machine import machine_checks
from bot.app.first_hour.network import network_checks, round_trip
from bot.app.start.check import faults_of
from bot.config import Config

FAILED = 1
"""The exit code where a check failed; warnings are none."""

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def examine(config: Config, *, offline: bool = False) -> Iterator[Finding]:
    """Yield what each check found, as it is found.

    Args:
        offline: leave the network out.
    """
    yield settings(config)
    for check in machine_checks(config):
        yield from guarded(lambda check=check: [check()])  # type: ignore[misc]
    if not offline:
        yield from guarded(lambda: network_checks(config))
    yield from guarded(lambda: [round_trip()])


def settings(config: Config) -> Finding:
    """Look whether a run could start with the settings."""
    faults = faults_of(config, "run")
    said = "; ".join(str(fault) for fault in faults) or "a run could start with them"
    return graded("settings", said, fail=bool(faults), fix="'bot config check' tells more")


def exit_code(findings: Sequence[Finding]) -> int:
    """Return how the command ends."""
    return FAILED if any(each.grade == "fail" for each in findings) else 0


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings as the object that --json prints."""
    return {"well": exit_code(findings) == 0, "findings": [asdict(each) for each in findings]}


def line(finding: Finding) -> Table:
    """Return a finding as a line, and its fix beneath it."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for width in (4, 13):
        grid.add_column(width=width, no_wrap=True)
    grid.add_column(overflow="fold")
    said = Text(finding.said)
    if finding.fix:
        said.append(f"\n→ {finding.fix}", _STYLES[finding.grade])
    grid.add_row(Text(finding.grade, _STYLES[finding.grade]), finding.check, said)
    return grid


def verdict(findings: Sequence[Finding]) -> Text:
    """Return what it comes to."""
    failed = [each.check for each in findings if each.grade == "fail"]
    warned = sum(each.grade == "warn" for each in findings)
    also = f", {warned} to look at" if warned else ""
    if failed:
        return Text(
            f"{len(failed)} of {len(findings)} failed: {', '.join(failed)}{also}", "bold red"
        )
    return Text(f"all {len(findings)} will do{also}", "green")


def guarded(check: Callable[[], list[Finding]]) -> list[Finding]:
    """Return what a check found; where it fails itself, that."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 (whatever it is, it is what was found)
        return [graded("doctor", f"a check failed itself: {type(error).__name__}: {error}", warn=True,
                       fix="please report it")]  # fmt: skip
