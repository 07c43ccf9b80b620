"""The wheel and the source distribution in environments of their own, without constraints and outside the clone.

torch is the build for processors: that of this disk (pip's find-links) or of pytorch.org. Where neither has it for a
Python, all but torch is installed there, and what needs no torch is tried.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bot import __version__
from bot.config.ready import FOLDER
from scripts.licences import declared
from tests.long.test_installs import ROOT, _left_out, _works

PLAIN = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"} and not k.startswith(("BOT_", "NUMBA_"))}  # fmt: skip
RUNNING = "serve,notify,watch,xlsx"


def call(*words: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*map(str, words)], cwd=cwd, env=PLAIN, capture_output=True, text=True, check=False)  # fmt: skip
    assert not check or done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"  # fmt: skip
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both from a copy of the clone; return their folder."""
    place = tmp_path_factory.mktemp("build")
    clone = place / "clone"
    shutil.copytree(ROOT, clone, ignore=_left_out, symlinks=True)
    call("python3", "-m", "venv", place / "tools", cwd=place)
    call(place / "tools/bin/pip", "install", "build", cwd=place)
    call(place / "tools/bin/python", "-m", "build", "--outdir", place / "dist", ".", cwd=clone)
    return place / "dist"


@pytest.mark.long
def test_both_have_all_that_belongs_in_them(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    package = {
        f"bot/{path.relative_to(ROOT / 'bot').as_posix()}"
        for path in (ROOT / "bot").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package <= in_wheel
    assert {name.partition("/")[0] for name in in_wheel} == {"bot", f"mtl_paper_bot-{__version__}.dist-info"}  # fmt: skip
    (source,) = built.glob("*.tar.gz")
    listed = call("tar", "tzf", source, cwd=built).stdout.splitlines()
    there = {name.partition("/")[2] for name in listed}
    assert package | {"pyproject.toml", "constraints.txt", "docs/index.md", "LICENSE"} <= there


@pytest.mark.long
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_it_installs_and_trades(built: Path, version: str, tmp_path: Path) -> None:
    python = shutil.which(f"python{version}")
    if python is None or not _works(python):
        pytest.skip(f"no Python {version} is here")
    call(python, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    pip, bot = tmp_path / "venv/bin/pip", tmp_path / "venv/bin/bot"
    (package,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with_torch = _install_torch(pip, tmp_path)
    if with_torch:
        call(pip, "install", f"{package}[{RUNNING}]", cwd=tmp_path)
    else:
        call(pip, "install", "--no-deps", package, cwd=tmp_path)
        wanted = [r for name in ("base", *RUNNING.split(",")) for r in declared()[name]]
        call(pip, "install", *(r for r in wanted if not r.startswith("torch")), cwd=tmp_path)
    _says_its_name(bot, tmp_path)
    if not with_torch:
        pytest.skip(f"no build of torch for processors and Python {version}: nothing was traded")
    _shows_its_settings(bot, tmp_path)
    run = ["--practice", "--bars", "2", "--run-dir", "runs/demo"]
    call(bot, "run", *run, cwd=tmp_path)
    assert "identical" in call(bot, "verify", "runs/demo", cwd=tmp_path).stdout
    call(bot, "report", "runs/demo", cwd=tmp_path)
    said = call(bot, "status", "runs/demo", "--check", cwd=tmp_path, check=False)
    assert (said.returncode, said.stderr[:6]) == (1, "error:")
    call(bot, "export", "runs/demo", "--what", "all", "--format", "xlsx", cwd=tmp_path)
    call(pip, "install", "--no-deps", "--force-reinstall", source, cwd=tmp_path)
    _says_its_name(bot, tmp_path)
    _shows_its_settings(bot, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_wheels_of_all_it_needs_are_there_for(version: str, tmp_path: Path) -> None:
    """Where a Python is not here, pip still says which wheels it would take for it."""
    report = tmp_path / "report.json"
    wanted = sorted({r for name in ("base", *RUNNING.split(",")) for r in declared()[name]})
    options = ("--dry-run", "--quiet", "--ignore-installed", "--only-binary", ":all:")
    call(
        sys.executable, "-m", "pip", "install", *options, "--python-version", version,
        "--target", tmp_path / "nowhere", "--report", report, *wanted, cwd=tmp_path,
    )  # fmt: skip
    taken = json.loads(report.read_text("utf-8"))["install"]
    files = {each["metadata"]["name"].lower(): each["download_info"]["url"] for each in taken}
    built_for = f"cp{version.replace('.', '')}"
    for name in ("torch", "numba", "numpy", "pandas"):
        assert f"-{built_for}-{built_for}-" in files[name], name


@pytest.mark.long
def test_licences_of_an_installation(built: Path, tmp_path: Path) -> None:
    """Nothing comes along that the command does not name, and nothing that it refuses."""
    call("python3", "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    pip, python = tmp_path / "venv/bin/pip", tmp_path / "venv/bin/python"
    if not _install_torch(pip, tmp_path):
        pytest.skip("no build of torch for processors is here")
    (wheel,) = built.glob("*.whl")
    call(pip, "install", f"{wheel}[{RUNNING}]", cwd=tmp_path)
    table = call(python, "-m", "scripts.licences", cwd=ROOT).stdout
    told = {re.sub(r"[-_.]+", "-", line.split("|")[1].strip().lower()) for line in table.splitlines()[2:]}  # fmt: skip
    listed = call(pip, "list", "--format", "freeze", cwd=tmp_path).stdout.split()
    there = {re.sub(r"[-_.]+", "-", line.split("==")[0].split("@")[0].strip().lower()) for line in listed if "==" in line}  # fmt: skip
    assert there - told <= {"pip", "setuptools", "wheel", "mtl-paper-bot"}


def _says_its_name(bot: Path, cwd: Path) -> None:
    """Try what needs no torch."""
    assert "Usage: bot" in re.sub(r"\x1b\[[0-9;]*m", "", call(bot, "--help", cwd=cwd).stdout)
    assert f"bot {__version__}" in call(bot, "--version", cwd=cwd).stdout


def _shows_its_settings(bot: Path, cwd: Path) -> None:
    """Try what needs the parts, and so torch, and the files in the package."""
    example = call(bot, "config", "example", cwd=cwd).stdout
    assert example == (ROOT / "config.example.toml").read_text(encoding="utf-8")
    for ready in FOLDER.glob("*.toml"):
        assert call(bot, "config", "example", ready.stem, cwd=cwd).stdout == ready.read_text("utf-8")  # fmt: skip
    (cwd / "config.toml").unlink(missing_ok=True)
    call(bot, "init", "config.toml", "--ready", "synthetic", cwd=cwd)


def _install_torch(pip: Path, cwd: Path) -> bool:
    """Install torch's build for processors alone; return whether there is one."""
    places = (["--no-index"], ["--isolated", "--index-url", "https://download.pytorch.org/whl/cpu"])
    for place in places:
        if call(pip, "install", "--no-deps", *place, "torch", cwd=cwd, check=False).returncode == 0:
            return True
    return False
