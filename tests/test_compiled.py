"""Machine code is never older than the sources it came from."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import compiled
from bot.compiled import PACKAGE, SOURCES, cache_folder, cache_key

TINY = """
import json, numpy as np
from bot.features.long_windows import _deviation_of
from bot.model.predict import _fill
sums = np.zeros((1, 2, 2)); sums[0, :, 0] = 6.0, 20.0
tile = np.zeros((1, 1, 1), dtype=np.float32)
_fill(np.array([[99.0]]), np.array([0]), np.zeros(1), np.ones(1), 0.0, tile)
print(json.dumps([_deviation_of(sums, 0, 0, 3), float(tile[0, 0, 0])]))
"""


def run_in(tree: Path, *, cache: Path | None = None) -> list[float]:
    told = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    env = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | told
    if cache is not None:
        env["NUMBA_CACHE_DIR"] = str(cache)
    done = subprocess.run(
        [sys.executable, "-c", TINY], cwd=tree, env=env, capture_output=True, text=True, check=True
    )
    values: list[float] = json.loads(done.stdout)
    return values


def test_a_change_of_another_file_is_seen_without_touching_anything(tmp_path: Path) -> None:
    """A formula two files away, and a constant that a kernel closes over; sizes stay as they are."""
    shutil.copytree(PACKAGE, tmp_path / "bot", ignore=shutil.ignore_patterns("__pycache__"))
    assert run_in(tmp_path) == [2.0, 10.0]  # the deviation of 0, 2, 4; the cut at ±10
    assert len(list((tmp_path / "bot/__pycache__").glob("kernels-*/*/*.nbc"))) >= 3
    for name, old, new in (
        ("features/running_sums.py", "(n - 1)", "(n - 2)"),
        ("model/scaler.py", "CLIP = 10.0", "CLIP = 12.0"),
    ):
        path = tmp_path / "bot" / name
        text, before = path.read_text(), path.stat()
        assert text.count(old) >= 1
        path.write_text(text.replace(old, new))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run_in(tmp_path) == [pytest.approx(8.0**0.5), 12.0]


def test_the_key_is_of_every_source(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "bot", ignore=shutil.ignore_patterns("__pycache__"))
    package = tmp_path / "bot"
    assert cache_key(package) == cache_key()
    for name in (
        "blocks.py",
        "features/catalogue.py",
        "portfolio/rules.py",
        "practice/synthetic_kernel.py",
    ):
        path, before = package / name, cache_key(package)
        path.write_text(path.read_text() + "\n")
        assert cache_key(package) != before, name


COMPILERS = {
    "bot.compiled": {"njit"},
    "bot.portfolio.kernel.compiling": {"hot", "cold"},
}


def modules_with_kernels() -> Iterator[Path]:
    for path in sorted(PACKAGE.rglob("*.py")):
        imported = imports_of(path)
        if any(names.intersection(imported.get(m, [])) for m, names in COMPILERS.items()):
            yield path


def imports_of(path: Path) -> dict[str, list[str]]:
    """Return the package's own modules that a file imports from, and the names."""
    tree = ast.parse(path.read_text())
    found = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module]
    return {str(n.module): [a.name for a in n.names] for n in found if str(n.module)[:3] == "bot"}


def file_of(module: str) -> Path:
    path = PACKAGE.parent / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def is_hashed(path: Path) -> bool:
    own = path.relative_to(PACKAGE)
    return any(own == Path(part) or Path(part) in own.parents for part in SOURCES)


def test_the_key_covers_all_that_kernels_import() -> None:
    """Settings and errors are left out: see the next test."""
    waiting, seen = list(modules_with_kernels()), set[Path]()
    assert len(waiting) >= 8
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        assert is_hashed(path), f"{path} is imported by kernels: add it to compiled.SOURCES"
        names = [m for m in imports_of(path) if not m.startswith(("bot.config", "bot.errors"))]
        waiting += [file_of(name) for name in names]


def test_no_kernel_closes_over_a_setting() -> None:
    for path in modules_with_kernels():
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        module = importlib.import_module(name)
        kernels = [v for v in vars(module).values() if hasattr(v, "py_func")]
        used = {n for k in kernels for n in inspect.getclosurevars(k.py_func).globals}
        for source, names in imports_of(path).items():
            if not is_hashed(file_of(source)):
                assert not used.intersection(names), f"{name}: a kernel uses {source}"


def test_only_one_module_imports_numbas_decorator() -> None:
    decorators = {"njit", "jit", "cfunc", "vectorize", "guvectorize", "overload"}
    lines = {
        path: [line for line in path.read_text().splitlines() if line.startswith("from numba ")]
        for path in PACKAGE.rglob("*.py")
    }
    users = [p for p, of in lines.items() if decorators & set(re.findall(r"\w+", " ".join(of)))]
    assert users == [PACKAGE / "compiled.py"]


def test_the_first_place_that_can_be_written_is_taken(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    folder = cache_folder(iter([blocked / "in a file", tmp_path / "here", tmp_path / "there"]), "k")
    assert folder == tmp_path / "here" / "kernels-k"
    assert not (tmp_path / "there").exists()
    nowhere = cache_folder(iter([blocked / "in a file"]), "k")
    assert nowhere.is_dir()
    assert nowhere.stat().st_mode & 0o777 == 0o700
    nowhere.rmdir()


def test_a_shared_temporary_folder_of_someone_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machine code is run as it lies there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = tmp_path / f"mtl-paper-bot-{os.getuid()}"
    assert list(compiled.places())[-1] == own
    own.chmod(0o777)
    assert own not in list(compiled.places())
    own.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    own.symlink_to(tmp_path / "elsewhere")
    assert own not in list(compiled.places())


def test_old_folders_are_pruned(tmp_path: Path) -> None:
    now = time.time()
    for k in range(7):
        folder = tmp_path / f"kernels-{k}"
        folder.mkdir()
        os.utime(folder, (now - k * 13 * 3600, now - k * 13 * 3600))
    (tmp_path / "other").mkdir()
    cache_folder(iter([tmp_path]), "new")
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [*(f"kernels-{k}" for k in range(4)), "kernels-new", "other"]


def test_a_training_process_finds_the_same_folder() -> None:
    pool = multiprocessing.get_context("forkserver").Pool(1)
    try:
        assert pool.apply(told_folder) == compiled.CACHE
    finally:
        pool.terminate()
        pool.join()


def told_folder() -> Path:
    return compiled.CACHE
