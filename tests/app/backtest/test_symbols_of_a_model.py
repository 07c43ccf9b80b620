"""A model that knows the symbols, in a run: proved, cut in any way, and met by a further symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.app.runs.borrow import read_recorded
from bot.app.runs.results import read_run
from bot.app.verify.proof import verify

if TYPE_CHECKING:
    from tests.conftest import Ran, RunIt

KNOWING = ("model.heads=per_symbol", "model.symbol_embedding=2", "signal.threshold=0.0")


@pytest.fixture(scope="module")
def knowing(run_it: RunIt) -> Ran:
    return run_it(*KNOWING)


def test_a_run_is_proved_and_the_same_however_it_is_cut(knowing: Ran, run_it: RunIt) -> None:
    verdict = verify(knowing.folder)
    assert verdict.identical, verdict.difference
    assert verdict.fills > 20
    assert run_it(*KNOWING, "run.block_bars=7").done.ledger_sha256 == knowing.done.ledger_sha256


def test_knowing_the_symbol_is_among_what_is_judged(knowing: Ran) -> None:
    for model in read_run(knowing.folder).models:
        assert model.insight is not None
        assert model.insight.features[-1] == "symbol"
        assert len(model.insight.features) == len(model.insight.importance)


def test_a_symbol_added_later_is_traded_by_the_shared_part(knowing: Ran, run_it: RunIt) -> None:
    n = len(knowing.market.symbols)
    more = run_it(
        *KNOWING, f"synthetic.symbols={n + 1}", "retrain.trigger=never",
        schedule=read_recorded(knowing.folder),
    )  # fmt: skip
    forecast = read_run(more.folder).forecast
    assert forecast is not None
    assert np.isfinite(forecast.value[:, n]).any()
    assert verify(more.folder).identical
