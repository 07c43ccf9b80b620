"""A space's file: what it may say, and every fault of it at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.app.search.dimensions import as_set, dimension_of
from bot.app.search.space import SearchSpace, read_space
from bot.config import flatten, load_config
from bot.errors import ConfigError
from bot.parts.sets import SETS

FAULTY = """
[serch]
[search]
trails = 3
sampler = "cma"
objectives = ["net_return", "skil"]
[space]
policy.confidenc = {low = 1, high = 2}
policy.confidence = {low = 2, high = 1}
costs.taker_fee = {low = 0.1, high = 0.2}
retrain.every_bars = {low = 10, high = 20}
features.window = {low = 10, high = 20}
market.interval = {choices = ["1h", "4h"]}
model.encoder = {choices = ["mlp", "grv"]}
model.head_hidden = {low = 0, high = 3}
training.patience = {low = 1, high = 3.5}
training.batch_size = {low = 128, high = 1024, step = 100}
model.dropout = {low = 0.0, high = 0.9, log = true}
model.batch_norm = {low = 0, high = 1}
model.hidden = {choices = [[8], [16, 0]]}
model.scaling = {choices = ["robust"]}
signal.factor = {choices = ["probability", "probability"]}
signal.threshold = 3
training.epochs = {low = 3, high = 9, from = 2}
"""

SAID = [
    "there is no table 'serch'; did you mean search?",
    "[search]: there is no setting 'trails'; did you mean trials?",
    "search.sampler = \"cma\" (FILE): expected one of tpe | cmaes | random; did you mean 'cmaes'?",
    "search.objectives, of which \"skil\"",
    "unknown setting 'policy.confidenc'; did you mean policy.confidence",
    "policy.confidence: low = 2 is not below high = 1",
    "costs.taker_fee cannot vary: what trading costs is not a choice",
    "retrain.every_bars cannot vary: a fold has one training, unless retrain_inside = true",
    "features.window cannot vary: the labels would be others",
    "market.interval cannot vary: a search varies features.*",
    "model.encoder = \"grv\" (FILE [space] model.encoder): expected one of",
    "model.head_hidden = 0 (FILE [space] model.head_hidden): expected a whole number [>= 1, <= 1_024]",
    "training.patience: high = 3.5: expected a whole number",
    "training.batch_size: steps of 100 do not lead from 128 to 1024",
    "model.dropout: even ratios begin above 0",
    "model.batch_norm: is no number; give choices",
    "model.hidden, of which 0 (FILE [space] model.hidden)",
    "model.scaling: choices is a list of two values or more",
    "signal.factor: a choice comes twice",
    "signal.threshold: expected {low = …, high = …} or {choices = […]}",
    "training.epochs: there is no 'from'",
]  # fmt: skip


def read(tmp_path: Path, text: str, *sets: str) -> SearchSpace:
    path = tmp_path / "space.toml"
    path.write_text(text, encoding="utf-8")
    return read_space(path, load_config(None, sets, {}))


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, FAULTY)
    lines = str(caught.value).splitlines()
    for said in SAID:
        wanted = said.replace("FILE", str(tmp_path / "space.toml"))
        assert sum(wanted in line for line in lines) == 1, said
    assert len(lines) == len(SAID)


def test_a_file_that_is_not_there_is_told_as_a_space(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"none\.toml: there is no such file; a space has the tables"
    ):
        read_space(tmp_path / "none.toml", load_config(None, [], {}))
    with pytest.raises(ConfigError, match=r"name at least one setting, as section\.key"):
        read(tmp_path, "[search]\ntrials = 3\n")


def test_a_key_is_dotted_or_quoted_or_in_a_table_of_its_section(tmp_path: Path) -> None:
    told = "{low = 0.5, high = 2.0}"
    ways = [
        f"[space]\npolicy.confidence = {told}",
        f'[space]\n"policy.confidence" = {told}',
        f"[space.policy]\nconfidence = {told}",
    ]
    made = [read(tmp_path, way).dimensions for way in ways]
    assert made[0] == made[1] == made[2]
    (dimension,) = made[0]
    assert (dimension.key, dimension.low, dimension.high) == ("policy.confidence", 0.5, 2.0)


def test_the_defaults_are_the_first_trial_wherever_they_lie(tmp_path: Path) -> None:
    names = '[["return_1"], ["return_1", "return_5"]]'
    inside = read(
        tmp_path, f"[space]\nfeatures.names = {{choices = {names}}}",
        'features.names=["return_1","return_5"]',
    )  # fmt: skip
    assert inside.default == {"features.names": ["return_1", "return_5"]}
    outside = read(tmp_path, "[space]\npolicy.confidence = {low = 3.0, high = 4.0}")
    assert outside.default is None


def test_a_start_is_completed_by_the_defaults_and_lies_in_the_space(tmp_path: Path) -> None:
    space = "[space]\npolicy.confidence = {low = 0.0, high = 4.0}\ntraining.epochs = {low = 2, high = 40}\n"
    made = read(tmp_path, space + "[[start]]\ntraining.epochs = 3\n", "policy.confidence=1.5")
    assert made.starts == ({"policy.confidence": 1.5, "training.epochs": 3},)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, space + "[[start]]\ntraining.epochs = 41\nmodel.hidden = [8]\n", "policy.confidence=4.5")  # fmt: skip
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "[[start]] 1: model.hidden is not in [space]" in lines[0]
    assert any("policy.confidence = 4.5 lies outside its range or choices; it is the default" in line for line in lines)  # fmt: skip
    assert any("training.epochs = 41 lies outside its range or choices" in line for line in lines)


@pytest.mark.parametrize(
    ("search", "space", "said"),
    [
        ('objectives = ["net_return", "turnover"]', "a", "seeks one objective, not 2"),
        ("", "b", "knows ranges only, and model.scaling has choices"),
        ("", "c", "needs two settings or more"),
    ],
)
def test_cma_es_refuses_what_it_cannot(
    tmp_path: Path, search: str, space: str, said: str
) -> None:  # fmt: skip
    tables = {
        "a": "policy.confidence = {low = 0.0, high = 4.0}\ntraining.epochs = {low = 2, high = 40}",
        "b": 'policy.confidence = {low = 0.0, high = 4.0}\nmodel.scaling = {choices = ["standard", "robust"]}',
        "c": "policy.confidence = {low = 0.0, high = 4.0}",
    }
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, f'[search]\nsampler = "cmaes"\n{search}\n[space]\n{tables[space]}\n')


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("model.hidden", [64, 32], [64, 32]),
        ("training.weights", {"return": 0.5, "volume": 1.0}, {"return": 0.5, "volume": 1.0}),
        ("features.names", ["core"], list(SETS["feature"]["core"])),
        ("features.names", "core", list(SETS["feature"]["core"])),
        ("training.learning_rate", 1e-05, 1e-05),
        ("model.batch_norm", False, False),
        ("model.scaling", "robust", "robust"),
        ("risk.max_gross", 2, 2.0),
    ],
)
def test_a_value_goes_through_set_as_it_is(key: str, value: object, meant: object) -> None:
    assert flatten(load_config(None, [as_set(key, value)], {}))[key] == meant
    dimension, faults = dimension_of(key, {"choices": [value, *_others(key)]}, "here")
    assert not faults
    assert dimension is not None
    assert dimension.place(meant) == dimension.place(value) == dimension.labels[0]
    assert dimension.value(dimension.labels[0]) == value


def _others(key: str) -> list[object]:
    return [{
        "model.hidden": [8], "training.weights": {}, "features.names": ["return_1"],
        "training.learning_rate": 0.1, "model.batch_norm": True, "model.scaling": "standard",
        "risk.max_gross": 1.5,
    }[key]]  # fmt: skip


def test_the_spaces_of_the_how_to_page_can_be_searched(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "search.md"
    blocks = re.findall(r"^```toml\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    sizes = [len(read(tmp_path, block).dimensions) for block in blocks]
    assert sizes == [2, 6, 3]


def test_a_combinatorial_cut_that_cannot_be_is_refused(tmp_path: Path) -> None:
    space = "[space]\npolicy.confidence = {low = 0.0, high = 4.0}\n"
    for search, said in (
        ("groups = 3\ntest_groups = 3", "test_groups = 3 of groups = 3 leave nothing to train on"),
        ("groups = 20\ntest_groups = 10", "are 184,756 trainings a trial and seed, at most 1,000"),
        ('objectives = ["net_return", "skill"]', "judges accounts, and has no skill"),
    ):
        with pytest.raises(ConfigError, match=said):
            read(tmp_path, f'[search]\ncv = "combinatorial"\n{search}\n{space}')


def test_a_grid_has_no_value_between_its_steps() -> None:
    dimension, _ = dimension_of("signal.threshold", {"low": 0.1, "high": 0.7, "step": 0.2}, "here")
    assert dimension is not None
    assert [dimension.place(v) for v in (0.1, 0.1 + 0.2, 0.7, 0.2, 0.9)] == [0.1, 0.1 + 0.2, 0.7, None, None]  # fmt: skip


INSIDE = "[search]\nretrain_inside = true\n[space]\n"


def test_how_often_varies_where_models_are_trained_inside_folds(tmp_path: Path) -> None:
    text = (
        INSIDE
        + """
retrain.trigger = {choices = ["cron", "interval", "every_bars"]}
retrain.cron = {choices = ["0 0 1 * *", "0 0 * * mon"]}
retrain.hours = {low = 24, high = 720, step = 24}
retrain.every_bars = {low = 24, high = 720, log = true}
"""
    )
    made = read(tmp_path, text)
    assert [d.key for d in made.dimensions] == ["retrain.trigger", "retrain.cron", "retrain.hours", "retrain.every_bars"]  # fmt: skip
    sets = made.sets({"retrain.trigger": "cron", "retrain.cron": "0 0 * * mon"})
    assert load_config(None, sets, {}).retrain.cron == "0 0 * * mon"
    assert made.as_json()["search"]["retrain_inside"] is True
    usual = read(tmp_path, "[space]\npolicy.confidence = {low = 0.0, high = 4.0}")
    assert "retrain_inside" not in usual.as_json()["search"], "else searches of before were others"


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("retrain.latency_bars = {low = 1, high = 3}", ["the folds' own trainings would be due at other bars"]),
        ('retrain.start = {choices = ["2020-01-01", "2020-01-02"]}', ["it shifts trainings"]),
        ("retrain.at_start = {choices = [true, false]}", ["each fold has a training at its start"]),
        ('retrain.trigger = {choices = ["cron", "never"]}', ["'never' trains at the start of each fold here and nowhere else"]),
        ("retrain.hours = {low = 24, high = 96}", ["retrain.hours varies, and no trial reads it: retrain.trigger is 'cron'"]),
        (
            'retrain.trigger = {choices = ["cron", "interval"]}\nretrain.every_bars = {low = 24, high = 96}',
            ["retrain.every_bars varies, and no trial reads it: retrain.trigger is 'cron' or 'interval'"],
        ),
    ],
)  # fmt: skip
def test_of_how_often_what_makes_no_sense_is_refused(
    tmp_path: Path, space: str, said: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, INSIDE + space)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(said)
    assert all(each in line for each, line in zip(said, lines, strict=True))


def test_a_combinatorial_cut_knows_no_training_inside(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'combinatorial' has no order of time"):
        read(tmp_path, INSIDE.replace("[space]", 'cv = "combinatorial"\n[space]') + "signal.threshold = {low = 0.0, high = 1.0}")  # fmt: skip
