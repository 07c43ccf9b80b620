"""A setting that a search varies: a range of numbers or a list of choices, within what the setting may be.

Rules: a choice is any value the setting takes, a whole list too; what the schema refuses is refused before
anything is tried. Must not know what proposes values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from bot.config import Config
from bot.config.faults import value_faults
from bot.config.parts import unknown_parts
from bot.config.whole import section_types

RANGE = ("low", "high", "log", "step")
NEAR = 1e-9
"""Share of a step by which a value may miss its grid: sums of floats."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A setting and what it may be in a search.

    Attributes:
        key: section.key.
        low, high: the ends of a range, both in it; None of choices.
        step: between the values of a range; None of a continuous one.
        log: whether even ratios are as likely.
        whole: whether the setting is a whole number.
        choices: values as given; empty of a range.
        meant: the same as the settings have them, a set's name written out.
    """

    key: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    whole: bool = False
    choices: tuple[Any, ...] = ()
    meant: tuple[Any, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the choices in words, each another."""
        return tuple(label_of(value) for value in self.choices)

    def place(self, value: Any) -> Any:
        """Return a setting's value as a sampler has it: a number, or a choice's label; None outside.

        Args:
            value: as given, or as settings have it in JSON.
        """
        if self.choices:
            for known in (self.choices, self.meant):
                if value in known:
                    return self.labels[known.index(value)]
            return None
        if type(value) not in (int, float) or self.low is None or self.high is None:
            return None
        if not self.low <= value <= self.high:
            return None
        if self.step is not None:
            steps = (value - self.low) / self.step
            if abs(steps - round(steps)) > NEAR:
                return None
        return int(value) if self.whole else float(value)

    def value(self, placed: Any) -> Any:
        """Return the setting's value from what a sampler has."""
        return self.choices[self.labels.index(placed)] if self.choices else placed

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values, as the file has it."""
        if self.choices:
            return {"choices": list(self.choices)}
        return {name: getattr(self, name) for name in RANGE}


def label_of(value: Any) -> str:
    """Return a choice in words: a text as it is, all else as JSON.

    >>> label_of("mlp"), label_of([64, 32]), label_of(True)
    ('mlp', '[64, 32]', 'true')
    """
    return value if isinstance(value, str) else json.dumps(value)


def as_set(key: str, value: Any) -> str:
    """Return what --set takes for a value.

    >>> as_set("training.weights", {"return": 0.5}), as_set("features.names", "core")
    ('training.weights={"return" = 0.5}', 'features.names="core"')
    """
    return f"{key}={_toml(value)}"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(k))} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return repr(value) if type(value) is float else json.dumps(value, ensure_ascii=False)


def dimension_of(key: str, given: Any, where: str) -> tuple[Dimension | None, list[str]]:
    """Return what a key of the file asks for, and every fault of it.

    Args:
        key: a setting that may vary.
        where: the file and its table, for faults.
    """
    start = f"{where} {key}"
    if not isinstance(given, Mapping) or not given:
        return None, [f"{start}: expected {{low = …, high = …}} or {{choices = […]}}"]
    unknown = [name for name in given if name not in (*RANGE, "choices")]
    if unknown:
        return None, [
            f"{start}: there is no {unknown[0]!r}; a range has low, high, log and step, else choices"
        ]
    if "choices" in given:
        if len(given) > 1:
            return None, [f"{start}: give choices, or a range with low and high, not both"]
        return _choices(key, given["choices"], start)
    return _range(key, given, start)


def _choices(key: str, given: Any, start: str) -> tuple[Dimension | None, list[str]]:
    if not isinstance(given, list) or len(given) < 2:
        return None, [f"{start}: choices is a list of two values or more"]
    if len({label_of(each) for each in given}) < len(given):
        return None, [f"{start}: a choice comes twice"]
    meant = [setting_value(key, each, start) for each in given]
    faults = [fault for _, fault in meant if fault]
    made = Dimension(key, choices=tuple(given), meant=tuple(value for value, _ in meant))
    return (None if faults else made), faults


def _range(key: str, given: Mapping[str, Any], start: str) -> tuple[Dimension | None, list[str]]:
    kind = _schema(key).get("type")
    if kind not in ("integer", "number"):
        return None, [f"{start}: is no number; give choices = […]"]
    whole = kind == "integer"
    numbers = {name: given.get(name) for name in ("low", "high", "step")}
    faults = [
        f"{start}: {name} = {value!r}: expected a {'whole' if whole else 'finite'} number"
        for name, value in numbers.items()
        if (value is not None or name != "step") and not _is_number(value, whole=whole)
    ]
    log = given.get("log", False)
    if not isinstance(log, bool):
        faults.append(f"{start}: log = {log!r}: expected true or false")
    if faults:
        return None, faults
    low, high, step = numbers["low"], numbers["high"], numbers["step"]
    assert low is not None
    assert high is not None
    if not low < high:
        faults.append(f"{start}: low = {low} is not below high = {high}")
    if log and low <= 0:
        faults.append(f"{start}: even ratios begin above 0; raise low, or leave out log")
    if log and step is not None:
        faults.append(f"{start}: give log or step, not both")
    if step is not None and not (step > 0 and abs(round((high - low) / step) * step - (high - low)) <= NEAR * step):  # fmt: skip
        faults.append(f"{start}: steps of {step} do not lead from {low} to {high}")
    faults += [fault for _, fault in (setting_value(key, end, start) for end in (low, high)) if fault]  # fmt: skip
    made = Dimension(key, low=low, high=high, step=step, log=log, whole=whole)
    return (None if faults else made), faults


def _is_number(value: Any, *, whole: bool) -> bool:
    return type(value) is int or (not whole and type(value) is float and math.isfinite(value))


def _schema(key: str) -> Mapping[str, Any]:
    section, _, name = key.partition(".")
    found: Mapping[str, Any] = section_types()[section].model_json_schema()["properties"][name]
    return found


def setting_value(key: str, value: Any, where: str) -> tuple[Any, str]:
    """Return a value as the settings have it in JSON, and what the schema has against it, empty for nothing."""
    section, _, name = key.partition(".")
    types = section_types()
    if _schema(key).get("type") == "array" and isinstance(value, str):
        value = [value]  # as --set takes it
    try:
        made = types[section].model_validate({name: value})
    except ValidationError as error:
        found = [{**each, "loc": (section, *each["loc"])} for each in error.errors()]
        return None, value_faults(found, types, {key: where}, of_change=True)[key]
    unknown = value_faults(
        unknown_parts(Config(**cast(Any, {section: made}))), types, {key: where}, of_change=True
    )
    return made.model_dump(mode="json")[name], unknown.get(key, "")
