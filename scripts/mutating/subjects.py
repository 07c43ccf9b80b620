"""What is mutated, and which tests answer for it.

A subject is a group of modules with one row in the report. Its tests are those that should notice;
they are run in this order and stop at the first that fails, so the most direct come first. `plain`:
the tests run with kernels as plain Python, which a mutated kernel needs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """Modules under mutation and the tests that answer for them; paths from the root."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    plain: bool = False


SUBJECTS = (
    Subject(
        "kernel", ("bot/portfolio/kernel.py",),
        ("tests/portfolio/test_broker.py", "tests/portfolio/test_reference_backtest.py",
         "tests/portfolio/test_kernel.py"),
        plain=True,
    ),
    Subject("engine", ("bot/engine.py",), ("tests/test_engine.py", "tests/app/test_state_layout.py")),
    Subject("plausibility", ("bot/plausibility.py",), ("tests/test_plausibility.py",)),
    Subject(
        "ledger", ("bot/portfolio/ledger.py",), ("tests/portfolio/test_ledger.py",), plain=True,
    ),
    Subject("live opening", ("bot/app/live_opening.py",), ("tests/app/test_live_opening.py",)),
    Subject(
        "bar assembly", ("bot/app/bar_assembly.py",),
        ("tests/app/test_bar_assembly.py", "tests/app/test_bar_assembly_live.py"),
    ),
    Subject(
        "funding", ("bot/adapters/funding_files.py", "bot/adapters/bar_funding.py",
                    "bot/app/live_funding.py", "bot/app/funding_watch.py"),
        ("tests/adapters/test_bar_funding.py", "tests/adapters/test_funding_files.py",
         "tests/app/test_funding_watch.py", "tests/app/test_live_funding.py"),
    ),
    Subject("timestamps", ("bot/adapters/timestamps.py",), ("tests/adapters/test_timestamps.py",)),
    Subject("triggers", ("bot/app/triggers.py",), ("tests/app/test_triggers.py",)),
    Subject(
        "targets", ("bot/features/targets.py",),
        ("tests/features/test_targets.py", "tests/features/test_auxiliary.py"), plain=True,
    ),
    Subject(
        "metrics", ("bot/report/metrics.py", "bot/report/sharpe.py", "bot/report/trips.py"),
        ("tests/report/test_metrics.py", "tests/report/test_sharpe.py",
         "tests/report/test_trips.py"),
    ),
    Subject(
        "skill", ("bot/report/skill.py", "bot/report/baselines.py", "bot/report/endpoints.py"),
        ("tests/report/test_skill.py", "tests/report/test_baselines.py",
         "tests/report/test_endpoints.py", "tests/report/test_comparison.py"),
    ),
)  # fmt: skip
