"""Impossible combinations: each is refused, with the keys and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import load_config, to_toml
from bot.config.fitting import WEIGHTS
from bot.errors import ConfigError
from bot.parts.sets import CORE, SETS

ONE = "market.symbols=BTCUSDT"
DECISION = ["signal.source=decision", "policy.kind=threshold"]


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        (["market.symbols=BTCUSDT,BTCUSDT"], "market.symbols: a symbol stands there twice"),
        (["market.symbols=BTC/USDT"], "'BTC/USDT' is no symbol"),
        (["features.names=return_1,return_1"], "features.names: a feature stands there twice"),
        (["features.window=80"], "features.window, medium_window, long_window"),
        (["targets.kinds=return,volume"], "targets.kinds: the signal needs direction"),
        (["targets.kinds=return,direction,return"], "targets.kinds: a kind stands there twice"),
        (
            ["targets.kinds=return,direction", "sizing.method=proportional"],
            "needs the volatility head",
        ),
        *(
            (
                [
                    "targets.kinds=return,direction", f"sizing.method={method}",
                    "policy.kind=momentum",
                ],
                f"sizing.method = '{method}' needs the volatility head",
            )
            for method in ("kelly", "volatility_target", "mean_variance")
        ),
        (["training.weights={price=1}"], "training.weights.price: there is no such head"),
        (
            ["training.weights={volume=2}", "training.weighting=uncertainty"],
            "training.weights are for weighting = 'fixed'",
        ),
        (
            ["training.weights={return=0,direction=0,volatility=0,volume=0}"],
            "training.weights.return = 0: the account reads the return head",
        ),
        (["training.weights={direction=0}"], "raise it to 0.001 or more, or remove it"),
        (["training.weights={return=1e-300}"], "training.weights.return = 1e-300"),
        (["training.weights={volume=1e6}"], "training.weights.return = 1: "),
        (
            ["training.weights={volatility=0}", "sizing.method=proportional"],
            "training.weights.volatility = 0",
        ),
        (
            ["training.weights={volatility=0}", "targets.horizons=1,5"],
            "training.weights.volatility = 0",
        ),
        (
            [
                "training.weights={decision=0}", "signal.source=decision",
                "targets.kinds=return,decision",
            ],
            "the account reads the decision head",
        ),
        (
            ["training.curriculum=stages", 'training.stages=["return for 3", "volume+direction"]'],
            "the last stage, 'volume+direction', leaves out return",
        ),
        (
            ["training.curriculum=stages", 'training.stages=["direction for 3", "return"]'],
            "leaves out direction",
        ),
        (["training.learning_rate=1e-30"], "training.learning_rate = 1e-30: no head would be"),
        (["training.clip_norm=1e-12"], "training.clip_norm = 1e-12: no head would be trained"),
        (["model.dropout=0.9999"], "model.dropout = 0.9999: nothing would pass"),
        (
            ["training.gradients=pcgrad", "model.architecture=single"],
            "training.gradients = 'pcgrad' works on what the tasks share",
        ),
        (["training.gradients_on=features"], "needs a training.gradients but 'sum'"),
        (
            [
                "training.gradients=mgda", "training.gradients_on=features",
                "model.architecture=ple",
            ],
            "needs model.architecture = 'shared_bottom' or 'mmoe'",
        ),
        (["training.weighting=gradnorm", "model.architecture=soft"], "the last shared layer"),
        (
            [
                "model.encoder=gru", "model.lookback=200", "training.window_bars=250",
                "data.source=synthetic", "synthetic.symbols=2", "training.min_rows=200",
            ],
            "with 2 symbols it never has",
        ),
        (["model.members=1", "sizing.disagreement_penalty=1"], "sizing.disagreement_penalty = 1: a single network has no"),
        (["model.members=1", "risk.max_disagreement=2"], "risk.max_disagreement = 2: a single network has no"),
        (["risk.max_losses=3", "risk.cool_down_bars=0"], "risk.max_losses = 3 needs risk.cool_down_bars"),
        (["risk.flatten_drawdown=0.2", "risk.cool_down_bars=0"], "risk.flatten_drawdown = 0.2 needs risk.cool_down_bars"),
        (["risk.halve_drawdown=0.2", "risk.flatten_drawdown=0.2"], "would never come before risk.flatten_drawdown = 0.2"),
        (["risk.halve_drawdown=0.3", "risk.max_drawdown=0.2"], "would never come before risk.max_drawdown = 0.2"),
        (["portfolio.leverages={XUSDT=5}"], "portfolio.leverages.XUSDT: there is no such symbol; market.symbols has"),
        (["training.weighting=gradnorm", "training.gradients=mgda"], "both balance gradients"),
        (["training.curriculum=stages"], "need each other"),
        (["training.stages=all"], "need each other"),
        (
            ["training.curriculum=stages", "training.stages=price for 2,all"],
            "there is no head 'price'",
        ),
        (
            ["training.curriculum=stages", "training.stages=return,all"],
            "every stage but the last needs an end",
        ),
        (
            ["training.curriculum=stages", "training.stages=return for 2,all for 3"],
            "every stage but the last needs an end",
        ),
        (
            ["training.curriculum=direction_return_all", "training.epochs=6"],
            "training.epochs = 6: the stages of the curriculum need at least 7",
        ),
        (["training.window_bars=300"], "training.window_bars = 300: with 5 symbols"),
        (["costs.reference=true", ONE], "needs execution.fill = 'next_close'"),
        (
            [
                "costs.reference=true", ONE, "execution.fill=next_close",
                "sizing.method=proportional",
            ],
            "needs sizing.method = 'fixed'",
        ),
        *(
            (
                [
                    "costs.reference=true", ONE, "execution.fill=next_close",
                    "policy.kind=threshold", f"sizing.method={method}",
                ],
                "needs sizing.method = 'fixed'",
            )
            for method in ("kelly", "volatility_target", "mean_variance")
        ),
        (["costs.reference=true", "execution.fill=next_close"], "is for one symbol"),
        (["retrain.cron=@monthly"], "expected five fields"),
        (["retrain.cron="], "expected five fields"),
        (["exchange.reconnect_first_s=60", "exchange.reconnect_longest_s=1"], "reconnect_first_s"),
        (["exchange.rest_url=http://127.0.0.1:90x", "exchange.stream_url=ws://h"], "exchange.rest_url = 'http://127.0.0.1:90x'"),
        (["exchange.rest_url=http://h:9", "exchange.stream_url=ws://:9"], "exchange.stream_url = 'ws://:9': names no host"),
        (["exchange.rest_url=http://h:99999", "exchange.stream_url=ws://h"], "exchange.rest_url = 'http://h:99999'"),
        (["exchange.speed=60"], "that of --practice is practice.speed"),
        (["exchange.close_deadline_s=40"], "exchange.close_deadline_s = 40"),
    ],
)  # fmt: skip
def test_refused(sets: list[str], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, sets, {})
    assert expected in str(caught.value)


def test_all_faults_come_in_one_message() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, ["market.symbols=A,A", "features.window=80", "retrain.cron=x"], {})
    assert len(str(caught.value).splitlines()) == 3


def test_what_the_fix_says_works() -> None:
    load_config(None, ["costs.reference=true", ONE, "execution.fill=next_close"], {})
    load_config(None, ["training.window_bars=400"], {})
    load_config(None, ["training.curriculum=direction_return_all"], {})
    stages = "training.stages=direction until plateau 2,return+volume for 3,all"
    load_config(None, ["training.curriculum=stages", stages], {})
    features = ["training.gradients=mgda", "training.gradients_on=features"]
    load_config(None, [*features, "model.architecture=mmoe"], {})
    load_config(None, ["training.window_bars=300", "training.window=expanding"], {})
    load_config(None, ["market.symbols=AAPL,yahoo:BTC-USD", "market.venue=us"], {})


@pytest.mark.parametrize(
    "sets",
    [
        ["training.weights={volume=0,volatility=0}"],
        ["training.weights={return=0.001,direction=0.5}"],
        ["training.weights={return=0}", "signal.source=decision", "targets.kinds=return,decision"],
        ["training.curriculum=stages", 'training.stages=["volume for 3", "return+direction"]'],
        ["training.curriculum=direction_return_all"],
    ],
)
def test_what_the_account_does_not_read_may_stay_untrained(sets: list[str]) -> None:
    load_config(None, ["policy.kind=threshold", *sets], {})


@pytest.mark.parametrize(
    ("sets", "weights"),
    [
        ([], WEIGHTS),
        (["training.weighting=uncertainty"], {}),
        (["targets.kinds=return,decision", *DECISION], {"return": 0.1}),
        (["targets.kinds=decision", *DECISION], {}),
        (["training.weights={volume=0.5}"], {"volume": 0.5}),
        (["training.weights={}"], {}),
    ],
)
def test_default_weights_are_for_the_heads_there_are_and_for_no_other_weighting(
    tmp_path: Path, sets: list[str], weights: dict[str, float]
) -> None:
    """Also where a file of all settings names them."""
    path = tmp_path / "config.toml"
    path.write_text(to_toml(load_config(None, [], {})), encoding="utf-8")
    for file in (None, path):
        assert load_config(file, sets, {}).training.weights == weights


def test_bars_of_a_day_are_read_by_the_core_features() -> None:
    daily = "market.interval=1d"
    assert load_config(None, [daily], {}).features.names == CORE
    named = load_config(None, [daily, "features.names=wide"], {}).features.names
    assert named == SETS["feature"]["wide"]


def test_the_settings_of_a_run_stay_readable(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[training.weights]\ndirection = 0.0\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="direction head"):
        load_config(path, environ={})
    read = load_config(path, environ={}, recorded=True)
    assert read.training.weights == {"direction": 0.0}
