"""The parts in examples/, as docs/extending.md shows them: a whole backtest, and each by other means."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch

from bot.adapters.system.build import present_build
from bot.app.runs.results import read_run
from bot.app.training.archive import Archive
from bot.blocks import F64, BarBlock, Bool, Task
from bot.config import load_config
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import compute_targets, target_tasks
from bot.model.networks.encoders import build_encoder
from bot.model.training.weighting import build_weighting
from bot.parts import plugins
from bot.timegrid import HOUR_MS
from scripts.documents.blocks import ROOT

if TYPE_CHECKING:
    from tests.conftest import Cli, Ran, RunIt

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

MY_PARTS, SETTINGS = ROOT / "examples" / "my_parts.py", ROOT / "examples" / "config.toml"
QUICK = [
    "model.hidden=[16]", "model.head_hidden=8", "training.epochs=2", "training.batch_size=256",
    "training.min_rows=300", "training.window_bars=500", "synthetic.symbols=3",
    "synthetic.bars=900", "synthetic.missing=0.02", "synthetic.signal_strength=0.3",
    "training.learning_rate=0.01", "retrain.trigger=every_bars",
    "retrain.every_bars=250", "policy.settings={patient={cost_multiple=1.5}}", "report.bootstrap_samples=100",
    "costs.impact=0", "execution.max_participation=0",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def mine() -> Iterator[None]:
    """Load the file for these tests only: what is loaded is part of every run's build."""
    plugins.load_plugins([str(MY_PARTS)])
    yield
    plugins.unload(MY_PARTS.name)


@pytest.fixture(scope="module")
def ran(run_it: RunIt, mine: None) -> Ran:
    return run_it(quick=QUICK, path=SETTINGS)


def features_of(ran: Ran, bars: BarBlock, cuts: list[int]) -> F64:
    pipeline = FeaturePipeline(ran.config.features, ran.market.symbols, HOUR_MS)
    state, rows = pipeline.initial(), []
    for first, stop in zip([0, *cuts], [*cuts, len(bars)], strict=True):
        state, block = pipeline.advance(state, bars.rows(first, stop))
        rows.append(block.x)
    return np.concatenate(rows)


def test_the_run_trades_on_them_and_says_whose_they_are(ran: Ran) -> None:
    digest = hashlib.sha256(MY_PARTS.read_bytes()).hexdigest()
    assert len(ran.manifests()) >= 2
    for manifest in ran.manifests():
        assert manifest["parts"] == {"my_parts.py": digest}
        assert {"atr_14", "return_rank"} <= set(manifest["features"])
    assert digest in present_build().made_by
    reader = ran.reader()
    fills = reader.fills()
    reader.close()
    assert len(fills) > 20


def test_the_run_is_proved_with_the_file_and_not_without(ran: Ran, cli: Cli) -> None:
    assert cli("verify", ran.folder.path, "--plugin", MY_PARTS).code == 0
    plugins.unload(MY_PARTS.name)
    refused = cli("verify", ran.folder.path)
    plugins.load_plugins([str(MY_PARTS)])
    assert refused.code == 2
    assert "give the file with --plugin my_parts.py" in " ".join(refused.err.split())


@pytest.mark.parametrize("block_bars", [1, 61])
def test_any_blocks_give_the_same_ledger(run_it: RunIt, ran: Ran, block_bars: int) -> None:
    again = run_it(f"run.block_bars={block_bars}", quick=QUICK, path=SETTINGS)
    assert again.models() == ran.models()
    assert again.done.ledger_sha256 == ran.done.ledger_sha256


def test_the_features_by_pandas(ran: Ran) -> None:
    bars = ran.market.bars
    assert not bars.valid.all()
    x = features_of(ran, bars, [])
    np.testing.assert_array_equal(x, features_of(ran, bars, [1, 7, 15, 16, 400, 401]))
    names = ran.config.features.names
    close = pd.DataFrame(np.where(bars.valid, bars.close, np.nan))
    change = close / close.shift(12) - 1.0
    rank = (change.rank(axis=1, method="min") - 1.0).div(change.count(axis=1) - 1.0, axis=0) - 0.5
    for s in range(bars.n_symbols):
        own = pd.DataFrame({name: getattr(bars, name)[:, s] for name in ("high", "low", "close")})[
            bars.valid[:, s]
        ]
        before = own["close"].shift(1)
        true_range = pd.concat(
            [own["high"] - own["low"], (own["high"] - before).abs(), (own["low"] - before).abs()],
            axis=1,
        ).max(axis=1, skipna=False)
        atr = (true_range.rolling(14).mean() / own["close"]).reindex(range(len(bars))).to_numpy()
        ready: Bool = np.asarray(np.isfinite(x[:, s]).all(axis=1))
        assert ready.sum() > 700
        np.testing.assert_allclose(x[ready, s, names.index("atr_14")], atr[ready], rtol=1e-10)
        np.testing.assert_allclose(
            x[ready, s, names.index("return_rank")], rank[s].to_numpy()[ready], rtol=1e-12
        )
        has_all: Bool = np.isfinite(atr) & np.isfinite(rank[s].to_numpy())
        np.testing.assert_array_equal(ready[40:], has_all[40:])  # volatility is ready by then


def test_the_labels_by_pandas(ran: Ran) -> None:
    bars, horizon = ran.market.bars, 5
    settings = ran.config.targets.settings
    y, known = compute_targets(bars, [Task("dip", horizon)], 20, settings=settings)
    assert np.isin(y[np.isfinite(y)], [0.0, 1.0]).all()
    assert 0.05 < np.nanmean(y) < 0.95
    for s in range(bars.n_symbols):
        valid = pd.Series(bars.valid[:, s])
        low = pd.Series(bars.low[:, s]).where(valid)
        lowest = low.rolling(horizon).min().shift(-horizon)
        whole = valid.rolling(horizon + 1).sum().shift(-horizon) == horizon + 1
        dip = (lowest <= bars.close[:, s] * (1.0 - 0.005)).astype(float).where(whole)
        np.testing.assert_array_equal(y[:, s, 0], dip.to_numpy())
        assert (known[:-horizon, s, 0] == np.arange(len(bars))[horizon:]).all()


def test_a_run_learns_and_is_judged_by_the_labels_of_its_settings(ran: Ran) -> None:
    config, bars = ran.config, ran.market.bars
    tasks = target_tasks(config.targets)
    pipeline = FeaturePipeline(config.features, ran.market.symbols, HOUR_MS)
    archive = Archive(config, tasks)
    archive.extend(bars, pipeline.advance(pipeline.initial(), bars)[1])
    rows = archive.dataset(len(bars) - 1)
    window, cost = config.features.window, config.targets.decision_cost
    true = compute_targets(bars, tasks, window, cost, config.targets.settings)[0]
    dip = [task.kind for task in tasks].index("dip")
    np.testing.assert_array_equal(rows.y[:, dip], true[rows.bar, rows.symbol, dip])
    plain = compute_targets(bars, tasks, window, cost)[0][rows.bar, rows.symbol, dip]
    assert (np.isfinite(plain) & (plain != rows.y[:, dip])).any()
    judged = read_run(ran.folder).labels
    assert judged is not None
    np.testing.assert_array_equal(judged[-len(true) :, :, dip], true[-len(judged) :, :, dip])


def test_the_weighting_draws_by_torch_and_keeps_the_sum(ran: Ran) -> None:
    config = load_config(SETTINGS, environ={})
    tasks = [Task(kind, 5) for kind in config.targets.kinds]
    weighting = build_weighting(tasks, config.training, [])
    losses = torch.arange(1.0, 6.0, requires_grad=True)
    present = torch.tensor([True, True, False, True, True])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        terms = weighting.terms(losses, present)
        drawn = weighting.weights().clone()
        weighting.terms(losses, present)
        torch.manual_seed(3)
        z = torch.randn(5)[present]
    torch.testing.assert_close(drawn[present], 4.0 * torch.softmax(z, dim=0))
    assert float(drawn.sum()) == pytest.approx(4.0)
    assert not torch.equal(drawn, weighting.weights())
    (gradient,) = torch.autograd.grad(terms.sum(), losses)
    torch.testing.assert_close(gradient, drawn * present)


def test_the_encoder_gives_a_row_the_same_bits_anywhere(ran: Ran) -> None:
    settings = load_config(SETTINGS, ["model.hidden=[6, 5]"], {}).model
    encoder = build_encoder(settings, 3).eval()
    x = torch.randn(256, 3)
    with torch.no_grad():
        whole = encoder(x)
        assert torch.equal(encoder(x.flip(0)), whole.flip(0))
    first, second = encoder.stages()
    with torch.no_grad():
        torch.testing.assert_close(second(first(x)), whole)
    assert whole.shape == (256, encoder.width) == (256, 5)
    assert encoder.last_weight().shape == (10, 6)


def test_the_fee_by_the_fills(ran: Ran) -> None:
    """Worked out anew: 5.5 bp until the account has turned over 500,000, then 4."""
    with closing(ran.reader()) as reader:
        fills = reader.fills()
    notional = np.abs(fills["quantity"]) * fills["price"]
    before = np.concatenate([[0.0], np.cumsum(notional)[:-1]])
    rate = np.where(before < 500_000, 0.00055, 0.0004)
    assert set(rate) == {0.00055, 0.0004}
    np.testing.assert_allclose(fills["fee"], rate * notional, rtol=1e-12)


def test_the_policy_by_its_words(ran: Ran) -> None:
    """In beyond so much of a round trip's cost, out five bars after the last such signal."""
    bars = ran.market.bars
    multiple = ran.config.policy.settings["patient"]["cost_multiple"]
    with closing(ran.reader()) as reader:
        fills, held = reader.fills(), reader.positions(bars.open_time)
        decided, _ = reader.decisions(bars.open_time)
    traded = np.abs(fills["quantity"]) * fills["price"]
    seen = 0
    for s in range(bars.n_symbols):
        since = 0
        for i in np.flatnonzero(bars.valid[:, s]):
            rate = (
                0.00055 if traded[fills["open_time"] <= bars.open_time[i]].sum() < 5e5 else 0.0004
            )
            bought, sold = (1.0 + 1e-4) ** 2, (1.0 - 1e-4) ** 2
            cost = bought - sold + rate * (bought + sold)
            signal, weight = decided["signal"][i, s], decided["weight"][i, s]
            since += 1
            side = np.sign(held[i, s]) if since < 5 else 0.0
            if abs(signal) > multiple * cost:
                since, side = 0, np.sign(signal)
            assert np.isnan(weight) or np.sign(weight) == side, (i, s)
            seen += bool(np.isfinite(weight))
    assert seen > 500
