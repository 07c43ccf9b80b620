"""The fixtures are what `python -m scripts.fixtures` makes, small, and shaped as Bybit's own messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scripts.fixtures import FOLDER, REST, make


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fixtures")
    make(folder)
    return folder


def files_of(folder: Path) -> list[Path]:
    """Return what the script makes; old runs lie beside it."""
    made = (path for part in ("data", "wire") for path in (folder / part).rglob("*"))
    return sorted(path.relative_to(folder) for path in made if path.is_file())


def test_the_files_are_those_that_the_script_makes(made: Path) -> None:
    assert files_of(FOLDER) == files_of(made)
    for name in files_of(made):
        kept, new = FOLDER / name, made / name
        if name.suffix == ".json":
            assert kept.read_text("utf-8") == new.read_text("utf-8"), name
            continue
        a, b = pd.read_parquet(kept), pd.read_parquet(new)
        assert list(a.columns) == list(b.columns), name
        for column in a.columns:
            np.testing.assert_allclose(a[column], b[column], rtol=1e-6, err_msg=f"{name} {column}")


def test_they_are_small() -> None:
    assert sum((FOLDER / name).stat().st_size for name in files_of(FOLDER)) < 1_000_000


def shape(value: Any) -> Any:
    """Return the types inside a JSON value; of a list those of its first member."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


@pytest.mark.parametrize(
    ("name", "bybits"),
    [
        # of instruments ours say less, and there is no recorded answer about risk limits
        *((n, n) for n in REST if "instruments" not in n and "risk" not in n),
        ("ws_kline_linear", "ws_kline"),
        ("ws_kline_unconfirmed_linear", "ws_kline_unconfirmed"),
        ("ws_tickers_spot_snapshot", "ws_ticker_spot"),
        ("ws_subscribe_ok_spot", "ws_subscribe_ok"),
        ("ws_pong_spot", "ws_pong_spot"),
    ],
)
def test_messages_have_the_shape_of_bybits(name: str, bybits: str, real_root: Path) -> None:
    ours = json.loads((FOLDER / "wire" / f"{name}.json").read_text("utf-8"))
    theirs = (real_root / "protocol" / f"{bybits}.json").read_text("utf-8")
    assert shape(ours) == shape(json.loads(theirs))
