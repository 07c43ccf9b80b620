"""Groups of features: those of one idea, computed together over arrays of their own.

A group carries arrays from bar to bar and fills a row of all its features at once, so that what they
share is worked out once. Rules: what it carries has shapes that follow from the settings; a bar is
handled the same way whatever block it comes in; a value that is not known is NaN. Must not know what
a group computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, Arrays, BarBlock
from bot.config.schema import Features
from bot.parts.registry import Part, shipped
from bot.timegrid import NO_LIMIT_MS


@dataclass(frozen=True, slots=True)
class FeatureContext:
    """What a group may know of a run: the settings of features, S, and how long a bar lasts."""

    features: Features
    n_symbols: int
    interval_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Features that are computed together.

    Attributes:
        carry: makes the arrays before the first bar.
        advance: brings the arrays up to a block's end, in place, and fills float64[n, S, G], all
            features of the group in the order in which they were entered; NaN where a symbol has no bar.
        names: the features, G of them.
    """

    name: str
    carry: Callable[[FeatureContext], Arrays]
    advance: Callable[[FeatureContext, Arrays, BarBlock, F64], None]
    names: list[str] = field(default_factory=list)

    def enter(
        self, name: str, doc: str, bars: int | Callable[[FeatureContext], int], *, over: str = "symbol",
        needs: str = "", shorter_than_ms: int = NO_LIMIT_MS,
    ) -> None:  # fmt: skip
        """Enter the group's next feature.

        Args:
            bars: how many bars of a symbol it needs, itself the last, where none is missing; or a
                function that says so.
            needs: 'volume', 'funding' or 'mark' where it says nothing without.
            shorter_than_ms: it is left out where a bar lasts so long or longer.
        """
        facts = {"bars": bars, "over": over, "needs": needs, "shorter_than_ms": shorter_than_ms}
        shipped("feature", name, doc=doc, computed="group", **facts)(self)
        self.names.append(name)


class ChosenGroups:
    """The groups that a run's features are of.

    Attributes:
        names: the features that `advance` gives, in its order.
        warmup_bars: the bars that the slowest of them needs; 0 where there is none.
    """

    def __init__(self, chosen: Sequence[Part], given: FeatureContext) -> None:
        self._given = given
        self._groups: list[Group] = list(dict.fromkeys(part.made for part in chosen))
        of = {group.name: [p.name for p in chosen if p.made is group] for group in self._groups}
        self.names = [name for group in self._groups for name in of[group.name]]
        self._columns = [
            [group.names.index(name) for name in of[group.name]] for group in self._groups
        ]
        self.warmup_bars = max((_bars_of(part, given) for part in chosen), default=0)

    def carried(self) -> Arrays:
        """Return what is carried before the first bar, by the group's name and its own."""
        return {
            f"{group.name}.{name}": array
            for group in self._groups
            for name, array in group.carry(self._given).items()
        }

    def advance(self, arrays: Arrays, block: BarBlock) -> F64:
        """Return float64[n, S, F] of a block; the carried arrays are brought up to its end, in place."""
        x = np.empty((len(block), block.n_symbols, len(self.names)))
        at = 0
        for group, columns in zip(self._groups, self._columns, strict=True):
            mine = {
                name.removeprefix(f"{group.name}."): array
                for name, array in arrays.items()
                if name.startswith(f"{group.name}.")
            }
            filled = np.empty((*x.shape[:2], len(group.names)))
            group.advance(self._given, mine, block, filled)
            x[:, :, at : at + len(columns)] = filled[:, :, columns]
            at += len(columns)
        return x


def _bars_of(part: Part, given: FeatureContext) -> int:
    bars = part.facts["bars"]
    return int(bars(given) if callable(bars) else bars)


def columns_of(block: BarBlock, *names: str) -> list[npt.NDArray[Any]]:
    """Return columns of a block in the one layout that the kernels are compiled for."""
    return [np.require(getattr(block, name), requirements=["C", "W"]) for name in names]
