"""`scripts/pages`: write what commands say into README and docs."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from scripts.documents.blocks import ROOT, blocks_of, documents, replaced
from scripts.documents.made import MADE
from scripts.documents.measured import MEASURED
from scripts.documents.pictures import report_picture, watch_picture
from scripts.documents.studies import keep_page, short_table


def main() -> None:
    """Write the blocks that the code makes, and the measured ones that are named."""
    parser = argparse.ArgumentParser(prog="scripts/pages", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURED)}")
    parser.add_argument("--data", metavar="DIR", help="candles of Bybit, for real-backtests")
    parser.add_argument(
        "--picture", action="store_true", help="make the pictures in docs/images too"
    )
    parser.add_argument("--screenshots", action="store_true", help="make docs/pictures too")
    parser.add_argument(
        "--study", action="append", default=[], type=Path, metavar="DIR",
        help="a finished 'bot compare': its tables into docs/measured, its short table into the findings",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="list the blocks and where they stand")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in MEASURED]
    if unknown:
        parser.error(f"no measured block {', '.join(unknown)}; there are {', '.join(MEASURED)}")
    if asked.list:
        for path in documents():
            for block in blocks_of(path.read_text(encoding="utf-8")) if path.exists() else ():
                print(f"{path.name}: {block.kind} {block.name} {block.day or ''}".rstrip())
        return
    for name, make in MADE.items():
        _write("made", name, make(), None)
    if asked.picture:
        for picture in (report_picture, watch_picture):
            print(picture().relative_to(ROOT))
    if asked.screenshots:
        from scripts.documents.screenshots import screenshots

        for path in screenshots():
            print(path.relative_to(ROOT))
    today = datetime.now(UTC).date().isoformat()
    for folder in asked.study:
        for path in keep_page(folder, today):
            print(path.relative_to(ROOT))
        _write("measured", folder.name, short_table(folder), today)
    for name in asked.names:
        _write("measured", name, MEASURED[name](asked.data), today)


def _write(kind: str, name: str, content: str, day: str | None) -> None:
    for path in documents():
        if path.exists():
            before = path.read_text(encoding="utf-8")
            after = replaced(before, kind, name, content, day)
            if after != before:
                path.write_text(after, encoding="utf-8")
                print(f"{path.name}: {name}")


if __name__ == "__main__":
    main()
