"""What a search is of: its space, its base settings and its bars; another one under its name is refused.

Rules: how long it goes on is no part of it, nor where its bars lie.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna

from bot.app.runs.folder import deciding
from bot.app.search.space import SearchSpace
from bot.app.study.data import Study
from bot.config import Config
from bot.errors import ConfigError
from bot.parts.plugins import digests_of
from bot.timestamps import format_utc

SPACE, BASE, DATA = "space", "base", "data"
_SHOWN = 3
SYMBOLS = "market.symbols"
"""Which symbols are traded says the data; a search is confirmed on others too."""


def identity_of(
    space: SearchSpace, config: Config, base: Study | None
) -> dict[str, dict[str, Any]]:
    """Return what makes a search this one, by part and name, as JSON values.

    Args:
        config: the base settings.
        base: the study of them; None leaves its bars out.
    """
    parts: dict[str, Any] = {
        SPACE: space.as_json()["search"]
        | {f"[space] {key}": value for key, value in space.as_json()["space"].items()}
        | {"[[start]]": space.as_json()["start"]},
        BASE: {key: value for key, value in deciding(config).items() if key != SYMBOLS}
        | {f"part {k}": v for k, v in digests_of(config.plugins).items()},
    }
    if base is not None:
        times = base.market.bars.open_time
        parts[DATA] = {
            "symbols": list(base.market.symbols),
            "folds": [format_utc(int(times[f.first])) for f in base.folds]
            + [format_utc(int(times[base.folds[-1].stop - 1]))],
            "bars": base.digest,
        }
    found: dict[str, dict[str, Any]] = json.loads(json.dumps(parts))
    return found


def check_identity(
    store: optuna.Study, identity: Mapping[str, Mapping[str, Any]], path: Path
) -> None:
    """Write what a new search is of; refuse one that was begun over something else.

    Args:
        path: of the storage, for the error.

    Raises:
        ConfigError: with what differs.
    """
    there = store.user_attrs
    if not store.get_trials(deepcopy=False) and not set(identity) <= set(there):
        for part, values in identity.items():
            store.set_user_attr(part, dict(values))
        return
    for part, now in identity.items():
        was = there.get(part, {})
        keys = [key for key in dict.fromkeys([*was, *now]) if was.get(key) != now.get(key)]
        if keys:
            shown = "; ".join(
                f"{key} was {_told(was, key)} and is {_told(now, key)}" for key in keys[:_SHOWN]
            )
            more = f"; and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
            what = {SPACE: "another space", BASE: "other base settings", DATA: "other bars"}[part]
            raise ConfigError(
                f"{path}: is a search over {what}: {shown}{more}; go on with what it was begun with, or "
                "name another --out"
            )


def _told(values: Mapping[str, Any], key: str) -> str:
    text = json.dumps(values[key], ensure_ascii=False) if key in values else "not there"
    return text if len(text) <= 80 else f"{text[:79]}…"
