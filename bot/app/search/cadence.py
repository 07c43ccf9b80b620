"""How often models are trained inside folds, where a search varies that: which settings of it make sense.

Rules: a setting that no trial reads is refused, and so is, before anything is tried, the most often that a space
allows, where that is too often. Must not try anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.app.search.dimensions import Dimension
from bot.app.study.data import Study
from bot.app.study.walk import READ_BY
from bot.config.schema import Retrain

TRIGGER = "retrain.trigger"


def faults_of_cadence(
    dimensions: Sequence[Dimension], own: Mapping[str, Any], where: str
) -> list[str]:
    """Return what cannot be varied of how often models are trained, a line each.

    Args:
        own: the base settings by key.
        where: the file and its table.
    """
    by_key, faults = {d.key: d for d in dimensions}, []
    triggers = by_key[TRIGGER].choices if TRIGGER in by_key else (own[TRIGGER],)
    if TRIGGER in by_key and "never" in triggers:
        faults.append(
            f"{where} {TRIGGER}: 'never' trains at the start of each fold here and nowhere else, which no run does; leave it out"
        )
    unread = [key for trigger, key in READ_BY.items() if key in by_key and trigger not in triggers]
    faults += [
        f"{where}: {key} varies, and no trial reads it: {TRIGGER} is {' or '.join(map(repr, triggers))}"
        for key in unread
    ]
    return faults


def check_cadences(dimensions: Sequence[Dimension], study: Study) -> None:
    """Refuse a space of which a trial would train too often inside a fold, or never.

    Args:
        study: of the base settings.

    Raises:
        ConfigError: with that cadence.
    """
    study.check_inside()
    (base,) = study.contenders
    for retrain in _most_often({d.key: d for d in dimensions}, base.config.retrain):
        config = base.config.model_copy(update={"retrain": retrain})
        study.over([replace(base, name="[space]", config=config)]).check_inside()


def _most_often(by_key: Mapping[str, Dimension], base: Retrain) -> Iterator[Retrain]:
    """Yield of each trigger the cadence that trains most often; of cron, whose lines have no order, all."""
    for trigger in _values(by_key, TRIGGER, base):
        if trigger not in READ_BY:
            continue  # the base's own, which is refused as such
        key = READ_BY[trigger]
        values = _values(by_key, key, base)
        for value in values if trigger == "cron" else [min(values)]:
            yield base.model_copy(update={"trigger": trigger, key.partition(".")[2]: value})


def _values(by_key: Mapping[str, Dimension], key: str, base: Retrain) -> list[Any]:
    """Return what a setting may be, of a range its low end."""
    dimension = by_key.get(key)
    if dimension is None:
        return [getattr(base, key.partition(".")[2])]
    return list(dimension.choices) or [dimension.low]
