"""The files of deploy: every file, option, port and service that they name is there, and nothing runs as root.

No container engine is asked. hadolint, check-jsonschema and systemd-analyze look at them where they are installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from bot.cli.main import app
from bot.serve.access.origins import ours

ROOT = Path(__file__).resolve().parents[1]
CONTAINER = ROOT / "deploy" / "container"
COMPOSE = yaml.safe_load((CONTAINER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (CONTAINER / "Dockerfile").read_text(encoding="utf-8")
FINAL = DOCKERFILE.split("\nFROM ")[-1]
YOURS = {"config.toml", "notify.toml", "state", ".env"}
"""What a user makes in the folder; git leaves it alone."""

each_service = pytest.mark.parametrize("name", SERVICES)


def known_options(words: list[str]) -> None:
    """Demand that a command and its options are there."""
    top: Any = typer.main.get_command(app)
    command = top.commands[words[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known, words


def instructions(text: str, name: str) -> Iterator[list[str]]:
    joined = text.replace("\\\n", " ")
    for found in re.finditer(rf"^{name} (.+)$", joined, re.MULTILINE):
        yield found[1].split()


@each_service
def test_each_service_is_guarded(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "${BOT_UID:-1000}:${BOT_GID:-1000}"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert not {"privileged", "network_mode", "cap_add", "pid"} & set(service)
    assert not any("docker.sock" in volume for volume in service["volumes"])
    assert not service["image"].endswith(":latest")
    assert ":" in service["image"]
    assert "healthcheck" in service or service["image"] == SERVICES["run"]["image"]


@each_service
def test_each_file_that_is_mounted_is_there_or_yours(name: str) -> None:
    for volume in SERVICES[name]["volumes"]:
        source = (CONTAINER / volume.split(":")[0]).resolve()
        inside = source.relative_to(CONTAINER).parts[0] if CONTAINER in source.parents else ""
        assert inside in YOURS or source.exists(), volume
        if inside not in YOURS:
            assert volume.endswith(":ro"), volume
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for each in YOURS:
        assert {f"/deploy/container/{each}", f"/deploy/container/{each}/"} & set(ignored), each


def test_secrets_are_in_files_of_yours_and_in_no_variable() -> None:
    for secret in COMPOSE["secrets"].values():
        assert Path(secret["file"]).parts[0] in YOURS
    told = [f"{k}={v}" for s in SERVICES.values() for k, v in s.get("environment", {}).items()]
    for variable in told:
        assert "PASSWORD" not in variable or "__FILE=/run/secrets/" in variable


@each_service
def test_commands_are_the_bots_own(name: str) -> None:
    if SERVICES[name]["image"].startswith("mtl-paper-bot"):
        known_options(SERVICES[name].get("command") or ["run"])


def test_the_page_is_published_where_it_listens_and_is_asked_by_its_name() -> None:
    words = SERVICES["serve"]["command"]
    top: Any = typer.main.get_command(app)
    (port,) = (p.default for p in top.commands["serve"].params if p.name == "port")
    assert SERVICES["serve"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert [str(port)] in list(instructions(DOCKERFILE, "EXPOSE"))
    assert f":{port}/healthz" in " ".join(SERVICES["serve"]["healthcheck"]["test"])
    asked = yaml.safe_load((CONTAINER / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = asked["scrape_configs"]
    ((target,),) = (each["targets"] for each in job["static_configs"])
    assert target == f"serve:{port}"
    own = ours(port, words[words.index("--host") + 1], (words[words.index("--allow-host") + 1],))
    assert target in own.hosts, "bot serve would refuse Prometheus"
    token = words[words.index("--token-file") + 1]
    assert job["authorization"]["credentials_file"] == token
    assert "./state:/state:ro" in SERVICES["prometheus"]["volumes"], "it can read the token"
    for rules in asked["rule_files"]:
        assert any(v.endswith(f":/etc/prometheus/{rules}:ro") for v in SERVICES["prometheus"]["volumes"])  # fmt: skip


def test_grafana_finds_its_dashboard_and_its_source() -> None:
    given = CONTAINER / "grafana" / "provisioning"
    (source,) = yaml.safe_load((given / "datasources/prometheus.yml").read_text("utf-8"))["datasources"]  # fmt: skip
    assert source["url"] == "http://prometheus:9090"
    assert source["type"] == "prometheus"
    (provider,) = yaml.safe_load((given / "dashboards/files.yml").read_text("utf-8"))["providers"]
    place = provider["options"]["path"]
    mounted = [v for v in SERVICES["grafana"]["volumes"] if f":{place}/" in v]
    assert [Path(v.split(":")[0]).name for v in mounted] == ["dashboard.json"]


def test_what_runs_has_no_tools_and_is_not_root() -> None:
    ((user,),) = instructions(FINAL, "USER")
    assert user.split(":")[0].isdigit()
    assert int(user.split(":")[0]) >= 1000
    assert "HEALTHCHECK" in FINAL
    assert "pip uninstall" in FINAL
    for tool in ("apt-get", "gcc", "pip install", "git ", "curl"):
        assert tool not in FINAL
    assert "--without-pip" in DOCKERFILE


def test_what_is_copied_is_there_and_not_left_out() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for words in instructions(DOCKERFILE, "COPY"):
        if words[0].startswith("--from"):
            continue
        for source in words[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, f"{source} is not in the context"
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert set(extras.split(",")) <= set(package["optional-dependencies"])
    assert package["readme"] in DOCKERFILE
    assert all(file in DOCKERFILE for file in package["license-files"])
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)


def test_its_own_words_are_a_command_and_a_check_that_there_are() -> None:
    (words,) = re.findall(r"^CMD \[(.+)\]$", FINAL, re.MULTILINE)
    command = [word.strip(' "') for word in words.split(",")]
    known_options(command)
    (checked,) = re.findall(r"^ +CMD \[(.+)\]$", FINAL, re.MULTILINE)
    check = [word.strip(' "') for word in checked.split(",")]
    assert check[0] == "bot"
    known_options(check[1:])
    assert command[command.index("--run-dir") + 1] in check
    mounted = {v.split(":")[1] for v in SERVICES["run"]["volumes"]}
    assert command[command.index("--config") + 1] in mounted


def units() -> list[Path]:
    return sorted((ROOT / "deploy" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", units(), ids=lambda path: path.name)
def test_units_name_commands_and_units_that_there_are(unit: Path) -> None:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(unit, encoding="utf-8")
    words = parser["Service"]["ExecStart"].split()
    assert words[0].endswith("/.venv/bin/bot")
    known_options(words[1:])
    assert parser["Service"]["User"] == "bot"
    if parser.has_option("Unit", "OnFailure"):
        template = parser["Unit"]["OnFailure"].replace("@%n", "@")
        assert (unit.parent / template).exists()


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not here")
    for unit in units():  # its folders and program are those of a machine that has it installed
        text = re.sub(r"/opt/mtl-paper-bot/\.venv/bin/bot", "/bin/true", unit.read_text("utf-8"))
        text = re.sub(r"^WorkingDirectory=.*", "WorkingDirectory=/", text, flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    files = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run([tool, "verify", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("hadolint", ["Dockerfile"]),
        ("check-jsonschema", ["--builtin-schema", "vendor.compose-spec", "compose.yaml"]),
        ("promtool", ["check", "config", "--syntax-only", "prometheus.yml"]),
    ],
)
def test_other_tools_take_the_files(tool: str, words: list[str]) -> None:
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not here")
    done = subprocess.run([found, *words], cwd=CONTAINER, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
