"""The notebooks under docs run from top to bottom, each cell as Jupyter would run it."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; return the value of its last line, as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        return exec(compile(tree, "cell", "exec"), names)
    del tree.body[-1]
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(path.read_text("utf-8"))
    assert notebook["nbformat"] == 4
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for cell in notebook["cells"]:
        assert cell.get("outputs", []) == [], "what it prints differs from machine to machine"
        if cell["cell_type"] == "code":
            shown.append(str(run_cell("".join(cell["source"]), names)))
    text = capsys.readouterr().out + "\n".join(shown)
    assert "Sharpe ratio" in text
    assert "tried" in text
    assert list(tmp_path.iterdir()) == [], "it leaves nothing where one stands"


def test_there_is_one() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["first_run"]
