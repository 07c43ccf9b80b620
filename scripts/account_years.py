"""What each part of the full account took, by year, over the forecasts of one run: a table in Markdown.

python -m scripts.account_years RUN [--capital 100000]. From the plain account, which has credit without limit and
fills of any size, to the account of the defaults, one part after the other; what a policy earns or loses does
not matter here, the differences do. All years of RUN have been looked at when it was made.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from bot.app.runs.folder import RunFolder
from bot.app.sweep.replay import replay_of
from bot.app.sweep.source import source_of_run
from scripts.policy_years import Row, print_by_year, settings_of, years_of_days

PLAIN = {
    "portfolio.margin_mode": "none",
    "portfolio.borrow": "true",
    "risk.cap_tolerance": "0",
    "risk.cool_down_bars": "0",
    "risk.max_stale_bars": "0",
    "execution.max_participation": "0",
    "costs.impact": "0",
}
"""What the account was; each is taken back below, in order, to what it is by default."""

PARTS: dict[str, dict[str, str]] = {
    "plain account": {},
    "and cross margin, cash that is there": {
        "portfolio.margin_mode": "cross", "portfolio.borrow": "false",
    },
    "and caps that hold, cool-downs": {
        "risk.cap_tolerance": "0.02", "risk.cool_down_bars": "24", "risk.max_stale_bars": "24",
    },
    "and at most 2 % of a bar's volume": {"execution.max_participation": "0.02"},
    "and market impact: the full account": {"costs.impact": "1"},
    "the full account, isolated margin": {"portfolio.margin_mode": "isolated"},
}  # fmt: skip
POLICIES = {
    "edge": ("policy.kind=edge",),
    "threshold 0.003": ("policy.kind=threshold", "signal.threshold=0.003"),
}


def rows(run: RunFolder, capital: float) -> Iterator[Row]:
    """Yield a row for each policy and part."""
    source = source_of_run(run)
    replay = replay_of(source)
    year = years_of_days(source)
    for policy, sets in POLICIES.items():
        account = dict(PLAIN)
        for part, change in PARTS.items():
            account |= change
            given = [f"{key}={value}" for key, value in account.items()]
            config = settings_of(source, [*sets, *given, f"portfolio.initial_capital={capital}"])
            tally = replay.tally(config, part, {})
            yield f"{policy}: {part}", year, tally.days, tally.traded


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.account_years", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--capital", type=float, default=100_000.0)
    asked = parser.parse_args()
    print_by_year(list(rows(RunFolder(asked.run), asked.capital)), f"capital {asked.capital:,.0f}")


if __name__ == "__main__":
    main()
