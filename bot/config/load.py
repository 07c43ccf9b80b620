"""Load the settings: one TOML file, then BOT_SECTION__KEY, then --set, each over the one before.

Owns `Config` and the words of its errors. Rules: a missing file, an unknown key or variable and an
impossible combination are refused with the key and the fix, all at once; nothing is ignored in silence.

Over 300 lines: what is given, where it came from and what is wrong with it are said in one place, so
that all faults can be told at once; the words of single values and combinations lie apart.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import tomli_w
from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.config import schema as s
from bot.config.checks import combination_faults
from bot.config.faults import value_faults
from bot.config.parts import settings_faults, unknown_parts
from bot.config.renamed import refusal_of, translated
from bot.errors import ConfigError
from bot.parts.plugins import PACKAGE, load_plugins

PREFIX = "BOT_"
PLUGINS = "plugins"
"""The one setting that stands in no section."""


class Config(BaseSettings):
    """All settings of a run, frozen."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__"
    )

    plugins: tuple[str, ...] = Field(
        (),
        description="Files with parts of your own, as paths from this file's folder, and 'package:NAME' "
        "for those of an installed package (docs/extending.md).",
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
    policy: s.Policy = Field(default_factory=s.Policy)
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


class SettingsError(ConfigError):
    """Settings are refused, a line each; `sound` is what the others make, for further checks."""

    def __init__(self, faults: Sequence[str], sound: Config) -> None:
        super().__init__("\n".join(faults))
        self.sound = sound

    def names_one_of_mine(self, fault: str) -> bool:
        """Return whether a fault found later speaks of a setting that is refused already."""
        keys = (key for key in flatten(self.sound) if _names(str(self), [key]))
        return _names(fault, keys)


def section_types() -> dict[str, type[s.Section]]:
    """Return the class of each section by its name, in the order of the file."""
    fields = Config.model_fields.items()
    return {k: cast(type[s.Section], f.annotation) for k, f in fields if k != PLUGINS}


def load_config(
    path: str | Path | None = None,
    sets: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    base: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    recorded: bool = False,
    old_names: bool = False,
) -> Config:
    """Load, merge and check the settings.

    Args:
        path: the TOML file; None means the defaults.
        sets: "section.key=value" from the command line, in TOML syntax or a bare word.
        environ: where BOT_SECTION__KEY is looked for; by default the process's environment.
        base: defaults of an embedded job, below the file.
        old_names: the file is that of the run that is to go on; its settings may have older names.
        recorded: the file is that of a run; what its combinations were accepted for is done, so a
            check that came later does not keep anyone from reading it; its settings may have older names,
            and the code that its `plugins` name is not run.

    Raises:
        ConfigError: the file cannot be read.
        SettingsError: keys, values or combinations are refused; a line each, with the fix.
    """
    given = _Given()
    given.merge(base or {}, "the embedded default")
    if path is not None:
        content = read_toml(path)
        given.merge(translated(content) if recorded or old_names else content, str(path))
    for name, text in sorted((os.environ if environ is None else environ).items()):
        key = setting_of_variable(name)
        if key is not None:
            given.put(key, text, f"the environment variable {name}")
    for item in sets:
        key, eq, text = item.partition("=")
        if eq:
            given.put(key.strip(), text.strip(), f"--set {item}")
        else:
            given.faults.append(
                f"--set {item}: expected section.key=value, for example costs.taker_fee=0.001"
            )
    config, faults = _checked(given, recorded=recorded)
    if faults:
        raise SettingsError(faults, config)
    return config


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
        close = difflib.get_close_matches(rest, flat, n=1, cutoff=0.9)
        if close:
            meant = f"{PREFIX}{flat[close[0]].upper()}"
            found.append(f"{given} is not read; did you mean {meant}?")
    return found


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file in UTF-8, with or without a byte order mark.

    Raises:
        ConfigError: it is missing, unreadable or not TOML.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot read the config file ({error.strerror}); 'bot config example > "
            "config.toml' makes one with every setting"
        ) from None
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not UTF-8 text (byte {error.start + 1}); save the file as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not a valid TOML file: {error}") from None


def to_toml(config: Config) -> str:
    """Return the settings in force as a TOML file that `load_config` reads back."""
    return tomli_w.dumps(config.model_dump(mode="json"))


def flatten(config: BaseModel) -> dict[str, Any]:
    """Return every setting by its dotted key."""
    sections = config.model_dump(mode="json")
    plugins = {PLUGINS: sections.pop(PLUGINS)} if PLUGINS in sections else {}
    return plugins | {
        f"{section}.{key}": value
        for section, values in sections.items()
        for key, value in values.items()
    }


class _Given:
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
            told = refusal_of(dotted) or f"unknown setting '{dotted}'; {_known(dotted)}"
            self.faults.append(f"{origin}: {told}")
            return None
        return types[section].model_fields[key]


def _checked(given: _Given, *, recorded: bool = False) -> tuple[Config, list[str]]:
    """Return the settings and every fault; of combinations those whose keys are sound."""
    sound = {k: v if k == PLUGINS else dict(v) for k, v in given.values.items()}
    wrong: dict[str, str] = {}
    try:
        config = Config(**cast(Any, sound))
    except ValidationError as error:
        wrong = value_faults(error.errors(), section_types(), given.origins)
        config = _without(sound, wrong)
    faults = [*given.faults, *wrong.values()]
    if recorded:
        return config, faults
    of_parts, unknown = _of_parts(config, given)
    # what a setting means is asked of its part, so a part that is not there must be gone by then
    config = _without(sound, unknown)
    of_combinations = [
        line for line in combination_faults(config) if not _names(line, wrong | unknown)
    ]
    return config, [*faults, *of_combinations, *of_parts]


def _without(sound: dict[str, Any], wrong: Mapping[str, Any]) -> Config:
    """Take refused settings out of the given ones, and return what the others make."""
    for dotted in wrong:
        section, _, key = dotted.partition(".")
        del (sound[section] if key else sound)[key or section]
    return Config(**cast(Any, sound))


def _of_parts(config: Config, given: _Given) -> tuple[list[str], dict[str, str]]:
    """Load the files of parts.

    Returns:
        A line for each fault of theirs, and of parts in settings; and the settings that name a part
        that is not there, which is no fault of theirs where a file did not load.
    """
    loading: list[str] = []
    try:
        load_plugins(config.plugins)
    except ConfigError as error:
        loading = [str(error)]
    unknown = value_faults(unknown_parts(config), section_types(), given.origins)
    return loading or [*unknown.values(), *settings_faults(config)], unknown


def _from_folder(paths: Any, folder: Path) -> Any:
    """Return the paths of files of parts as absolute ones; what is no list is refused later."""
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        return paths
    return [
        p if p.startswith(PACKAGE) else str((folder / Path(p).expanduser()).resolve())
        for p in paths
    ]


def _names(line: str, keys: Iterable[str]) -> bool:
    """Return whether a fault speaks of one of these keys, which have a fault of their own."""
    return any(re.search(rf"\b{re.escape(key)}\b", line) for key in keys)


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _known(dotted: str) -> str:
    names = [f"{name}.{key}" for name, t in section_types().items() for key in t.model_fields]
    by_key = [name for name in names if name.partition(".")[2] == dotted.rpartition(".")[2]]
    close = by_key[:3] or difflib.get_close_matches(dotted, names, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    return "'bot config schema' lists every setting"
