"""Load the settings: one TOML file, then BOT_SECTION__KEY, then --set, each over the one before.

Owns `Config` and the words of its errors. Rules: a missing file, an unknown key or variable and an
impossible combination are refused with the key and the fix; nothing is silently ignored.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import tomli_w
from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.config import sections as s
from bot.config.checks import check_combinations
from bot.errors import ConfigError

PREFIX = "BOT_"


class Config(BaseSettings):
    """All settings of a run, frozen."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__"
    )

    run: s.Run = Field(default_factory=s.Run)
    market: s.Market = Field(default_factory=s.Market)
    data: s.Data = Field(default_factory=s.Data)
    synthetic: s.Synthetic = Field(default_factory=s.Synthetic)
    features: s.Features = Field(default_factory=s.Features)
    targets: s.Targets = Field(default_factory=s.Targets)
    model: s.Model = Field(default_factory=s.Model)
    training: s.Training = Field(default_factory=s.Training)
    retrain: s.Retrain = Field(default_factory=s.Retrain)
    signal: s.Conviction = Field(default_factory=s.Conviction)
    sizing: s.Sizing = Field(default_factory=s.Sizing)
    risk: s.Risk = Field(default_factory=s.Risk)
    portfolio: s.Portfolio = Field(default_factory=s.Portfolio)
    costs: s.Costs = Field(default_factory=s.Costs)
    execution: s.Execution = Field(default_factory=s.Execution)
    exchange: s.Exchange = Field(default_factory=s.Exchange)
    practice: s.Practice = Field(default_factory=s.Practice)
    report: s.Report = Field(default_factory=s.Report)
    log: s.Log = Field(default_factory=s.Log)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values as merged by `load_config` only, so that their order is in one place."""
        return (init_settings,)


def section_types() -> dict[str, type[s.Section]]:
    """Return the class of each section by its name, in the order of the file."""
    return {k: cast(type[s.Section], f.annotation) for k, f in Config.model_fields.items()}


def load_config(
    path: str | Path | None = None,
    sets: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    base: Mapping[str, Mapping[str, Any]] | None = None,
) -> Config:
    """Load, merge and check the settings.

    Args:
        path: the TOML file; None means the defaults.
        sets: "section.key=value" from the command line, in TOML syntax or a bare word.
        environ: where BOT_SECTION__KEY is looked for; by default the process's environment.
        base: defaults of an embedded job, below the file.

    Raises:
        ConfigError: a file, key, value or combination is refused; the message has the fix.
    """
    merged: dict[str, dict[str, Any]] = {}
    _merge(merged, base or {}, "the embedded default")
    if path is not None:
        _merge(merged, read_toml(path), str(path))
    for name, text in sorted((os.environ if environ is None else environ).items()):
        if name.startswith(PREFIX) and name not in {"BOT_EXTRAS"}:
            key = name[len(PREFIX) :].lower().replace("__", ".")
            _put(merged, key, text, f"the environment variable {name}")
    for item in sets:
        key, eq, text = item.partition("=")
        if not eq:
            raise ConfigError(
                f"--set {item}: expected section.key=value, for example costs.taker_fee=0.001"
            )
        _put(merged, key.strip(), text.strip(), f"--set {item}")
    try:
        config = Config(**cast(Any, merged))
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None
    check_combinations(config)
    return config


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: it is missing, unreadable or not TOML.
    """
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot read the config file ({error.strerror}); copy config.example.toml there"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a valid TOML file: {error}") from None


def to_toml(config: Config) -> str:
    """Return the settings in force as a TOML file that `load_config` reads back."""
    return tomli_w.dumps(config.model_dump(mode="json"))


def flatten(config: BaseModel) -> dict[str, Any]:
    """Return every setting by its dotted key."""
    return {
        f"{section}.{key}": value
        for section, values in config.model_dump(mode="json").items()
        for key, value in values.items()
    }


def _merge(into: dict[str, dict[str, Any]], given: Mapping[str, Any], origin: str) -> None:
    for section, values in given.items():
        if not isinstance(values, Mapping):
            raise ConfigError(f"{origin}: '{section}' stands outside a section; {_known(section)}")
        for key, value in values.items():
            _lookup(f"{section}.{key}", origin)
            into.setdefault(section, {})[key] = value


def _put(into: dict[str, dict[str, Any]], dotted: str, text: str, origin: str) -> None:
    section, key, annotation = _lookup(dotted, origin)
    if "tuple" in str(annotation) and not text.startswith("["):
        value: Any = [_literal(part.strip()) for part in text.split(",") if part.strip()]
    elif annotation is str:
        value = _literal(text) if text[:1] in {'"', "'"} else text
    else:
        value = _literal(text)
    into.setdefault(section, {})[key] = value


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _lookup(dotted: str, origin: str) -> tuple[str, str, Any]:
    section, dot, key = dotted.partition(".")
    types = section_types()
    if not dot or section not in types or key not in types[section].model_fields:
        raise ConfigError(f"{origin}: unknown setting '{dotted}'; {_known(dotted)}")
    return section, key, types[section].model_fields[key].annotation


def _known(dotted: str) -> str:
    import difflib

    names = [f"{name}.{key}" for name, t in section_types().items() for key in t.model_fields]
    close = difflib.get_close_matches(dotted, names, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    return "'bot config schema' lists every setting"


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        dotted = ".".join(str(part) for part in item["loc"][:2])
        section, _, key = dotted.partition(".")
        field = (
            section_types()[section].model_fields.get(key) if section in section_types() else None
        )
        hint = f" ({field.description})" if field is not None and field.description else ""
        lines.append(f"{where} = {item['input']!r}: {item['msg']}{hint}")
    return "\n".join(lines)
