"""Parts of a user's own that a run was made with: they are asked for by name, and must be the same.

Rule: a run's folder says which sources it was made with and never runs one; they come from the
settings or the command line of whoever reads it.
"""

from __future__ import annotations

import json

from bot.config import Config
from bot.errors import ConfigError
from bot.parts.plugins import loaded, names_of

_PREFIX = "parts:"


def check_parts(config: Config, made_by: str, run: object) -> None:
    """Refuse to go on with, or to prove, a run whose own parts are not those it was made with.

    Args:
        config: the run's settings.
        made_by: the newest of its builds, as JSON; empty where it has none.
        run: the run's folder, for the message.

    Raises:
        ConfigError: a source is missing, or is another one; with its name.
    """
    recorded = recorded_parts(made_by)
    here = loaded()
    wanted = {name: recorded.get(name, "") for name in names_of(config.plugins)} | recorded
    faults = []
    for name, digest in wanted.items():
        if name not in here:
            faults.append(
                f"{run}: was made with parts of {name}, which a run's folder never loads by itself; give "
                f"the file with --plugin {name}"
            )
        elif digest and here[name] != digest:
            faults.append(
                f"{run}: was made with another {name} (SHA-256 {digest[:12]}…, this one has "
                f"{here[name][:12]}…); give the file as it was, or begin a new run"
            )
    if faults:
        raise ConfigError("\n".join(faults))


def recorded_parts(made_by: str) -> dict[str, str]:
    """Return SHA-256 by name of the sources that a build names."""
    try:
        parts = json.loads(made_by or "{}")
    except ValueError:
        return {}  # a damaged row: the chain of builds finds it
    if not isinstance(parts, dict):
        return {}
    return {k.removeprefix(_PREFIX): str(v) for k, v in parts.items() if k.startswith(_PREFIX)}
