"""Load the settings: one TOML file, then BOT_SECTION__KEY, then --set, each over the one before.

Rules: a missing file, an unknown key or variable and an
impossible combination are refused with the key and the fix, all at once; nothing is ignored in silence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from bot.config.checks import combination_faults
from bot.config.faults import value_faults
from bot.config.fitting import WEIGHTS
from bot.config.given import GivenSettings, read_toml, setting_of_variable
from bot.config.parts import settings_faults, unknown_parts
from bot.config.renamed import translated
from bot.config.whole import PLUGINS, Config, flatten, section_types
from bot.errors import ConfigError
from bot.parts.plugins import load_plugins


class SettingsError(ConfigError):
    """Settings are refused, a line each; `sound` is what the others make, for further checks."""

    def __init__(self, faults: Sequence[str], sound: Config) -> None:
        super().__init__("\n".join(faults))
        self.sound = sound

    def names_one_of_mine(self, fault: str) -> bool:
        """Return whether a fault found later speaks of a setting that is refused already."""
        keys = (key for key in flatten(self.sound) if _names(str(self), [key]))
        return _names(fault, keys)


def load_config(
    path: str | Path | None = None,
    sets: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    base: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    recorded: bool = False,
    old_names: bool = False,
    base_name: str = "the embedded default",
) -> Config:
    """Load, merge and check the settings.

    Args:
        path: the TOML file; None means the defaults.
        sets: "section.key=value" from the command line, in TOML syntax or a bare word.
        environ: where BOT_SECTION__KEY is looked for; by default the process's environment.
        base: defaults of an embedded job, below the file.
        base_name: where `base` comes from, as a fault in it is told.
        old_names: the file is that of the run that is to go on; its settings may have older names.
        recorded: the file is that of a run; what its combinations were accepted for is done, so a
            check that came later does not keep anyone from reading it; its settings may have older names,
            and the code that its `plugins` name is not run.

    Raises:
        ConfigError: the file cannot be read.
        SettingsError: keys, values or combinations are refused; a line each, with the fix.
    """
    given = GivenSettings()
    given.merge(base or {}, base_name)
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
    _imply(given)
    config, faults = _checked(given, recorded=recorded)
    if faults:
        raise SettingsError(faults, config)
    return config


def _imply(given: GivenSettings) -> None:
    """Set what others imply where it is not given.

    Seasonal features look as far ahead as the first horizon. On bars of a day the wide features would
    be ready after two years, so there the core ones are read. The reference backtest has its own
    policy; momentum alone, with sizes that need no forecast, has no use for a model, so none is
    trained unless a trigger is named. The default weights of losses are for the heads that there are,
    and for no other weighting.
    """
    values = given.values
    horizons = values.get("targets", {}).get("horizons")
    if isinstance(horizons, list) and horizons and isinstance(horizons[0], int):
        values.setdefault("features", {}).setdefault("seasonal_bars", horizons[0])
    if values.get("market", {}).get("interval") == "1d":
        values.setdefault("features", {}).setdefault("names", ["core"])
    _imply_weights(values)
    if values.get("costs", {}).get("reference") is True:
        values.setdefault("policy", {}).setdefault("kind", "threshold")
    momentum = values.get("policy", {}).get("kind") == "momentum"
    if momentum and values.get("sizing", {}).get("method", "fixed") == "fixed":
        retrain = values.setdefault("retrain", {})
        if "trigger" not in retrain:
            retrain |= {"trigger": "never", "at_start": retrain.get("at_start", False)}


def _imply_weights(values: dict[str, Any]) -> None:
    """Leave of the default weights what the other settings have a use for.

    A file of all settings has the defaults too, so they give way there as where none are given.
    """
    training, kinds = values.get("training", {}), values.get("targets", {}).get("kinds")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if training.get("weights", WEIGHTS) != WEIGHTS:
        return
    if training.get("weighting", "fixed") != "fixed":
        training["weights"] = {}
    elif isinstance(kinds, list) and not WEIGHTS.keys() <= set(kinds):
        left = {kind: weight for kind, weight in WEIGHTS.items() if kind in kinds}
        values.setdefault("training", {})["weights"] = left


def _checked(given: GivenSettings, *, recorded: bool = False) -> tuple[Config, list[str]]:
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
    if unknown:
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


def _of_parts(config: Config, given: GivenSettings) -> tuple[list[str], dict[str, str]]:
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


def _names(line: str, keys: Iterable[str]) -> bool:
    """Return whether a fault speaks of one of these keys, which have a fault of their own."""
    return any(re.search(rf"\b{re.escape(key)}\b", line) for key in keys)
