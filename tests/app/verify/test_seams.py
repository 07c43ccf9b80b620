"""A run that two builds made: each proves its own stretch, and neither speaks for the other's."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.adapters.journal.forms import open_journal
from bot.adapters.system.build import present_build
from bot.app.runs.folder import RunFolder
from bot.app.verify.chain import check_chain
from bot.app.verify.proof import Result, verify

if TYPE_CHECKING:
    from tests.app.conftest import LiveRun
    from tests.conftest import Ran

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

SEAM = 120
"""Bars after the start; a bar with fills at its open, so that an open seam matters."""

Live = Callable[["Ran", RunFolder], "LiveRun"]


def lived(ran: Ran, folder: RunFolder, live_of: Live, *, opened: bool) -> tuple[RunFolder, int]:
    """Let a build that takes half the fee make the first bars, and this one the rest.

    Returns:
        the folder, and the last bar that the other build closed.
    """
    live = live_of(ran, folder)
    right = live.engine
    live.engine = replace(right, rules=right.rules._replace(taker_fee=right.rules.taker_fee / 2))
    bars, first = ran.market.bars, ran.market.start_index
    live.warm(bars.rows(0, first))
    live.start(int(bars.open_time[first]))
    turned = None
    for i in range(first, first + 2 * SEAM):
        bar = bars.rows(i, i + 1)
        row = live.open(bar)
        if turned is None and opened and i > first + SEAM and live.fills_at_open:
            turned = i - 1
            live.restart(build="another")
            live.engine = right
        live.close(row, bar)
        if turned is None and not opened and i == first + SEAM:
            turned = i
            live.restart(build="another")
            live.engine = right
    live.journal.close()
    assert turned is not None
    return folder, int(bars.open_time[turned])


@pytest.fixture(scope="module", params=[False, True], ids=["closed", "open"])
def two_builds(
    request: pytest.FixtureRequest, traded: Ran, live_of: Live,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[RunFolder, int]:  # fmt: skip
    folder = RunFolder(tmp_path_factory.mktemp("seam") / "run")
    return lived(traded, folder, live_of, opened=request.param)


@pytest.fixture
def copy(two_builds: tuple[RunFolder, int], tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(two_builds[0].path, tmp_path / "run")))


def change(folder: RunFolder, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(folder.journal)) as db:
        assert db.execute(sql, values).rowcount >= 1
        db.commit()


def test_the_other_stretch_is_named_and_ours_is_proved(two_builds: tuple[RunFolder, int]) -> None:
    folder, seam = two_builds
    verdict = verify(folder)
    assert verdict.difference is None, verdict
    assert verdict.result is Result.OTHER_BUILDS
    assert verdict.result.exit_code == 8
    [stretch] = verdict.stretches
    assert stretch.made_by == "build another (code another)"
    assert stretch.after is None
    assert stretch.to in {seam, seam + 3_600_000}
    assert (stretch.difference.table, stretch.difference.field) == ("fills", "fee")
    assert verdict.replayed_sha256 is None
    assert verdict.as_json()["other_builds"][0]["made_by"] == stretch.made_by
    with open_journal(folder.journal) as snapshot:
        one, two = snapshot.builds()
        assert (one.is_seam, two.is_seam, two.closed) == (False, True, seam)
        assert two.digest == present_build().digest
        assert check_chain(snapshot) is None


@pytest.mark.parametrize("behind", [-50, -1, 0, 1, 2, 50])
@pytest.mark.parametrize(
    ("table", "field"), [("ledger", "cash"), ("decisions", "signal"), ("bars", "close")]
)
def test_a_change_on_either_side_of_the_seam_is_a_difference(
    copy: RunFolder, two_builds: tuple[RunFolder, int], behind: int, table: str, field: str
) -> None:
    at = two_builds[1] + behind * 3_600_000
    change(copy, f"UPDATE {table} SET {field} = coalesce({field}, 0) + 1 WHERE open_time = ?", at)
    found = verify(copy)
    assert found.result is Result.DIFFERENT
    assert found.difference is not None
    assert found.difference.open_time == at


@pytest.mark.parametrize("where", ["<=", ">"])
def test_a_fill_that_is_gone_on_either_side_is_a_difference(
    copy: RunFolder, two_builds: tuple[RunFolder, int], where: str
) -> None:
    with closing(sqlite3.connect(copy.journal)) as db:
        [number] = db.execute(
            f"SELECT max(id) FROM fills WHERE open_time {where} ?", (two_builds[1],)
        ).fetchone()
    change(copy, "DELETE FROM fills WHERE id = ?", number)
    assert verify(copy).result is Result.DIFFERENT


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE builds SET state = (SELECT blob FROM state) WHERE position = 2",
        "UPDATE builds SET closed = closed - 3600000 WHERE position = 2",
        "UPDATE builds SET digest = 'mine' WHERE position = 1",
        "DELETE FROM builds WHERE position = 2",
        "DELETE FROM builds WHERE position = 1",
        "UPDATE builds SET state = NULL WHERE position = 2",
    ],
)
def test_a_seam_cannot_be_moved_forged_or_taken_away(copy: RunFolder, sql: str) -> None:
    change(copy, sql)
    assert verify(copy).result is Result.DIFFERENT


def test_a_build_that_makes_the_same_is_told_and_proved(
    traded: Ran, live_of: Live, tmp_path: Path
) -> None:
    live = live_of(traded, RunFolder(tmp_path / "run"))
    bars, first = traded.market.bars, traded.market.start_index
    live.warm(bars.rows(0, first // 2))
    live.restart(build="first")
    live.warm(bars.rows(first // 2, first))
    live.start(int(bars.open_time[first]))
    for i in range(first, first + 30):
        live.close(live.open(bars.rows(i, i + 1)), bars.rows(i, i + 1))
    live.journal.close()
    verdict = verify(live.folder)
    assert verdict.identical, verdict
    assert verdict.stored_sha256 == verdict.replayed_sha256
    assert verdict.notes == ("made by build first (code first); this build makes the same",)
