"""What is given: values by section and key, where each came from, and what cannot be a setting at all.

Rules: each source over the one before; an unknown key is a fault with the close ones, and nothing is
ignored in silence. Must not judge a value: its section's schema does.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from bot.config.ready import ready_names
from bot.config.renamed import refusal_of
from bot.config.whole import PLUGINS, PREFIX, section_types
from bot.errors import ConfigError
from bot.parts.plugins import PACKAGE


def setting_of_variable(name: str) -> str | None:
    """Return the dotted key that an environment variable gives, None where it is another program's.

    >>> setting_of_variable("BOT_COSTS__TAKER_FEE"), setting_of_variable("BOT_TOKEN")
    ('costs.taker_fee', None)
    """
    if not name.startswith(PREFIX) or "__" not in name:
        return None
    return name.removeprefix(PREFIX).lower().replace("__", ".")


def stray_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a warning for each variable that is not read but looks like a misspelt setting.

    >>> stray_variables({"BOT_COSTS_TAKER_FEE": "0", "bot_run__seed": "1", "BOT_TOKEN": "x"})
    ['BOT_COSTS_TAKER_FEE is not read; did you mean BOT_COSTS__TAKER_FEE?', 'bot_run__seed is not read; did you mean BOT_RUN__SEED?']
    """
    names = [
        f"{section}__{key}" for section, t in section_types().items() for key in t.model_fields
    ]
    flat = {name.replace("__", "_"): name for name in names}
    found = []
    for given in sorted(environ):
        if not given.upper().startswith(PREFIX) or setting_of_variable(given) is not None:
            continue
        rest = given[len(PREFIX) :].lower().replace("__", "_")
        if rest == PLUGINS:
            found.append(
                f"{given} is not read; give plugins in the settings file, or --set plugins=…"
            )
            continue
        if rest in section_types():
            found.append(f"{given} is not read: it names a section; add a key, {given}__KEY")
            continue
        close = difflib.get_close_matches(rest, flat, n=1, cutoff=0.9)
        if close:
            meant = f"{PREFIX}{flat[close[0]].upper()}"
            found.append(f"{given} is not read; did you mean {meant}?")
    return found


def parsed_toml(text: str) -> dict[str, Any]:
    """Parse TOML; the same text again costs a copy, since a run's settings are read at every look.

    Raises:
        tomllib.TOMLDecodeError: it is not TOML.
    """
    return deepcopy(_parsed(text))


_parsed = lru_cache(maxsize=32)(tomllib.loads)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file in UTF-8, with or without a byte order mark.

    Raises:
        ConfigError: it is missing, unreadable or not TOML.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        stem = Path(path).stem
        makes = (
            f"'bot config example {stem} > {stem}.toml' writes the ready one of this name"
            if stem in ready_names()
            else "'bot config example > config.toml' makes one with every setting"
        )
        raise ConfigError(
            f"{path}: cannot read the config file ({error.strerror}); {makes}"
        ) from None
    try:
        return parsed_toml(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not UTF-8 text (byte {error.start + 1}); save the file as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not a valid TOML file: {error}") from None


class GivenSettings:
    """The values given so far, by section and key, where each came from, and what was refused."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.origins: dict[str, str] = {}
        self.faults: list[str] = []

    def merge(self, given: Mapping[str, Any], origin: str) -> None:
        """Take the sections of a file."""
        for section, values in given.items():
            if section == PLUGINS:
                self.values[PLUGINS] = _from_folder(values, Path(origin).parent)
                self.origins[PLUGINS] = origin
                continue
            if not isinstance(values, Mapping):
                self.faults.append(
                    f"{origin}: '{section}' stands outside a section; {_known(section)}"
                )
                continue
            for key, value in values.items():
                if self._field(f"{section}.{key}", origin) is not None:
                    self._keep(section, key, value, origin)

    def put(self, dotted: str, text: str, origin: str) -> None:
        """Take a value in TOML syntax, or a bare word."""
        if dotted == PLUGINS:
            paths = (
                _literal(text)
                if text.startswith("[")
                else [p.strip() for p in text.split(",") if p]
            )
            self.merge({PLUGINS: paths}, origin)
            return
        field = self._field(dotted, origin)
        if field is None:
            return
        section, _, key = dotted.partition(".")
        if "tuple" in str(field.annotation) and not text.startswith("["):
            value: Any = [_literal(part.strip()) for part in text.split(",") if part.strip()]
        elif field.annotation is str:
            value = _literal(text) if text[:1] in {'"', "'"} else text
        else:
            value = _literal(text)
        self._keep(section, key, value, origin)

    def _keep(self, section: str, key: str, value: Any, origin: str) -> None:
        self.values.setdefault(section, {})[key] = value
        self.origins[f"{section}.{key}"] = origin

    def _field(self, dotted: str, origin: str) -> FieldInfo | None:
        """Return what the schema has of a key; None where it has nothing, which is a fault."""
        section, dot, key = dotted.partition(".")
        types = section_types()
        if not dot or section not in types or key not in types[section].model_fields:
            self.faults.append(f"{origin}: {unknown_setting(dotted)}")
            return None
        return types[section].model_fields[key]


def _from_folder(paths: Any, folder: Path) -> Any:
    """Return the paths of files of parts as absolute ones; what is no list is refused later."""
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        return paths
    return [
        p if p.startswith(PACKAGE) else str((folder / Path(p).expanduser()).resolve())
        for p in paths
    ]


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def unknown_setting(dotted: str) -> str:
    """Return what to say of a key that is no setting: its new name, or the ones that are close.

    >>> unknown_setting("policy.cost_multple")
    "unknown setting 'policy.cost_multple'; did you mean policy.cost_multiple?"
    """
    if refusal := refusal_of(dotted):
        return refusal
    return f"unknown setting '{dotted}'; {_known(dotted)}"


def _known(dotted: str) -> str:
    names = [f"{name}.{key}" for name, t in section_types().items() for key in t.model_fields]
    by_key = [name for name in names if name.partition(".")[2] == dotted.rpartition(".")[2]]
    close = by_key[:3] or difflib.get_close_matches(dotted, names, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    return "'bot config schema' lists every setting"


def sets_of(data: str | None, start: str | None, end: str | None, symbols: str | None) -> list[str]:
    """Return what --data, --from, --to and --symbols stand for, as --set takes it.

    >>> sets_of("data", None, "2024-01-31", "BTCUSDT,ETHUSDT")
    ['data.source=files', 'data.root=data', 'data.end=2024-01-31', 'market.symbols=BTCUSDT,ETHUSDT']
    """
    named = {"data.root": data, "data.start": start, "data.end": end, "market.symbols": symbols}
    given = [f"{key}={value}" for key, value in named.items() if value]
    return ["data.source=files", *given] if data else given
