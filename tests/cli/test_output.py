"""How wide what the commands print is, and what is printed where letters are lacking."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from bot.__main__ import main
from bot.cli.output import WIDTH, stdout_console
from bot.cli.plain import write_plainly

if TYPE_CHECKING:
    from tests.conftest import Ran


@pytest.mark.parametrize(
    ("columns", "width"), [(None, WIDTH), ("90", 90), ("200", 200), ("0", WIDTH), ("wide", WIDTH)]
)
def test_columns_are_obeyed_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, columns: str | None, width: int
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert stdout_console().width == width


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", b"-0.20 -> +1.5 % | equity ? \xe9".replace(b"\xe9", b"?")),
        ("latin-1", b"-0.20 -> +1.5 % \xb7 equity ? \xe9"),
        ("utf-8", "−0.20 → +1.5\u202f% · equity ▁ é".encode()),
    ],
)
def test_a_minus_stays_a_minus_where_letters_are_lacking(encoding: str, written: bytes) -> None:
    kept = io.BytesIO()
    stream = io.TextIOWrapper(kept, encoding=encoding)
    write_plainly(stream)
    stream.write("−0.20 → +1.5\u202f% · equity ▁ é")
    stream.flush()
    assert kept.getvalue() == written


def test_a_name_that_is_no_text_ends_no_command() -> None:
    kept = io.BytesIO()
    stream = io.TextIOWrapper(kept, encoding="utf-8")
    write_plainly(stream)
    print("runs/no\udcfftext", file=stream, flush=True)
    assert kept.getvalue() == b"runs/no?text\n"


def test_a_command_writes_to_a_terminal_without_utf8(
    short: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(err, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["bot", "status", "−" + str(short.folder.path)])
    with pytest.raises(SystemExit):
        main()
    sys.stderr.flush()
    assert err.getvalue().startswith(b"error: -/"), err.getvalue()
    monkeypatch.setattr(sys, "argv", ["bot", "status", str(short.folder.path)])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert b"equity" in out.getvalue()
