"""Settings that have another name now, or are gone: refused in a user's file, read in an old run's.

Rules: a name stays here for good, since runs made with it do. A new name's value means what it meant;
a setting that is gone is left out, so it must not have changed a number of the ledger; a default that
changed is written into the settings of runs that had the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED: dict[str, str] = {
    "sizing.spread_penalty": "sizing.disagreement_penalty",
}
"""The new name of each old one, both as section.key."""

GONE: dict[str, str] = {
    "report.trials": "trials count themselves, in the register beside the runs, which 'bot trials' "
    "lists",
}
"""Why a setting is one no more, by section.key."""


FORMER_DEFAULTS: dict[str, Any] = {
    "costs.impact": 0.0,
    "execution.max_participation": 0.0,
    "policy.kind": "threshold",
    "portfolio.borrow": True,
    "portfolio.borrow_rate": 0.0,
    "portfolio.margin_mode": "none",
    "risk.cap_tolerance": 0.0,
    "risk.cool_down_bars": 0,
    "risk.leaving_hours": 0.0,
    "risk.max_stale_bars": 0,
    "training.log_targets": False,
    "training.shrinkage": False,
}
"""What runs did that have no such setting in their folder, where it is not what it defaults to now."""


def refusal_of(dotted: str) -> str | None:
    """Return what to tell of a key that is no setting any more, None where it never was one."""
    if dotted in GONE:
        return f"'{dotted}' is no setting any more: {GONE[dotted]}; leave it out"
    new = RENAMED.get(dotted)
    return None if new is None else f"'{dotted}' is called '{new}' now; write that"


def translated(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections of a run's file under the names, and with the defaults, that settings have now."""
    found: dict[str, Any] = {}
    for section, values in sections.items():
        if not isinstance(values, Mapping):
            found[section] = values
            continue
        for key, value in values.items():
            if f"{section}.{key}" in GONE:
                continue
            new = RENAMED.get(f"{section}.{key}", f"{section}.{key}")
            place, _, name = new.partition(".")
            found.setdefault(place, {})[name] = value
    for key, value in FORMER_DEFAULTS.items():
        place, _, name = key.partition(".")
        found.setdefault(place, {}).setdefault(name, value)
    return found
