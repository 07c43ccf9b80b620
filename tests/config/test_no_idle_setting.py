"""No setting that nothing reads: each one's name is read as an attribute outside bot/config."""

from __future__ import annotations

import ast
from pathlib import Path

from bot.config import flatten, load_config

BOT = Path(__file__).resolve().parents[2] / "bot"


def attributes_read() -> set[str]:
    read = set()
    for path in BOT.rglob("*.py"):
        if "config" in path.relative_to(BOT).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                read.add(node.attr)
    return read


def test_every_setting_is_read_somewhere() -> None:
    read = attributes_read()
    idle = [key for key in flatten(load_config(environ={})) if key.rpartition(".")[2] not in read]
    assert idle == []
