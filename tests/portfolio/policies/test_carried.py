"""What policies carry keeps its place for good: the journals of runs hold it."""

from __future__ import annotations

from bot.portfolio.policies import carried
from bot.portfolio.policies.carried import PolicyKind, width_of


def test_the_places_of_the_edge_policy_are_those_of_old_journals() -> None:
    places = (carried.AGE, carried.FUNDING_AT_MS, carried.FUNDING_PER_MS, carried.HALF_SPREAD)
    assert places == (0, 1, 2, 3)
    assert width_of(PolicyKind.EDGE, 24) == 4


def test_momentum_carries_a_count_and_its_closes_and_others_nothing() -> None:
    assert width_of(PolicyKind.MOMENTUM, 24) == 25
    for kind in (PolicyKind.THRESHOLD, PolicyKind.HYSTERESIS, PolicyKind.OWN):
        assert width_of(kind, 24) == 0
