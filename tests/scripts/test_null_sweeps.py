"""The study of sweeps that know nothing: it is seeded, and a correction only ever takes away."""

from __future__ import annotations

from scripts.null_sweeps import one, settings


def test_a_sweep_of_nothing_is_the_same_again_and_corrected_downwards() -> None:
    assert len(settings()) == 24
    found = [one(seed) for seed in range(4)]
    assert found[3] == one(3)
    assert all(deflated < plain for deflated, plain, _ in found)
    assert len({plain for _, plain, _ in found}) == 4
