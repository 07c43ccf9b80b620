"""The daemon's start, its stop, and its next start: always from what was committed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import numpy as np
import pytest

from bot.adapters.files.manifests import load_manifest
from bot.adapters.journal.forms import open_journal
from bot.adapters.system.run_lock import RunLock
from bot.app.live import command as live_command_module
from bot.app.live.command import live_command
from bot.app.live.reporter import LiveReport
from bot.app.runs.folder import RunFolder, find_run
from bot.config import Config, load_config
from bot.engine import StepResult
from bot.engine_state import state_from_arrays
from bot.errors import BotError, ConfigError, DataError, JournalError
from bot.portfolio.reasons import Refusal
from bot.practice.faults import Faults
from bot.practice.instruments import instrument
from bot.practice.market import PracticeMarket
from bot.timegrid import HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal, Script

MINUTE_MS = 60_000


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    return Rehearsal.make(tmp_path / "run")


def stop_at(time_ms: int) -> Script:
    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.sleep_until(time_ms)
        stop.set()

    return script


def stop_when(condition: Callable[[DirectExchange], bool]) -> Script:
    """Stop once it is so; the exchange's time is looked at a hundred times a second."""

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        while not condition(exchange):
            await exchange.clock.pause(10)
        stop.set()

    return script


def committed(rehearsal: Rehearsal) -> tuple[int, bool]:
    """Return the newest bar that is committed, and whether it is open."""
    reader = open_journal(rehearsal.folder.journal)
    arrays = reader.state()
    reader.close()
    assert arrays is not None
    state = state_from_arrays(arrays)
    return state.last_open, state.opened


def test_first_start(rehearsal: Rehearsal) -> None:
    rehearsal.run(5)
    names = ["run_started", "backfilled", "training_started", "model_activated", "bar_closed"]
    told = [event["event"] for event in rehearsal.events(*names, "run_stopped")]
    assert told == [*names, *["bar_closed"] * 4, "run_stopped"]
    proof = prove(rehearsal.folder, rehearsal.source)
    assert (proof.warm_bars, len(proof.bars), proof.late) == (120, 5, 0)
    forming = rehearsal.begin_ms // HOUR_MS * HOUR_MS
    assert int(proof.bars.open_time[0]) == forming
    [(_, effective_from, due, late)] = proof.models
    assert (effective_from, late) == (forming, due != forming - HOUR_MS)
    decided = rehearsal.events("decision")
    assert decided[0]["bar"] == forming
    assert decided[0]["signal"] is not None
    assert len(proof.fills) > 0


def test_an_exchange_that_does_not_answer_is_asked_until_it_does(rehearsal: Rehearsal) -> None:
    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        exchange.down = True
        await exchange.clock.pause(10 * MINUTE_MS)
        exchange.down = False

    rehearsal.run(2, script=script)
    waits = [event["retry_s"] for event in rehearsal.events("exchange_unreachable")]
    assert waits[:7] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert max(waits) == 60.0
    assert len(prove(rehearsal.folder, rehearsal.source).bars) == 2


@pytest.mark.parametrize(
    ("odd", "error", "told"),
    [
        ({"lotSizeFilter": {"qtyStep": "-1", "minOrderQty": "1"}}, DataError, "qtyStep = '-1'"),
        ({"lotSizeFilter": {"qtyStep": ""}}, DataError, "qtyStep = ''"),
        ({"contractType": "LinearFutures"}, ConfigError, "dated future"),
        ({"contractType": "InversePerpetual"}, ConfigError, "inverse contract"),
        ({"quoteCoin": "BTC"}, ConfigError, "quoted in BTC, and the account is in USD"),
        ({"settleCoin": "EUR"}, ConfigError, "settled in EUR"),
    ],
)
def test_a_symbol_that_cannot_be_held_leaves_no_run(
    rehearsal: Rehearsal, odd: dict[str, Any], error: type[BotError], told: str
) -> None:
    def told_of(market: PracticeMarket, s: int, category: str, now_ms: int) -> dict[str, object]:
        return instrument(market, s, category, now_ms) | (odd if s == 1 else {})

    with (
        patch("scripts.soaking.direct_exchange.instrument", told_of),
        pytest.raises(error, match=told),
    ):
        rehearsal.run(1)
    assert not rehearsal.folder.journal.exists()


def test_before_it_has_begun_its_log_can_be_read_and_the_rest_says_why(
    rehearsal: Rehearsal,
) -> None:
    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        exchange.down = True
        await exchange.clock.pause(MINUTE_MS)
        stop.set()

    rehearsal.run(script=script)
    path = str(rehearsal.folder.path)
    assert find_run(path, begun=False).log == rehearsal.folder.log
    with pytest.raises(JournalError, match="has not reached the exchange yet; 'bot logs"):
        find_run(path)
    with pytest.raises(JournalError, match="no run here"):
        find_run(str(rehearsal.folder.path.parent))


def test_without_the_exchange_nothing_happens(rehearsal: Rehearsal) -> None:
    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        exchange.down = True
        await exchange.clock.pause(48 * 60 * MINUTE_MS)
        stop.set()

    rehearsal.run(script=script)
    assert not rehearsal.folder.journal.exists()
    assert {event["event"] for event in rehearsal.events("exchange_unreachable", "bar_closed")} == {
        "exchange_unreachable"
    }


@pytest.mark.parametrize(
    ("faults", "pool", "after_ms"),
    [
        (Faults(), PoolHere(), 20 * MINUTE_MS),
        (Faults(slow=1.0, slow_ms=3_600_000), PoolHere(), MINUTE_MS),
        (Faults(unavailable=1.0), PoolHere(), 30 * MINUTE_MS),
        (Faults(), PoolHere(seconds=36_000.0), 90 * MINUTE_MS),
    ],
    ids=["while a bar forms", "while a request hangs", "while it is asked again", "in a training"],
)
def test_stops_within_a_second(
    rehearsal: Rehearsal, faults: Faults, pool: PoolHere, after_ms: int
) -> None:
    asked = rehearsal.begin_ms + after_ms
    stopped = rehearsal.run(faults=faults, pool=pool, script=stop_at(asked))
    assert asked <= stopped <= asked + 1000


def test_stops_while_a_request_hangs_at_a_bars_end(rehearsal: Rehearsal) -> None:
    asked = rehearsal.begin_ms + 5 * HOUR_MS + 31 * MINUTE_MS

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.sleep_until(asked - 3 * MINUTE_MS)
        exchange.switch.change({"lost_confirm": 1.0, "slow": 1.0, "slow_ms": 3_600_000})
        await exchange.clock.sleep_until(asked)
        stop.set()

    assert asked <= rehearsal.run(script=script) <= asked + 1000
    assert not prove(rehearsal.folder, rehearsal.source).late


def test_restart_in_the_middle_of_the_back_fill(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", "data.history_bars=2500")
    requests_a_part = 3 * 3 + 1
    rehearsal.run(script=stop_when(lambda exchange: exchange.requests > requests_a_part + 4))
    first = rehearsal.begin_ms // HOUR_MS * HOUR_MS - 2500 * HOUR_MS
    assert committed(rehearsal) == (first + 999 * HOUR_MS, False)
    rehearsal.run(3, begin_ms=rehearsal.begin_ms + 7 * HOUR_MS)
    [resumed] = rehearsal.events("run_resumed")
    assert resumed["last_bar"] == first + 999 * HOUR_MS
    proof = prove(rehearsal.folder, rehearsal.source)
    assert (proof.warm_bars, len(proof.bars), proof.holes) == (2507, 3, 0)


@pytest.mark.parametrize("outage_ms", [2 * MINUTE_MS, 50 * MINUTE_MS, 5 * HOUR_MS])
def test_restart_between_open_and_close(rehearsal: Rehearsal, outage_ms: int) -> None:
    stopped = rehearsal.run(script=stop_at(rehearsal.begin_ms + 30 * HOUR_MS - 5 * MINUTE_MS))
    bar = stopped // HOUR_MS * HOUR_MS
    assert committed(rehearsal) == (bar, True)
    before = prove(rehearsal.folder, rehearsal.source)
    filled = [event for event in before.fills.tolist() if event[0] == bar]
    rehearsal.run(20, begin_ms=stopped + outage_ms)
    proof = prove(rehearsal.folder, rehearsal.source)
    missed = (stopped + outage_ms) // HOUR_MS - stopped // HOUR_MS
    assert [event for event in proof.fills.tolist() if event[0] == bar] == filled
    at = int(np.searchsorted(proof.bars.open_time, bar))
    assert proof.late == missed
    assert not proof.bars.tradable[at : at + missed].any()
    assert len(proof.bars) == at + missed + 20
    assert proof.holes == 0


def test_restart_in_time_to_decide_but_too_late_to_fill(rehearsal: Rehearsal) -> None:
    stopped = rehearsal.run(script=stop_at(rehearsal.begin_ms + 29 * HOUR_MS + 35 * MINUTE_MS))
    bar = stopped // HOUR_MS * HOUR_MS
    assert committed(rehearsal) == (bar - HOUR_MS, False), "its orders wait for a quote"
    rehearsal.run(5, begin_ms=bar + HOUR_MS + 10_000)
    proof = prove(rehearsal.folder, rehearsal.source)
    at = int(np.searchsorted(proof.bars.open_time, bar))
    assert (proof.late, proof.holes, len(proof.bars)) == (0, 0, at + 5)
    assert bar not in proof.fills["open_time"]
    assert (proof.refusal[at] == int(Refusal.LATE_CANCELLED)).any()
    assert bar in [event["bar"] for event in rehearsal.events("decision")]


@pytest.mark.parametrize("price", ["quote", "open"])
@pytest.mark.parametrize("outage_ms", [0, 45 * MINUTE_MS], ids=["at once", "within the bar"])
def test_an_order_is_not_filled_long_after_the_open(
    tmp_path: Path, price: str, outage_ms: int
) -> None:
    """Decided, killed before the next open, and taken up again: at once, or late in the bar."""
    settings = (f"execution.price={price}", "synthetic.missing=0", "retrain.every_bars=480")
    rehearsal = Rehearsal.make(tmp_path / "run", *settings)
    bar = rehearsal.begin_ms // HOUR_MS * HOUR_MS + 9 * HOUR_MS
    tell = LiveReport.closed

    def die_of_it(report: LiveReport, result: StepResult, *rest: Any) -> None:
        tell(report, result, *rest)
        if int(result.bars.open_time[0]) == bar - HOUR_MS:
            raise RuntimeError("killed")

    with patch.object(LiveReport, "closed", die_of_it), pytest.raises(RuntimeError, match="killed"):
        rehearsal.run(12)
    assert committed(rehearsal) == (bar - HOUR_MS, False)
    rehearsal.run(3, begin_ms=bar + 1000 + outage_ms)
    proof = prove(rehearsal.folder, rehearsal.source)
    at = int(np.searchsorted(proof.bars.open_time, bar))
    assert (proof.late, proof.holes) == (0, 0)
    cancelled = proof.refusal[at] == int(Refusal.LATE_CANCELLED)
    assert (bar in proof.fills["open_time"]) == (outage_ms == 0)
    assert cancelled.any() == (outage_ms > 0)


def test_first_start_just_after_a_bars_end(rehearsal: Rehearsal) -> None:
    begin = rehearsal.begin_ms + HOUR_MS // 2 + 10_000
    rehearsal.run(3, begin_ms=begin, pool=PoolHere(seconds=1.0))
    proof = prove(rehearsal.folder, rehearsal.source)
    assert (proof.late, proof.holes, len(proof.bars)) == (0, 0, 3)
    assert int(proof.bars.open_time[0]) == begin // HOUR_MS * HOUR_MS - HOUR_MS


def test_a_first_bar_that_came_too_late_is_history(rehearsal: Rehearsal) -> None:
    async def slow_answers(exchange: DirectExchange, stop: asyncio.Event) -> None:
        await exchange.clock.pause(500)  # while the first model is trained
        exchange.switch.change({"slow": 1.0, "slow_ms": 15_000})
        await exchange.clock.pause(HOUR_MS // 6)
        exchange.switch.faults = Faults()

    begin = rehearsal.begin_ms + HOUR_MS // 2 + 10_000
    rehearsal.run(3, begin_ms=begin, pool=PoolHere(seconds=1.0), script=slow_answers)
    proof = prove(rehearsal.folder, rehearsal.source)
    assert (proof.late, proof.holes, len(proof.bars)) == (0, 0, 3)
    assert int(proof.bars.open_time[0]) == begin // HOUR_MS * HOUR_MS


def test_restart_while_a_training_is_due(rehearsal: Rehearsal) -> None:
    rehearsal.run(script=stop_at(rehearsal.begin_ms + 30 * HOUR_MS))
    first = rehearsal.events("model_trained")[-1]
    slow = PoolHere(seconds=36_000.0)
    due = first["due"] + 48 * HOUR_MS
    rehearsal.run(begin_ms=due - 5 * HOUR_MS, pool=slow, script=stop_at(due + 3 * HOUR_MS))
    assert [request.due_ms for request in slow.requests] == [due]
    pool = PoolHere()
    rehearsal.run(3, begin_ms=due + 4 * HOUR_MS, pool=pool)
    assert [(r.due_ms, r.parent_due_ms) for r in pool.requests] == [(due, first["due"])]
    proof = prove(rehearsal.folder, rehearsal.source)
    model_id, effective_from, due_then, late = proof.models[-1]
    assert (effective_from, due_then, late) == (due + 4 * HOUR_MS, due, True)
    assert load_manifest(rehearsal.folder.models, model_id)["parent_due_ms"] == first["due"]


def test_nothing_is_trained_twice_for_a_restart(rehearsal: Rehearsal) -> None:
    rehearsal.run(4)
    pool = PoolHere()
    rehearsal.run(4, begin_ms=rehearsal.begin_ms + 4 * HOUR_MS, pool=pool)
    assert pool.requests == []
    assert len(prove(rehearsal.folder, rehearsal.source).models) == 1


def test_a_second_process_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    config = load_config(None, [], {})
    with (
        RunLock(tmp_path),
        pytest.raises(JournalError, match="a second process runs this run"),
    ):
        live_command(config, str(tmp_path), practice=True, max_bars=1)
    assert {path.name for path in tmp_path.iterdir()} == {"run.lock"}


def test_a_process_that_is_slower_takes_nothing_away_from_the_one_that_began(
    tmp_path: Path,
) -> None:
    run_dir = tmp_path / "run"

    class TakenMeanwhile(RunLock):
        """The lock of a folder that another process has made and begun in at this instant."""

        def __enter__(self) -> Self:
            (run_dir / "config.toml").write_text("of the other")
            raise JournalError("a second process runs this run")

    with (
        patch.object(live_command_module, "RunLock", TakenMeanwhile),
        pytest.raises(JournalError, match="a second process"),
    ):
        live_command(load_config(None, [], {}), str(run_dir), practice=True, max_bars=1)
    assert (run_dir / "config.toml").read_text() == "of the other"


def gone_on_with(config: Config, folder: RunFolder) -> Config:
    """Return the settings that `bot run` goes on with, given these."""
    found = []

    async def main(config: Config, *_: object, **__: object) -> None:
        found.append(config)

    with patch.object(live_command_module, "_main", main):
        live_command(config, str(folder.path), practice=True, max_bars=1)
    return found[0]


def test_a_run_begun_without_a_rehearsal_goes_on_without_one(tmp_path: Path) -> None:
    calibrated = ("policy.kind=edge", "policy.min_calibration_days=4")
    without = Rehearsal.make(tmp_path / "without", *calibrated, "policy.rehearse=false")
    without.run(1)
    asked = Rehearsal.make(tmp_path / "asked", *calibrated).config
    assert asked.policy.rehearse
    assert gone_on_with(asked, without.folder) == without.config
    assert gone_on_with(without.config, without.folder) == without.config


def test_a_run_that_rehearses_is_not_gone_on_with_otherwise(tmp_path: Path) -> None:
    sets = ("policy.kind=edge", "policy.min_calibration_days=4", "data.history_bars=1000")
    begun = Rehearsal.make(tmp_path / "run", *sets)
    begun.run(1, pool=PoolHere(seconds=0.0))
    other = Rehearsal.make(tmp_path / "other", *sets, "policy.rehearse=false").config
    with pytest.raises(ConfigError, match=r"policy\.rehearse was True, is False"):
        gone_on_with(other, begun.folder)


def test_a_backtest_is_not_gone_on_with(rehearsal: Rehearsal) -> None:
    rehearsal.run(1)
    db = sqlite3.connect(rehearsal.folder.journal)
    db.execute("UPDATE meta SET value = 'backtest' WHERE key = 'mode'")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="is the run of a backtest"):
        go_on(rehearsal)


def go_on(rehearsal: Rehearsal) -> None:
    live_command(rehearsal.config, str(rehearsal.folder.path), practice=True, max_bars=1)


@pytest.mark.parametrize("digest_only", [False, True], ids=["text", "version 1"])
def test_a_run_whose_settings_were_edited_is_not_gone_on_with(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, digest_only: bool
) -> None:
    rehearsal.run(1)
    monkeypatch.setattr(live_command_module, "compile_kernels", _too_late)
    file = rehearsal.folder.config
    made = file.read_text()
    if digest_only:
        with closing(sqlite3.connect(rehearsal.folder.journal)) as db:
            db.execute("DELETE FROM meta WHERE key = 'config_toml'")
            db.commit()
    before = rehearsal.folder.journal.read_bytes()
    file.write_text(made.replace("initial_capital = 100000.0", "initial_capital = 50000.0"))
    assert file.read_text() != made
    rehearsal.config = load_config(file, [], {}, recorded=True)
    named = "digest" if digest_only else r"portfolio\.initial_capital;"
    with pytest.raises(JournalError, match=f"config.toml: was edited since .*{named}"):
        go_on(rehearsal)
    assert rehearsal.folder.journal.read_bytes() == before
    file.write_text(made.replace('level = "info"', 'level = "error"'))
    assert file.read_text() != made
    rehearsal.config = load_config(file, [], {}, recorded=True)
    with pytest.raises(_CompilingError):  # how it is told may be edited
        go_on(rehearsal)
    file.unlink()
    with pytest.raises(JournalError, match="the run's settings are missing; restore a copy"):
        go_on(rehearsal)


def test_other_settings_are_refused_before_anything_is_compiled(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal.run(1)
    monkeypatch.setattr(live_command_module, "compile_kernels", _too_late)
    rehearsal.config = rehearsal.config.model_copy(
        update={"portfolio": rehearsal.config.portfolio.model_copy(update={"initial_capital": 5.0})}
    )
    with pytest.raises(ConfigError, match=r"start it with those \(--config .*config\.toml\)"):
        go_on(rehearsal)


def test_another_market_is_refused_and_what_to_do_is_told(rehearsal: Rehearsal) -> None:
    rehearsal.run(1)
    before = rehearsal.folder.journal.read_bytes()
    fewer = rehearsal.config.synthetic.model_copy(
        update={"symbols": 2}
    )  # practice trades all of them
    rehearsal.config = rehearsal.config.model_copy(update={"synthetic": fewer})
    with pytest.raises(ConfigError, match=r"synthetic.symbols was 3, is 2; start it with those"):
        go_on(rehearsal)
    assert rehearsal.folder.journal.read_bytes() == before


class _CompilingError(Exception):
    """The start has come as far as to compile."""


def _too_late() -> None:
    raise _CompilingError
