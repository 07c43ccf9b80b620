"""The study of sweeps that know nothing: it is seeded, and a correction only ever takes away."""

from __future__ import annotations

from scripts.null_sweeps import one, settings


def test_a_sweep_of_nothing_is_the_same_again_and_corrected_downwards() -> None:
    assert len(settings()) == 24
    found = [one(seed) for seed in range(4)]
    assert found[3] == one(3)
    assert all(deflated < plain for deflated, plain, _ in found)
    assert len({plain for _, plain, _ in found}) == 4


def test_nothing_hides_a_false_alarm() -> None:
    """What costs money makes every setting lose, and the best of losers is called nothing."""
    for config in settings():
        costs = config.costs
        paid = (costs.taker_fee, costs.half_spread_bps, costs.slippage_bps, costs.impact)
        assert paid == (0.0, 0.0, 0.0, 0.0)
        assert not costs.funding
        assert config.portfolio.margin_mode == "none"
