"""The dashboard and the alert rules speak of metrics that there are; promtool takes them where it is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.serve.api.metrics import COUNTERS, GAUGES, PREFIX
from tests.serve.conftest import Served

FILES = Path(__file__).parents[2] / "examples" / "monitoring"
OTHERS = {"run_info", "run_unreadable", "serve_info", "position_value", "interval_coverage_ratio"}
KNOWN = {f"{PREFIX}_{name}" for name in (*GAUGES, *(f"{each}_total" for each in COUNTERS), *OTHERS)}


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yml"])
def test_each_metric_is_one_that_there_is(name: str) -> None:
    said = set(re.findall(rf"{PREFIX}_[a-z_]+", (FILES / name).read_text("utf-8")))
    assert said
    assert said <= KNOWN


def test_the_dashboard_is_one() -> None:
    board = json.loads((FILES / "dashboard.json").read_text("utf-8"))
    assert board["schemaVersion"] >= 36
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) >= 12
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["title"]
        assert all(target["expr"] for target in panel["targets"])


def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed")
    return found


@pytest.mark.parametrize(
    "words", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")], ids=" ".join
)
def test_promtool_takes_the_rules(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [promtool(), *words], cwd=FILES, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_metrics(served: Served) -> None:
    text = served.owner().get("/metrics").text
    done = subprocess.run(
        [promtool(), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_settings(tmp_path: Path) -> None:
    for name in ("prometheus.yml", "alerts.yml"):
        shutil.copy(FILES / name, tmp_path)
    (tmp_path / "serve-token").write_text("x")
    done = subprocess.run(
        [promtool(), "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
