"""The members' disagreement in sizing: in a backtest, live, proved, and refused where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.adapters.files.models import load_model
from bot.app.loop.forecasters import TableForecaster, forecaster_of
from bot.app.verify.proof import verify
from bot.blocks import FeatureBlock
from bot.errors import ModelError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.timegrid import HOUR_MS
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal

if TYPE_CHECKING:
    from tests.conftest import Ran, RunIt

SIZED = [
    "model.members=3", "synthetic.bars=700", "synthetic.missing=0.05", "signal.threshold=0.0",
    "sizing.method=proportional", "sizing.rebalance_band=0.0", "sizing.max_weight=10",
    "risk.max_symbol_weight=0", "risk.max_gross=0",
]  # fmt: skip
PENALTY = "sizing.disagreement_penalty=1.5"


@pytest.fixture(scope="module")
def careful(run_it: RunIt) -> Ran:
    return run_it(*SIZED, PENALTY)


def decisions(ran: Ran) -> dict[str, np.ndarray]:
    reader = ran.reader()
    times, _ = reader.ledger()
    found, _ = reader.decisions(times)
    forecast, _ = reader.forecasts(times)
    reader.close()
    return {"times": times, "forecast": forecast, **found}


def test_a_weight_is_shrunk_by_the_rule(careful: Ran, run_it: RunIt) -> None:
    bold = run_it(*SIZED)
    assert [m[0] for m in bold.models()] == [m[0] for m in careful.models()]
    mine, theirs = decisions(careful), decisions(bold)
    np.testing.assert_array_equal(mine["signal"], theirs["signal"])
    # the rule with the disagreement of the models, asked again
    config = careful.config
    pipeline = FeaturePipeline(config.features, careful.market.symbols, HOUR_MS)
    _, features = pipeline.advance(pipeline.initial(), careful.market.bars)
    n = careful.market.start_index + np.arange(len(mine["times"]))
    expected = np.full(mine["weight"].shape, np.nan)
    starts = [m[1] for m in careful.models()]
    for k, (model_id, start, _) in enumerate(careful.models()):
        trained, manifest = load_model(careful.folder.models, model_id)
        asked = forecaster_of(
            trained, manifest["features"], pipeline.names, target_tasks(config.targets), model_id
        )
        value, disagreement = asked.forecast_with_disagreement(
            careful.market.bars.open_time, features
        )
        r, doubt = np.abs(value[n, :, 0]), disagreement[n, :, 0]
        assert np.nanmin(doubt) > 0.0
        end = starts[k + 1] if k + 1 < len(starts) else np.inf
        here = (mine["times"] >= start) & (mine["times"] < end)
        expected[here] = (theirs["weight"] * r / (r + 1.5 * doubt))[here]
    both = np.isfinite(mine["weight"]) & np.isfinite(expected)
    assert both.sum() > 300
    np.testing.assert_allclose(mine["weight"][both], expected[both], rtol=1e-12)


def test_it_is_proved_and_blocks_change_nothing(careful: Ran, run_it: RunIt) -> None:
    verdict = verify(careful.folder)
    assert verdict.identical, verdict.difference
    assert verdict.fills > 50
    for block in (1, 97):
        again = run_it(*SIZED, PENALTY, f"run.block_bars={block}")
        assert again.done.ledger_sha256 == careful.done.ledger_sha256


def test_a_life_with_a_penalty_is_proved(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(
        tmp_path / "run", "model.members=2", PENALTY, "training.time_limit_s=1e6"
    )
    rehearsal.run(1)
    rehearsal.run(70, begin_ms=rehearsal.begin_ms + HOUR_MS, pool=PoolHere())
    proof = prove(rehearsal.folder, rehearsal.source)
    assert len(proof.models) >= 2
    assert len(proof.fills) > 20


def test_what_has_no_disagreement_is_refused(short: Ran) -> None:
    features = FeatureBlock(np.zeros((1, 3, 0)), np.ones((1, 3), dtype=np.bool_))
    times = np.zeros(1, dtype=np.int64)
    with pytest.raises(ModelError, match="forecasts from a table have no disagreement"):
        TableForecaster(times, np.zeros((1, 3, 4))).forecast_with_disagreement(times, features)
    model_id = short.models()[0][0]
    trained, manifest = load_model(short.folder.models, model_id)
    names = tuple(manifest["features"])
    single = forecaster_of(trained, names, names, trained.tasks, model_id)
    with pytest.raises(ModelError, match="is a single network and has no disagreement"):
        single.forecast_with_disagreement(times, features)


def test_the_head_of_the_signal_is_asked_how_sure_it_is(run_it: RunIt) -> None:
    decided = [
        *SIZED, "signal.source=decision",
        "targets.kinds=return,direction,volatility,volume,decision",
    ]  # fmt: skip
    bold, mild = decisions(run_it(*decided)), decisions(careful := run_it(*decided, PENALTY))
    shrunk = mild["weight"] / bold["weight"]
    shrunk = shrunk[np.isfinite(shrunk)]
    assert len(shrunk) > 300
    assert shrunk.min() > 0.0
    assert shrunk.max() < 1.0
    assert verify(careful.folder).identical
