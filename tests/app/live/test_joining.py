"""Symbols that join and leave a run that goes on: fetched, journaled, traded, proved."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.files import commands as files
from bot.adapters.files.commands import Asked
from bot.adapters.journal.forms import open_journal
from bot.app.live.begun import ask_for_symbols, begun
from bot.app.runs.folder import RunFolder
from bot.app.runs.in_force import config_in_force
from bot.app.verify.proof import verify
from bot.config import to_toml
from bot.errors import ConfigError, UnreachableError
from bot.practice.faults import Faults
from bot.timegrid import HOUR_MS
from bot.timestamps import format_utc
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal, Script

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

SETTINGS = (
    "retrain.every_bars=12",
    "data.history_bars=60",
    "training.min_rows=50",
    "synthetic.missing=0",
)
FEW, ALL = ["SYN0USDT", "SYN1USDT"], ["SYN0USDT", "SYN1USDT", "SYN2USDT"]
NEW = "SYN2USDT"


def made(folder: Path, *sets: str) -> Rehearsal:
    """A run of two of the three symbols that the exchange has."""
    run = Rehearsal.make(folder, *SETTINGS, *sets)
    market = run.config.market.model_copy(update={"symbols": tuple(FEW)})
    config = run.config.model_copy(update={"market": market})
    run.folder.config.write_text(to_toml(config), encoding="utf-8")
    run.config = config
    return run


def asked(run: Rehearsal, symbols: list[str], hours: float, **more: Any) -> Asked:
    at_ms = run.begin_ms + round(hours * HOUR_MS)
    name = f"{files.new_id(at_ms).rpartition('-')[0]}-00000000"
    return Asked(name, "set", {"market.symbols": symbols, **more}, "ann", at_ms)


def asking(run: Rehearsal, *wanted: Asked) -> Script:
    async def go(exchange: DirectExchange, stop: asyncio.Event) -> None:
        del stop
        for each in wanted:
            await exchange.clock.sleep_until(each.asked_ms)
            with open_journal(run.folder.journal) as record:
                known = {row.id for row in record.commands()}
            if each.id not in known | set(files.waiting(run.folder.path)):
                files.ask(run.folder.path, each)

    return go


def live(run: Rehearsal, bars: int, *wanted: Asked) -> None:
    run.run(bars, script=asking(run, *wanted), pool=PoolHere(seconds=0.0))


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    run = made(tmp_path_factory.mktemp("joined") / "run")
    live(run, 60, asked(run, ALL, 20.2))
    return run


def test_a_symbol_joins_between_two_bars_with_its_history_and_is_traded(joined: Rehearsal) -> None:
    with open_journal(joined.folder.journal) as record:
        assert record.symbols == tuple(ALL)
        told, row = record.commands()
        assert (told.kind, list(told.values)) == ("instruments", [NEW])
        assert (row.kind, row.refused, row.inside) == ("set", None, False)
        assert row.open_time == (joined.begin_ms // HOUR_MS + 21) * HOUR_MS
        assert record.joins.later == ((row.open_time, 3),)
        bars = record.bars()
        fills = record.fills()
        decisions = record.rows("decisions")
    before = bars.valid[bars.open_time < row.open_time]
    assert before[:, :2].all()
    assert before[-60:, 2].all(), "as much of its history as a start fetches"
    assert not before[:-60, 2].any()
    mine = fills[fills["symbol"] == 2]
    assert len(mine) > 3
    assert mine["open_time"].min() > row.open_time
    assert {r[1] for r in decisions if r[0] < row.open_time} == set(FEW)
    assert {r[1] for r in decisions if r[0] >= row.open_time} == set(ALL)
    stopped = [e["reason"] for e in joined.events("run_stopped")]
    assert stopped == ["symbols join", "bars reached"]


def test_it_is_proved_and_true(joined: Rehearsal) -> None:
    proof = prove(joined.folder, joined.source)
    assert (proof.untrue, proof.late) == (0, 0)
    assert proof.holes == 21, "what a start would not have fetched"
    assert len(proof.models) > 4


def test_it_is_known_from_its_first_bar_on(joined: Rehearsal) -> None:
    with open_journal(joined.folder.journal) as record:
        at = record.joins.later[0][0]
        times = record.ledger_times()
        value, _ = record.forecasts(times)
    assert np.isfinite(value[times == at, 2]).any(), "its features were warm"
    assert np.isnan(value[times < at, 2]).all()


def test_a_changed_row_of_its_history_is_found(joined: Rehearsal, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(joined.folder.path, copy)
    db = sqlite3.connect(copy / "journal.db")
    at = db.execute("SELECT open_time FROM commands").fetchone()[0]
    db.execute(
        "UPDATE bars SET close = close * 1.001 WHERE symbol = ? AND open_time = ?",
        (NEW, at - 5 * HOUR_MS),
    )
    db.commit()
    db.close()
    verdict = verify(RunFolder(copy))
    assert not verdict.identical
    assert verdict.difference is not None
    assert (verdict.difference.table, verdict.difference.field) == ("bars", "row_hash")


def test_it_goes_on_after_a_restart_and_more_may_join_and_leave(tmp_path: Path) -> None:
    run = made(tmp_path / "run", "synthetic.symbols=4")
    live(run, 12, asked(run, ALL, 5.2))
    run.begin_ms += 15 * HOUR_MS
    every = [*ALL, "SYN3USDT"]
    live(run, 12, asked(run, every[1:], 3.2), asked(run, ["SYN3USDT"], 7.4))
    run.begin_ms += 15 * HOUR_MS
    live(run, 12, asked(run, every, 4.2))
    proof = prove(run.folder, run.source)
    assert proof.untrue == 0
    with open_journal(run.folder.journal) as record:
        assert record.symbols == tuple(every)
        kinds = [(row.kind, row.refused) for row in record.commands()]
        assert config_in_force(run.config, record.commands()).market.symbols == tuple(every)
        times = record.ledger_times()
        quantity = record.positions(times)
        rows = [row for row in record.commands() if row.kind == "set"]
        bars = record.bars(int(times[0]) - 1)
    assert kinds == [("instruments", None), ("set", None)] * 2 + [("set", None)] * 2
    gone, back = rows[2].open_time, rows[3].open_time
    out = (times > gone + 2 * HOUR_MS) & (times < back)
    assert out.sum() > 5
    assert (quantity[out][:, :3] == 0.0).all(), "what left is closed"
    leaving = bars.leaving[(times >= gone) & (times < back)]
    assert leaving[:, :3].all()
    assert not leaving[:, 3].any()
    assert not bars.leaving[times >= back].any()


def test_one_that_cannot_join_is_refused_by_name_and_the_run_goes_on(tmp_path: Path) -> None:
    run = made(tmp_path / "run")

    async def go(exchange: DirectExchange, stop: asyncio.Event) -> None:
        exchange.delisted.add(NEW)
        await asking(run, asked(run, ALL, 4.2), asked(run, [*FEW, "bybit_spot:SYN2USDT"], 6.2))(
            exchange, stop
        )

    run.run(12, script=go, pool=PoolHere(seconds=0.0))
    first, second = run.events("command_refused")
    assert NEW in first["reason"]
    assert "bybit_spot:SYN2USDT" in second["reason"]
    with open_journal(run.folder.journal) as record:
        assert record.symbols == tuple(FEW)
        assert len(record.ledger_times()) == 12
    assert files.waiting(run.folder.path) == []
    assert verify(run.folder).identical


def test_one_that_is_launched_in_the_middle_of_a_run_joins_once_it_trades(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    launch = (run.begin_ms // HOUR_MS + 10) * HOUR_MS
    wanted = asked(run, ALL, 4.2), asked(run, ALL, 12.2)
    run.run(
        60, script=asking(run, *wanted), pool=PoolHere(seconds=0.0),
        faults=Faults(launched=1, launch_ms=launch),
    )  # fmt: skip
    (refused,) = run.events("command_refused")
    assert refused["reason"].startswith(
        f"market.symbols: {NEW} is PreLaunch: trading has not begun; leave it out until "
        f"{format_utc(launch)} UTC"
    )
    with open_journal(run.folder.journal) as record:
        bars, fills = record.bars(), record.fills()
        joined_at = record.joins.later[0][0]
        known = record.forecasts(record.ledger_times())[0][:, 2]
        times = record.ledger_times()
    assert joined_at == launch + 3 * HOUR_MS
    np.testing.assert_array_equal(bars.valid[:, 2], bars.open_time >= launch)
    assert np.isnan(known[times < launch + 10 * HOUR_MS]).all(), "too young to be known"
    assert np.isfinite(known[-10:]).all()
    assert (fills["symbol"] == 2).any()
    assert verify(run.folder).identical


def test_a_new_run_does_not_begin_with_what_is_not_launched(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    market = run.config.market.model_copy(update={"symbols": tuple(ALL)})
    run.config = run.config.model_copy(update={"market": market})
    later = Faults(launched=1, launch_ms=run.begin_ms + 10 * HOUR_MS)
    with pytest.raises(ConfigError, match=r"SYN2USDT is PreLaunch: .*then let it join"):
        run.run(5, faults=later)
    assert not run.folder.journal.exists()


def test_an_exchange_that_does_not_answer_is_asked_again_while_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path / "run")
    tries: list[int] = []
    whole = DirectExchange.instruments

    async def instruments(self: DirectExchange, symbols: Any) -> Any:
        if list(symbols) == [NEW]:
            tries.append(self.clock.now_ms())
            if len(tries) < 4:
                raise UnreachableError("nobody answers")
        return await whole(self, symbols)

    monkeypatch.setattr(DirectExchange, "instruments", instruments)
    live(run, 16, asked(run, ALL, 4.2))
    assert len(tries) == 4
    assert tries[-1] - tries[0] >= 30 * 60_000
    proof = prove(run.folder, run.source)
    assert len(proof.bars) == 16
    assert proof.late == 0


def test_the_daemon_says_that_it_lives_while_symbols_join(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, beats = made(tmp_path / "run", "log.heartbeat_s=30"), []
    whole = DirectExchange.instruments

    async def instruments(self: DirectExchange, symbols: Any) -> Any:
        if list(symbols) == [NEW]:
            before = len(run.events("heartbeat"))
            await asyncio.sleep(200)
            beats.append(len(run.events("heartbeat")) - before)
        return await whole(self, symbols)

    monkeypatch.setattr(DirectExchange, "instruments", instruments)
    live(run, 8, asked(run, ALL, 4.2))
    assert beats == [7]  # one at once, and one each 30 seconds
    assert prove(run.folder, run.source).bars.n_symbols == 3


def test_bot_run_with_other_symbols_asks_for_them_once(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    live(run, 6)

    def start(symbols: list[str]) -> tuple[str, ...]:
        market = run.config.market.model_copy(update={"symbols": tuple(symbols)})
        config = run.config.model_copy(update={"market": market})
        folder, settings, wanted = begun(config, str(run.folder.path))
        assert folder is not None
        assert settings == run.config
        return wanted

    assert start(FEW) == ()
    assert start(ALL) == tuple(ALL)
    for _ in range(2):
        ask_for_symbols(run.folder, tuple(ALL))
    (waiting,) = files.waiting(run.folder.path)
    content = json.loads((run.folder.path / "commands" / f"{waiting}.json").read_text())
    assert content["settings"] == {"market.symbols": ALL}
    run.begin_ms += 7 * HOUR_MS
    live(run, 6)
    assert start(ALL) == (), "in force"
    assert start(FEW) == (), "the run's own file takes nothing back"
    assert start(FEW[:1]) == tuple(FEW[:1])
    assert prove(run.folder, run.source).verdict.identical
