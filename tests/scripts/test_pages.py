"""Figures, tables and transcripts of the documents are what their commands print, or say when."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest

from scripts.documents.blocks import ROOT, blocks_of, documents, replaced
from scripts.documents.made import MADE
from scripts.documents.measured import MEASURED

PINNED = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
PRESENT = [path for path in documents() if path.exists()]
ALL = [(path.name, block) for path in PRESENT for block in blocks_of(path.read_text("utf-8"))]


@pytest.mark.parametrize("name", MADE)
def test_what_the_code_says_of_itself_stands_in_the_documents(name: str) -> None:
    standing = [
        block.text.strip() for _, block in ALL if (block.kind, block.name) == ("made", name)
    ]
    assert standing, f"no document has the block {name}"
    if name == "commands-in-full" and f"typer=={version('typer')}" not in PINNED:
        pytest.skip("how a command's help is laid out differs between versions of typer")
    assert set(standing) == {MADE[name]().strip()}, "run scripts/pages"


def test_what_was_measured_has_a_maker_a_day_and_a_content() -> None:
    for file, block in ALL:
        if block.kind == "measured":
            study = ROOT / "docs" / "measured" / f"{block.name}.md"
            assert block.name in MEASURED or study.exists(), f"{file}: {block.name}"
            assert block.day, f"{file}: {block.name} has no day"
            assert block.text.strip(), f"{file}: {block.name} is empty; run scripts/pages"


def test_the_short_table_of_a_study_is_of_its_whole_tables() -> None:
    for file, block in ALL:
        study = ROOT / "docs" / "measured" / f"{block.name}.md"
        if block.kind == "measured" and study.exists():
            said, whole = re.findall(r"[+-]\d\.\d{4}", block.text), study.read_text("utf-8")
            assert len(said) > 20, file
            assert [each for each in said if each not in whole] == [], f"{file}: {block.name}"


def test_every_block_is_closed() -> None:
    for path in PRESENT:
        text = path.read_text("utf-8")
        opened = len(re.findall(r"^<!-- (?:made|measured):", text, re.MULTILINE))
        assert opened == len(list(blocks_of(text))), path.name


def test_a_transcript_stands_in_a_block() -> None:
    for path in PRESENT:
        outside = path.read_text("utf-8")
        for block in blocks_of(outside):
            outside = outside.replace(block.text, "")
        assert "```console" not in outside, f"{path.name}: a transcript that no command writes"


def test_a_block_is_replaced_and_nothing_else() -> None:
    text = "a\n<!-- measured: x, 2020-01-01 -->\nold\n<!-- /measured -->\nb <!-- made: x -->\n"
    assert replaced(text, "measured", "x", "new", "2021-02-03") == (
        "a\n<!-- measured: x, 2021-02-03 -->\nnew\n<!-- /measured -->\nb <!-- made: x -->\n"
    )
    assert replaced(text, "made", "x", "new") == text


def test_the_root_is_that_of_the_project() -> None:
    assert (ROOT / "pyproject.toml").is_file()
