"""A live run with `market.universe`: members by its journal, the same after a restart as without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.app.runs.heartbeat import read_heartbeat
from bot.timegrid import HOUR_MS
from bot.universe import Universe
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import Rehearsal

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

RULE = "market.universe=top 1 by turnover over 2 days"


def made(folder: Path, *sets: str) -> Rehearsal:
    return Rehearsal.make(
        folder, RULE, "synthetic.missing=0.0", "synthetic.seed=4", "data.history_bars=200", *sets
    )


@pytest.mark.parametrize("venue", ["bybit_linear", "bybit_inverse"])
def test_members_are_those_of_the_journals_bars_and_others_are_closed(
    tmp_path: Path, venue: str
) -> None:
    inverse, of_venue = venue == "bybit_inverse", f"market.venue={venue}"
    whole, parts = made(tmp_path / "whole", of_venue), made(tmp_path / "parts", of_venue)
    whole.run(150)
    begin = parts.begin_ms
    for n in (40, 3, 57, 50):
        begin = parts.run(n, begin_ms=begin) + 1
    proof, other = prove(whole.folder, whole.source), prove(parts.folder, parts.source)
    every = whole.source.block(0, 1000)
    rule = whole.config.market.rule
    assert rule is not None
    known = Universe(rule, HOUR_MS, [0, 0, 0], inverse=inverse).advance(every)
    at = np.searchsorted(every.open_time, proof.bars.open_time)
    np.testing.assert_array_equal(~proof.bars.leaving, known[at])
    assert len({tuple(row) for row in known[at].tolist()}) > 1, "members change"
    np.testing.assert_array_equal(other.bars.leaving, proof.bars.leaving[: len(other.bars)])
    (first, *later) = whole.events("universe_changed")
    assert (first["members"], len(first["joined"]), first["left"]) == (1, 1, [])
    assert later
    assert all(len(e["joined"]) == len(e["left"]) == 1 for e in later)
    for event in later:
        (left,) = event["left"]
        after = [
            e for e in whole.events("decision")
            if e["symbol"] == left and event["bar"] + HOUR_MS < e["bar"] < event["bar"] + 20 * HOUR_MS
        ]  # fmt: skip
        assert all(e["position"] == 0.0 for e in after)
    assert len(proof.fills) > 10
    beat = read_heartbeat(whole.folder.path)
    assert beat is not None
    s = int(np.flatnonzero(~proof.bars.leaving[-1])[0])
    assert beat.members == [whole.config.market.symbols[s]]


def test_what_was_missed_is_ranked_too(tmp_path: Path) -> None:
    rehearsal = made(tmp_path / "run")
    rehearsal.run(10)
    rehearsal.begin_ms += 100 * HOUR_MS
    rehearsal.run(5)
    proof = prove(rehearsal.folder, rehearsal.source)
    every = rehearsal.source.block(0, 1000)
    rule = rehearsal.config.market.rule
    assert rule is not None
    known = Universe(rule, HOUR_MS, [0, 0, 0]).advance(every)
    at = np.searchsorted(every.open_time, proof.bars.open_time)
    np.testing.assert_array_equal(~proof.bars.leaving, known[at])
