"""Impossible combinations: each is refused, with the keys and the fix."""

from __future__ import annotations

import pytest

from bot.config import load_config
from bot.errors import ConfigError

ONE = "market.symbols=BTCUSDT"


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
        (["training.weights={price=1}"], "training.weights.price: there is no such head"),
        (
            ["training.weights={volume=2}", "training.weighting=uncertainty"],
            "training.weights are for weighting = 'fixed'",
        ),
        (
            ["training.weights={return=0,direction=0,volatility=0,volume=0}"],
            "training.weights: all are 0",
        ),
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
        (["sizing.spread_penalty=1"], "sizing.spread_penalty = 1: a single network has no spread"),
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
        (["costs.reference=true", "execution.fill=next_close"], "is for one symbol"),
        (["retrain.cron=@monthly"], "expected five fields"),
        (["retrain.cron="], "expected five fields"),
        (["exchange.reconnect_first_s=60", "exchange.reconnect_longest_s=1"], "reconnect_first_s"),
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
