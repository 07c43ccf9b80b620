"""Loading the settings: precedence, and refusals that name the key and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.config import Config, flatten, load_config, to_toml
from bot.errors import ConfigError


def load(text: str, tmp_path: Path, *sets: str, **environ: str) -> Config:
    path = tmp_path / "bot.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, sets, environ)


def refusal(*sets: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(None, sets, environ or {})
    return str(caught.value)


def test_the_command_line_beats_the_environment_and_that_the_file(tmp_path: Path) -> None:
    text = "[costs]\ntaker_fee = 0.001\nhalf_spread_bps = 2.0\nslippage_bps = 3.0\n"
    config = load(
        text, tmp_path, "costs.taker_fee=0.003",
        BOT_COSTS__TAKER_FEE="0.002", BOT_COSTS__HALF_SPREAD_BPS="4.5",
    )  # fmt: skip
    assert (config.costs.taker_fee, config.costs.half_spread_bps) == (0.003, 4.5)
    assert config.costs.slippage_bps == 3.0
    assert config.costs.funding is True


def test_an_embedded_default_lies_below_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bot.toml"
    path.write_text("[run]\nseed = 5\n", encoding="utf-8")
    base = {"run": {"seed": 4, "block_bars": 9}}
    config = load_config(path, environ={}, base=base)
    assert (config.run.seed, config.run.block_bars) == (5, 9)


def test_the_later_of_two_sets_wins() -> None:
    assert load_config(None, ["run.seed=1", "run.seed=2"], {}).run.seed == 2


@pytest.mark.parametrize(
    ("item", "key", "value"),
    [
        ("market.symbols=BTCUSDT,ETHUSDT", "market.symbols", ["BTCUSDT", "ETHUSDT"]),
        ('market.symbols=["BTCUSDT"]', "market.symbols", ["BTCUSDT"]),
        ("market.symbols=1000PEPEUSDT", "market.symbols", ["1000PEPEUSDT"]),
        ("market.interval=5m", "market.interval", "5m"),
        ("data.start=2024-01-01", "data.start", "2024-01-01"),
        ("retrain.cron=0 0 1 * *", "retrain.cron", "0 0 1 * *"),
        ("training.weights={volume = 0.5}", "training.weights", {"volume": 0.5}),
        ("costs.funding=false", "costs.funding", False),
        (" model.hidden = 16,8 ", "model.hidden", [16, 8]),
        ("data.root=a=b", "data.root", "a=b"),
    ],
)
def test_values_of_the_command_line(item: str, key: str, value: object) -> None:
    assert flatten(load_config(None, [item], {}))[key] == value


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    config = load_config(None, ["training.weights={volume=0.5}", "model.hidden=16"], {})
    assert load(to_toml(config), tmp_path) == config


@given(st.floats(1e-9, 1.0), st.integers(0, 2**31 - 1))
def test_numbers_survive_the_file(rate: float, seed: int) -> None:
    config = load_config(None, [f"training.learning_rate={rate!r}", f"run.seed={seed}"], {})
    import tomllib

    read = tomllib.loads(to_toml(config))
    assert (read["training"]["learning_rate"], read["run"]["seed"]) == (rate, seed)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml.*config\.example\.toml"):
        load_config(tmp_path / "nowhere.toml", environ={})
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(tmp_path, environ={})


@pytest.mark.parametrize("text", ["[run\n", "seed = \xff"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bot.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"bot\.toml: not a valid TOML file"):
        load_config(path, environ={})


def test_unknown_keys_are_refused_with_close_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"costs\.taker_fees.*did you mean costs\.taker_fee"):
        load("[costs]\ntaker_fees = 0.1\n", tmp_path)
    with pytest.raises(ConfigError, match=r"unknown setting 'cost\.taker_fee'.*costs\.taker_fee"):
        load("[cost]\ntaker_fee = 0.1\n", tmp_path)
    with pytest.raises(ConfigError, match="'seed' stands outside a section"):
        load("seed = 1\n", tmp_path)
    assert "did you mean run.seed" in refusal("run.sed=1")
    assert "bot config schema" in refusal("zzz=1")


def test_unknown_variables_are_refused_with_close_names() -> None:
    message = refusal(environ={"BOT_COSTS__TAKER_FE": "0.1"})
    assert "BOT_COSTS__TAKER_FE" in message
    assert "costs.taker_fee" in message
    assert "unknown setting" in refusal(environ={"BOT_SEED": "1"})
    assert load_config(None, (), {"BOTANY": "x", "PATH": "y"}) == load_config(None, (), {})


def test_a_set_without_a_value_is_refused() -> None:
    assert "expected section.key=value" in refusal("costs.taker_fee")


@pytest.mark.parametrize(
    "item",
    [
        "costs.taker_fee=0.5", "run.seed=-1", "run.block_bars=0", "model.dropout=1.0",
        "market.interval=2h", "signal.threshold=much", "training.clip_norm=inf",
        "signal.threshold=nan", "market.venue=Bybit", "targets.kinds=price", "run.seed=1.5",
        "training.weights={volume=-1}", "training.weights={volume=nan}", "model.hidden=[]",
    ],
)  # fmt: skip
def test_values_out_of_bounds_are_refused_with_key_and_explanation(item: str) -> None:
    key = item.partition("=")[0]
    section, _, name = key.partition(".")
    text = getattr(load_config(None, (), {}), section).__class__.model_fields[name].description
    message = refusal(item)
    assert message.startswith(key)
    assert text in message


def test_every_fault_is_reported_at_once() -> None:
    message = refusal("run.seed=-1", "model.dropout=2", "costs.taker_fee=9")
    assert len(message.splitlines()) == 3


def test_settings_are_frozen() -> None:
    config = load_config(None, (), {})
    with pytest.raises(ValidationError, match="frozen"):
        config.run.seed = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        config.run = config.run  # type: ignore[misc]
