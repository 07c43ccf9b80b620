"""All settings together: the sections by name, as one frozen object, and written out again.

Must not read a file or the environment: `load` does.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import tomli_w
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.config import schema as s
from bot.config.notify import Notify

PREFIX = "BOT_"
"""What the names of environment variables with settings begin with."""

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
    market: s.MarketSection = Field(default_factory=s.MarketSection)
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
    exchange: s.ExchangeSection = Field(default_factory=s.ExchangeSection)
    practice: s.Practice = Field(default_factory=s.Practice)
    report: s.Report = Field(default_factory=s.Report)
    log: s.Log = Field(default_factory=s.Log)
    notify: Notify = Field(default_factory=Notify)

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


@functools.cache
def section_types() -> Mapping[str, type[s.Section]]:
    """Return the class of each section by its name, in the order of the file."""
    fields = Config.model_fields.items()
    return MappingProxyType(
        {k: cast(type[s.Section], f.annotation) for k, f in fields if k != PLUGINS}
    )


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
