"""Counts, near names and printed commands: what is printed works in a shell, blanks included."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.wording import command, command_in_text, counted

if TYPE_CHECKING:
    from tests.conftest import Cli, Ran


@given(st.lists(st.text(min_size=1), max_size=4))
def test_a_shell_reads_the_words_that_were_meant(words: list[str]) -> None:
    assert shlex.split(command(*words)) == ["bot", *words]
    marked = command_in_text(*words)
    assert marked[0] == marked[-1]
    assert shlex.split(marked[1:-1]) == ["bot", *words]


def test_one_is_one() -> None:
    assert [counted(n, "model") for n in (0, 1, 2, 1000)] == [
        "0 models", "1 model", "2 models", "1,000 models",
    ]  # fmt: skip


def test_what_a_report_prints_can_be_typed_where_it_was_printed(
    cli: Cli, short: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my runs").mkdir()
    (tmp_path / "my runs" / "one bar").symlink_to(short.folder.path)
    monkeypatch.chdir(tmp_path)
    said = cli("report", Path("my runs/one bar"))
    (line,) = [each for each in said.out.splitlines() if each.startswith("every table: ")]
    words = shlex.split(line.removeprefix("every table: "))
    assert words == ["bot", "report", "my runs/one bar", "--full"]
    assert cli(*words[1:]).code == 0
