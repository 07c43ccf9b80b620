"""SPACE.toml: what a search varies, how, and where it starts; every fault of it at once.

Rules: only what a comparison can tell apart may vary, over the base settings; a key that changes the labels,
the market or its costs is refused by name. Must not try anything.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.app.search.cadence import faults_of_cadence
from bot.app.search.dimensions import Dimension, as_set, dimension_of
from bot.app.study.splits import MOST_SPLITS
from bot.config import Config, flatten, load_config
from bot.config.faults import value_faults
from bot.config.given import read_toml, unknown_setting
from bot.config.needed_heads import BEYOND_FORECASTS
from bot.config.search import MINIMISED, OF_ACCOUNT, SearchSettings
from bot.config.whole import section_types
from bot.errors import ConfigError

TABLES = ("search", "space", "start")
SECTIONS = (
    "features", "targets", "model", "training", "retrain", "signal", "policy", "sizing", "risk", "execution",
)  # fmt: skip
_LABELS = "the labels would be others, and trials could not be held against one another"
REFUSED = {
    "features.window": _LABELS,
    "targets.horizons": _LABELS,
    "targets.decision_cost": _LABELS,
    "retrain.latency_bars": "the folds' own trainings would be due at other bars",
    "retrain.start": "it shifts trainings and makes none more often or seldom",
    "retrain.at_start": "each fold has a training at its start",
    "policy.rehearse": "a trial has the trainings of its folds and no others",
    "execution.price": "only a live run has quotes to fill at",
    **dict.fromkeys(("training.workers", "training.time_limit_s", "training.memory_limit_mb"),
                    "it changes no result"),
    **dict.fromkeys(BEYOND_FORECASTS, "a comparison trades the mean over the seeds, and knows no more of the models"),
}  # fmt: skip
OF_SECTION = {"costs": "what trading costs is not a choice"}
_ONE_TRAINING = (
    "a fold has one training, unless retrain_inside = true in [search] adds those due inside it"
)
SINGLE = "model.members=1"
"""As in a preset of `bot compare`: the seeds of a study are its ensemble."""


@dataclass(frozen=True)
class BaseSettings:
    """The settings that a search varies: a file, and what --set lays over it."""

    config_path: str | None
    sets: tuple[str, ...]

    def load(self, over: tuple[str, ...] = ()) -> Config:
        """Return the settings with others laid over.

        Raises:
            ConfigError: they make no sense together.
        """
        return load_config(self.config_path, [SINGLE, *self.sets, *over])


@dataclass(frozen=True)
class SearchSpace:
    """What a search tries.

    Attributes:
        name: of the file, and of the search's folder.
        starts: by key, settings to begin with, complete.
        default: the base's own values by key; None where one of them lies outside the space.
    """

    name: str
    search: SearchSettings
    dimensions: tuple[Dimension, ...]
    starts: tuple[Mapping[str, Any], ...]
    default: Mapping[str, Any] | None

    @property
    def minimised(self) -> tuple[bool, ...]:
        """Return of each objective whether less is better."""
        return tuple(name in MINIMISED for name in self.search.objectives)

    def sets(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return settings of this space as --set takes them."""
        return tuple(as_set(d.key, values[d.key]) for d in self.dimensions if d.key in values)

    def as_json(self) -> dict[str, Any]:
        """Return what makes one search another, as JSON values: not how long it goes on."""
        unsaid = {"trials", "minutes"} | (
            {"retrain_inside"} if not self.search.retrain_inside else set()
        )
        decides = self.search.model_dump(mode="json", exclude=unsaid)
        return {
            "search": decides,
            "space": {d.key: d.as_json() for d in self.dimensions},
            "start": [dict(start) for start in self.starts],
        }


def read_space(path: Path, base: Config) -> SearchSpace:
    """Read a space, and check every name, bound and start of it.

    Args:
        base: the settings that it is laid over.

    Raises:
        ConfigError: the file cannot be read, or what is wrong with it, a line each.
    """
    if not path.is_file():
        raise ConfigError(
            f"{path}: there is no such file; a space has the tables [search] and [space] (docs/how-to/search.md)"
        )
    content = read_toml(path)
    faults = [
        f"{path}: there is no table '{name}'{_close(name, TABLES)}"
        for name in content
        if name not in TABLES
    ]
    search = _search(content.get("search", {}), path, faults)
    dimensions = _dimensions(content, path, faults)
    own = flatten(base)
    placed = {d.key: d.place(own[d.key]) for d in dimensions}
    default = None if None in placed.values() else {d.key: d.value(placed[d.key]) for d in dimensions}  # fmt: skip
    starts = _starts(content.get("start", []), dimensions, own, path, faults)
    faults += faults_of_cadence(dimensions, own, f"{path} [space]")
    if search is not None:
        faults += _against(search, dimensions, path)
    if faults or search is None:
        raise ConfigError("\n".join(faults))
    return SearchSpace(path.stem, search, dimensions, starts, default)


def _search(given: Any, path: Path, faults: list[str]) -> SearchSettings | None:
    fields = tuple(SearchSettings.model_fields)
    if not isinstance(given, Mapping):
        faults.append(f"{path}: [search] is a table")
        return None
    unknown = [key for key in given if key not in fields]
    faults += [
        f"{path} [search]: there is no setting '{key}'{_close(key, fields)}" for key in unknown
    ]
    known = {key: value for key, value in given.items() if key in fields}
    try:
        made = SearchSettings.model_validate(known)
    except ValidationError as error:
        of_search = [{**each, "loc": ("search", *each["loc"])} for each in error.errors()]
        types = {"search": SearchSettings}
        origins = {f"search.{key}": str(path) for key in known}
        faults += value_faults(of_search, types, origins).values()
        return None
    doubles = {name for name in made.objectives if made.objectives.count(name) > 1}
    if doubles:
        faults.append(f"{path} [search]: objectives names {', '.join(sorted(doubles))} twice")
    return made


def _dimensions(content: Mapping[str, Any], path: Path, faults: list[str]) -> tuple[Dimension, ...]:
    where, made = f"{path} [space]", []
    given, search = content.get("space", {}), content.get("search", {})
    inside = isinstance(search, Mapping) and search.get("retrain_inside") is True
    if not isinstance(given, Mapping) or not given:
        faults.append(f"{where}: name at least one setting, as section.key = {{low = …, high = …}}")
        return ()
    flat = _flat(given)
    for key, value in flat.items():
        refusal = _refusal(key, inside=inside)
        if refusal:
            faults.append(f"{where}: {refusal}")
            continue
        dimension, wrong = dimension_of(key, value, where)
        faults += wrong
        if dimension is not None:
            made.append(dimension)
    return tuple(made)


def _flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by section.key, whether the file has dotted keys, quoted ones or a table a section."""
    types = section_types()
    flat: dict[str, Any] = {}
    for name, value in given.items():
        if name in types and isinstance(value, Mapping):
            flat |= {f"{name}.{key}": each for key, each in value.items()}
        else:
            flat[name] = value
    return flat


def _refusal(key: str, *, inside: bool) -> str:
    """Return why a key may not vary; empty where it may.

    Args:
        inside: whether models are trained inside folds.
    """
    section, _, name = key.partition(".")
    types = section_types()
    if section not in types or name not in types[section].model_fields:
        return unknown_setting(key)
    why = REFUSED.get(key) or OF_SECTION.get(section)
    if why is None and section == "retrain" and not inside:
        why = _ONE_TRAINING
    if why is None and name == "settings":
        why = "settings of a part of your own are tried by 'bot compare', a file each"
    if why is None and section not in SECTIONS:
        why = f"a search varies {', '.join(f'{s}.*' for s in SECTIONS)}"
    return f"{key} cannot vary: {why}" if why else ""


def _starts(
    given: Any, dimensions: tuple[Dimension, ...], own: Mapping[str, Any], path: Path, faults: list[str]
) -> tuple[Mapping[str, Any], ...]:  # fmt: skip
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        faults.append(f"{path}: a start is a table of its own, [[start]]")
        return ()
    by_key, made = {d.key: d for d in dimensions}, []
    for number, each in enumerate(given, 1):
        where, flat = f"{path} [[start]] {number}", _flat(each)
        foreign = [key for key in flat if key not in by_key]
        faults += [
            f"{where}: {key} is not in [space]{_close(key, tuple(by_key))}" for key in foreign
        ]
        values = {key: flat.get(key, own[key]) for key in by_key}
        placed = {key: by_key[key].place(value) for key, value in values.items()}
        faults += [
            f"{where}: {key} = {values[key]} lies outside its range or choices"
            + ("" if key in flat else "; it is the default, so name another")
            for key, at in placed.items()
            if at is None
        ]
        if not foreign and None not in placed.values():
            made.append({key: by_key[key].value(at) for key, at in placed.items()})
    return tuple(made)


def _against(
    search: SearchSettings, dimensions: tuple[Dimension, ...], path: Path
) -> list[str]:  # fmt: skip
    """Return what the cut and the sampler cannot do with this space."""
    return [*_against_cut(search, path), *_against_sampler(search, dimensions, path)]


def _against_cut(search: SearchSettings, path: Path) -> list[str]:
    if search.cv != "combinatorial":
        return []
    n, k, faults = search.groups, search.test_groups, list[str]()
    if search.retrain_inside:
        faults.append(
            f"{path} [search]: cv = 'combinatorial' has no order of time in which models could be trained anew; take "
            "'walk-forward', or leave out retrain_inside"
        )
    if k >= n:
        faults.append(
            f"{path} [search]: test_groups = {k} of groups = {n} leave nothing to train on; give fewer"
        )
    elif math.comb(n, k) > MOST_SPLITS:
        faults.append(
            f"{path} [search]: groups = {n}, test_groups = {k} are {math.comb(n, k):,} trainings a trial and seed, at most "
            f"{MOST_SPLITS:,} are made"
        )
    skills = [name for name in search.objectives if name not in OF_ACCOUNT]
    if skills:
        faults.append(
            f"{path} [search]: cv = 'combinatorial' judges accounts, and has no {', '.join(skills)}; take "
            "'walk-forward'"
        )
    return faults


def _against_sampler(
    search: SearchSettings, dimensions: tuple[Dimension, ...], path: Path
) -> list[str]:
    if search.sampler != "cmaes":
        return []
    start, faults = f"{path} [search]: sampler = 'cmaes'", []
    if len(search.objectives) > 1:
        faults.append(f"{start} seeks one objective, not {len(search.objectives)}; take 'tpe'")
    listed = [d.key for d in dimensions if d.choices]
    if listed:
        faults.append(f"{start} knows ranges only, and {', '.join(listed)} has choices; take 'tpe'")
    if len(dimensions) < 2:
        faults.append(f"{start} needs two settings or more in [space]; take 'tpe'")
    return faults


def _close(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there is {', '.join(known)}" if known else ""
