"""Which settings in a run's config.toml are not those that it was made with.

The journal keeps the text of the file as it was at the run's creation. Must not decide what follows
from an edit: `bot verify` tells of it, the daemon does not go on where numbers could change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from bot.app.runs.folder import RunFolder, config_text, flatten_toml, stored_hash
from bot.config.given import parsed_toml


def edited_settings(folder: RunFolder, meta: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys of config.toml that are not as the run was made with; empty for none.

    A journal of version 1 keeps a digest only, of the settings that can change a number.

    Args:
        meta: the journal's facts.
    """
    recorded = meta.get("config_toml")
    if recorded is None:
        same = meta.get("config_hash") in {None, stored_hash(folder)}
        return () if same else ("one that the journal's digest covers",)
    now = flatten_toml(parsed_toml(config_text(folder)))
    try:
        before = flatten_toml(parsed_toml(recorded))
    except tomllib.TOMLDecodeError:
        return ("all: those in the journal are damaged",)
    # by their text: in Python 1 is True and 1.0
    return tuple(sorted(k for k in {*before, *now} if repr(before.get(k)) != repr(now.get(k))))
