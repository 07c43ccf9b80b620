"""The search for targets that help: what is tried, what is kept, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.app.study.compare import StudyPlan
from bot.app.study.discover import BASE, candidates, discover, helps
from bot.errors import ConfigError
from bot.report.study.comparison import BETTER, WORSE, Comparison, PairedDifference


@pytest.fixture
def few(study_sets: list[str]) -> list[str]:
    return [*study_sets, 'targets.kinds=["return", "direction", "volatility"]']


def test_a_candidate_is_judged_on_the_bases_heads(
    tmp_path: Path, few: list[str], units_ran: list[str]
) -> None:
    tried = candidates(None, few, ["volume"])
    assert [c.name for c in tried] == [BASE, "volume"]
    assert tried[1].config.targets.kinds == ("return", "direction", "volatility", "volume")
    done = discover(tried, tmp_path, StudyPlan(2, 1, 1), lambda done, of: None)
    assert len(units_ran) == 4
    assert {(d.first, d.second) for d in done.comparison.differences} == {("volume", BASE)}
    assert not any("volume" in name for name in done.comparison.endpoints)
    assert sum(d.p_holm is not None for d in done.comparison.differences) == 3
    assert ("Kept: none" in done.text) == (not done.kept)
    assert (done.folder / "discover.json").exists()


@pytest.mark.parametrize(
    ("verdicts", "kept"),
    [((BETTER, ""), True), ((BETTER, WORSE), False), (("", ""), False), ((WORSE, ""), False)],
)
def test_kept_is_what_helps_one_head_and_harms_none(verdicts: tuple[str, str], kept: bool) -> None:
    found = tuple(
        PairedDifference(f"endpoint {k}", "extra", BASE, 0.1, 0.0, 0.2, 0.01, 0.02, verdict)
        for k, verdict in enumerate(verdicts)
    )
    assert helps(Comparison((BASE, "extra"), (), (), (), found, {}), "extra") == kept


def test_what_cannot_be_tried_is_refused(few: list[str]) -> None:
    with pytest.raises(ConfigError, match="'return' is no target beyond"):
        candidates(None, few, ["return"])
    with pytest.raises(ConfigError, match="'luck' is no target beyond"):
        candidates(None, few, ["luck"])
