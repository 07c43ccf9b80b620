"""What `bot run` says at its end."""

from __future__ import annotations

import io

from rich.console import Console

from bot.app.runs.farewell import farewell
from bot.app.runs.folder import RunFolder
from bot.app.runs.status import read_status

AGAIN = ["run", "--practice", "--bars", "30"]


def told(folder: RunFolder, again: list[str]) -> str:
    out = io.StringIO()
    Console(file=out, width=100).print(farewell(folder, again))
    return out.getvalue()


def test_where_it_stands_and_what_comes_next(live_run: RunFolder) -> None:
    text = told(live_run, AGAIN)
    status = read_status(live_run)
    assert f"{status.equity:,.2f}" in text
    assert f"{status.fills:,}; fees {status.fees:,.2f}" in text
    words = " ".join(text.split())
    assert f"report bot report {live_run.path}" in words
    assert f"bot run --practice --bars 30 --run-dir {live_run.path}" in words
    assert words.endswith(f"page bot serve {live_run.path.parent}")


def test_a_folder_that_was_named_is_not_named_twice(live_run: RunFolder) -> None:
    words = " ".join(told(live_run, [*AGAIN, "--run-dir=runs/a b"]).split())
    assert "bot run --practice --bars 30 '--run-dir=runs/a b' page" in words
