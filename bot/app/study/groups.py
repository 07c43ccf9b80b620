"""What as few networks as the bot trades come to: groups of a study's seeds.

A study averages all its seeds, which says least about luck; a bot averages `model.members`. Seeds are
trained apart, as members are, so the mean figure of groups of so many is what such a bot may expect.
Rules: groups do not overlap; seeds that do not fill a group are left out. Must not train or measure.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.config.schema import Model
from bot.report.study.endpoints import Endpoint


def groups_of(seeds: Sequence[int]) -> list[list[int]]:
    """Return the seeds in groups of as many as the bot has members by default; none where all are one.

    >>> [len(group) for group in groups_of(range(10))] == [Model().members] * (10 // Model().members)
    True
    """
    size = Model().members
    if len(seeds) <= size:
        return []
    return [list(seeds[k : k + size]) for k in range(0, len(seeds) - size + 1, size)]


def mean_of_groups(measured: Sequence[Sequence[Endpoint]]) -> dict[str, float]:
    """Return each endpoint's mean over groups; nothing where there is none."""
    found: dict[str, list[float]] = {}
    for endpoints in measured:
        for e in endpoints:
            found.setdefault(e.name, []).append(e.value)
    return {name: sum(values) / len(values) for name, values in found.items()}
