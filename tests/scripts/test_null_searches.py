"""The study of searches that know nothing: it is seeded, whole searches, and a correction only ever takes away."""

from __future__ import annotations

from functools import partial

import pytest
from scipy.stats import binom

from bot.config import load_config
from scripts.null_searches import BASE, Searched, counted, one

search = partial(one, trials=8, strength=0.0, sampler="tpe")


def test_a_search_of_nothing_is_the_same_again_and_corrected_downwards() -> None:
    first, again, other = search(3), search(3), search(4)
    assert (first.tried, first.deflated, first.plain) == (8, again.deflated, again.plain)
    assert first.finished == again.finished > 0
    assert all(each.deflated < each.plain for each in (first, other))
    assert first.plain != other.plain


def test_nothing_hides_a_false_alarm() -> None:
    """What costs money makes every setting lose, and the best of losers is called nothing."""
    config = load_config(None, BASE, {})
    costs = config.costs
    paid = (costs.taker_fee, costs.half_spread_bps, costs.slippage_bps, costs.impact)
    assert paid == (0.0, 0.0, 0.0, 0.0)
    assert not costs.funding
    assert config.portfolio.margin_mode == "none"


def test_the_upper_bound_is_where_so_few_would_be_seen_in_a_twentieth() -> None:
    found = [Searched(0.99 if k < 2 else 0.1, 0.96, 0.5, 100, finished=40, seconds=1.0) for k in range(50)]  # fmt: skip
    told = counted(found)
    assert told["share_deflated"] == pytest.approx(0.04)
    assert binom.cdf(2, 50, told["share_deflated_upper_95"]) == pytest.approx(0.05)
    assert (told["share_uncorrected"], told["share_uncorrected_upper_95"]) == (1.0, 1.0)
