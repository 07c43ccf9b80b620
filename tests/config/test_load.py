"""Loading the settings: precedence, and refusals that name the key and the fix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.config import Config, flatten, load_config, to_toml
from bot.config.given import read_toml, stray_variables
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


@given(st.floats(1e-7, 1.0), st.integers(0, 2**31 - 1))
def test_numbers_survive_the_file(rate: float, seed: int) -> None:
    config = load_config(None, [f"training.learning_rate={rate!r}", f"run.seed={seed}"], {})
    import tomllib

    read = tomllib.loads(to_toml(config))
    assert (read["training"]["learning_rate"], read["run"]["seed"]) == (rate, seed)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml.*bot config example"):
        load_config(tmp_path / "nowhere.toml", environ={})
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(tmp_path, environ={})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"[run\n", "not a valid TOML file"),
        (b"seed = \xff", "not UTF-8 text"),
        ("[run]\nseed = 5\n".encode("utf-16"), "not UTF-8 text"),
        ("[run]\nruns_dir = 'é'\n".encode("latin-1"), "not UTF-8 text"),
        (b"\x00", "not a valid TOML file"),
    ],
)
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "bot.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match=rf"bot\.toml: {message}"):
        load_config(path, environ={})


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "bot.toml"
    path.write_text("[run]\nseed = 5\n", encoding="utf-8-sig")
    assert load_config(path, environ={}).run.seed == 5


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
    assert "unknown setting 'seed.run'" in refusal(environ={"BOT_SEED__RUN": "1"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BOT_COSTS_TAKER_FEE", "BOT_COSTS__TAKER_FEE"),
        ("BOT_COST_TAKER_FEE", "BOT_COSTS__TAKER_FEE"),
        ("bot_costs__taker_fee", "BOT_COSTS__TAKER_FEE"),
        ("BOT_TOKEN", None), ("BOT_SHARED", None), ("BOT_EXTRAS", None), ("BOTANY", None),
        ("BOT_", None), ("BOT", None), ("BOT_SEED", None),
    ],
)  # fmt: skip
def test_other_programs_variables_are_left_alone_and_near_misses_are_warned_of(
    name: str, meant: str | None
) -> None:
    assert load_config(None, (), {name: "1"}) == load_config(None, (), {})
    warned = [f"{name} is not read; did you mean {meant}?"] if meant else []
    assert stray_variables({name: "1"}) == warned


def test_a_section_alone_is_no_setting_and_said_to_be_none() -> None:
    for name in ("BOT_RISK", "bot_risk"):
        [line] = stray_variables({name: "1"})
        assert line == f"{name} is not read: it names a section; add a key, {name}__KEY"
    [line] = stray_variables({"BOT_PLUGINS": "x.py"})
    assert "BOT_PLUGINS is not read" in line
    assert "--set plugins=" in line


def test_a_set_without_a_value_is_refused() -> None:
    assert "expected section.key=value" in refusal("costs.taker_fee")


@pytest.mark.parametrize(
    "item",
    [
        "costs.taker_fee=0.5", "run.seed=-1", "run.block_bars=0", "model.dropout=1.0",
        "market.interval=7h", "signal.threshold=much", "training.clip_norm=inf",
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


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bot.toml"
    path.write_text("odd = 1\n[run]\nseed = -1\nsede = 1\n[model]\ndropout = 2\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(
            path, ["costs.taker_fee=9", "market.symbols=A,A", "run.sed=1", "x"],
            {"BOT_LOG__LEVELS": "info"},
        )  # fmt: skip
    told = str(caught.value).splitlines()
    wanted = ["'odd'", "run.sede", "BOT_LOG__LEVELS", "run.sed'", "--set x", "run.seed = -1",
              "model.dropout = 2", "costs.taker_fee = 9", "stands there twice"]  # fmt: skip
    assert len(told) == len(wanted)
    assert all(any(word in line for line in told) for word in wanted)


def test_a_combination_with_a_faulty_key_is_not_a_second_fault() -> None:
    told = refusal("features.window=many", "features.medium_window=10")
    assert told.startswith("features.window = ")
    assert len(told.splitlines()) == 1


LIBRARY = ["Input should", "validation", "pydantic", "unable to parse", "type=", "Extra inputs"]


def test_a_text_in_place_of_a_list_is_told_as_the_list_that_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[features]\nnames = "core"\n')
    with pytest.raises(ConfigError, match=r'did you mean \["core"\]\?'):
        load_config(file)
    file.write_text('[features]\nnames = ["coer"]\n')
    with pytest.raises(ConfigError, match="did you mean 'core'"):
        load_config(file)


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("run.seed=abc", 'run.seed = "abc" (--set run.seed=abc): expected a whole number [>= 0, '),
        ("run.seed=1.5", "run.seed = 1.5 (--set run.seed=1.5): expected a whole number"),
        ("costs.taker_fee=9", "expected a finite number [>= -1, <= 0.1]; or leave it out, for -1."),
        ("costs.funding=perhaps", "expected true or false; or leave it out, for true."),
        ("market.interval=90m", 'market.interval = "90m" '),
        ("training.gradients=pcgrab", "did you mean 'pcgrad'?"),
        ("market.venue=BYBIT_LINEAR", "did you mean 'bybit_linear'?"),
        ("market.venue=Bybit-Linear", "did you mean 'bybit_linear'?"),
        ("market.quote=usdt", "did you mean 'USDT'?"),
        ("model.hidden=0", "model.hidden, of which 0 (--set model.hidden=0): expected a list [each"),
        ("targets.kinds=retrun", "targets.kinds, of which \"retrun\" "),
        ("targets.kinds=retrun", "did you mean 'return'?"),
        ("training.weights={volume=-1}", "training.weights, of which volume = -1 "),
        ("training.weights=3", "expected a table {name = number, …}"),
        ("market.symbols=[]", "expected a list [1 to 1000 of them]"),
    ],
)  # fmt: skip
def test_a_faulty_value_is_told_in_our_own_words(item: str, told: str) -> None:
    message = refusal(item)
    assert told in message
    assert not [word for word in LIBRARY if word in message]


def test_settings_are_frozen() -> None:
    config = load_config(None, (), {})
    with pytest.raises(ValidationError, match="frozen"):
        config.run.seed = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        config.run = config.run  # type: ignore[misc]


def test_a_fault_in_the_settings_given_names_where_they_came_from() -> None:
    with pytest.raises(ConfigError, match=r"^the settings given: .*policy\.kind"):
        load_config(environ={}, base={"polcy": {"kind": "edge"}}, base_name="the settings given")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none.toml", "'bot config example > config.toml' makes one"),
        ("synthetic", "'bot config example synthetic > synthetic.toml' writes the ready one"),
        (
            "configs/practice.toml",
            "'bot config example practice > practice.toml' writes the ready one",
        ),
    ],
)
def test_a_file_that_is_not_there_is_told_with_how_to_have_it(
    tmp_path: Path, name: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        read_toml(tmp_path / name)
