"""What each part of the full account took, by year, over the forecasts of one run: a table in Markdown.

python -m scripts.account_years RUN [--capital 100000] [--policy momentum]. From the plain account, which has credit without limit and
fills of any size, to the account of the defaults, one part after the other; what a policy earns or loses does
not matter here, the differences do. All years of RUN have been looked at when it was made.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bot.app.runs.folder import RunFolder
from bot.app.sweep.replay import replay_of
from bot.app.sweep.source import source_of_run
from bot.config import Config, flatten
from bot.config.renamed import FORMER_DEFAULTS
from scripts.policy_years import Row, print_by_year, settings_of, years_of_days

PARTS: dict[str, tuple[str, ...]] = {
    "and cross margin, cash that is there": ("portfolio.margin_mode", "portfolio.borrow"),
    "and caps that hold, cool-downs": (
        "risk.cap_tolerance", "risk.cool_down_bars", "risk.max_stale_bars", "risk.leaving_hours",
    ),
    "and at most a share of a bar's volume": ("execution.max_participation",),
    "and market impact: the full account": ("costs.impact",),
}  # fmt: skip
"""What each part sets to its default, one after the other; before it is as it was (FORMER_DEFAULTS)."""

POLICIES = {
    "edge": ("policy.kind=edge",),
    "threshold 0.003": ("policy.kind=threshold", "signal.threshold=0.003"),
    "momentum": ("policy.kind=momentum",),
}
"""The last needs no forecast, so that a run that trained no model shows it as well."""


def rows(run: RunFolder, capital: float, policies: Sequence[str]) -> Iterator[Row]:
    """Yield a row for each of these policies and each part."""
    source = source_of_run(run)
    replay = replay_of(source)
    year = years_of_days(source)
    for policy in policies:
        for part, account in _accounts():
            given = [f"{key}={json.dumps(value)}" for key, value in account.items()]
            config = settings_of(
                source, [*POLICIES[policy], *given, f"portfolio.initial_capital={capital}"]
            )
            tally = replay.tally(config, part, {})
            taken = f" ({tally.liquidations} fills liquidated)" if tally.liquidations else ""
            yield f"{policy}: {part}{taken}", year, tally.days, tally.traded


def _accounts() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the accounts by name, each with its settings."""
    now = flatten(Config())
    account = {key: FORMER_DEFAULTS[key] for keys in PARTS.values() for key in keys}
    yield "plain account", dict(account)
    for part, keys in PARTS.items():
        account |= {key: now[key] for key in keys}
        yield part, dict(account)
    yield "the full account, isolated margin", account | {"portfolio.margin_mode": "isolated"}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.account_years", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--capital", type=float, default=100_000.0)
    parser.add_argument("--policy", action="append", choices=POLICIES)
    asked = parser.parse_args()
    found = rows(RunFolder(asked.run), asked.capital, asked.policy or tuple(POLICIES))
    print_by_year(list(found), f"capital {asked.capital:,.0f}")


if __name__ == "__main__":
    main()
