"""What `bot run` shows at a terminal: a line a bar, fills and events, in the width there is."""

from __future__ import annotations

import io
import json
import os
import pty
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from bot.app.live.run_log import run_log
from bot.app.live.terminal_lines import TerminalLines
from bot.app.runs.folder import RunFolder
from bot.app.runs.sentences import SENTENCES, sentence
from bot.config import load_config
from bot.log import EVENTS, open_log
from bot.timegrid import DAY_MS, HOUR_MS
from bot.timestamps import parse_utc

BAR = parse_utc("2026-11-27T06:00", "bar") or 0


def decision(symbol: str, **other: Any) -> dict[str, Any]:
    known = dict.fromkeys(EVENTS["decision"]) | {
        "event": "decision", "level": "info", "bar": BAR, "symbol": symbol, "close": 100.0,
        "signal": -0.0018, "edge": -0.0018, "hurdle": 0.0015, "why": "", "order": 0.0,
        "position": -199.5, "target": -0.2,
    }  # fmt: skip
    return known | other


def closed(**other: Any) -> dict[str, Any]:
    return {
        "event": "bar_closed", "level": "info", "bar": BAR, "equity": 99_750.0, "cash": 0.0,
        "model_id": "5c5c1234", "tradable": True, "missing": 0, "lag_ms": 20.0, "step_ms": 1.0,
    } | other  # fmt: skip


def lines_of(
    events: list[dict[str, Any]], width: int = 100, symbols: tuple[str, ...] = ("SYN1USDT",),
    color: bool = False, **options: Any,
) -> list[str]:  # fmt: skip
    console = Console(
        file=io.StringIO(), width=width, force_terminal=True,
        color_system="standard" if color else None, _environ={},
    )  # fmt: skip
    tell = TerminalLines(
        console, symbols, options.pop("interval_ms", HOUR_MS), 100_000.0,
        lambda model: BAR - 2 * DAY_MS, **options,
    )  # fmt: skip
    return "".join(map(tell, events)).splitlines()


def test_a_bar_of_one_symbol_is_the_line_of_the_issue() -> None:
    day, line = lines_of([decision("SYN1USDT"), closed()])
    assert day.startswith("── Fri 2026-11-27 UTC ─")
    assert line == (
        "06:00 SYN1 short −0.20 · edge 18 bp > 15 · equity 99,750 (−0.25 %) · model 5c5c 2 d"
    )


def test_of_many_symbols_the_changes_and_the_totals() -> None:
    symbols = tuple(f"SYN{k}USDT" for k in range(50))
    events = [decision(s, position=99.75 if k % 2 else 0.0) for k, s in enumerate(symbols)]
    events[3] |= {"order": -399.0, "target": -0.3, "edge": -0.0042}
    _, line = lines_of([*events, closed()], width=140, symbols=symbols)
    assert line == (
        "06:00 SYN3 long 0.10 → short −0.30 (edge 42 bp > 15) · 25 long 2.50 · "
        "equity 99,750 (−0.25 %) · model 5c5c 2 d"
    )


def test_changes_that_do_not_fit_are_counted() -> None:
    symbols = tuple(f"SYN{k}USDT" for k in range(9))
    events = [decision(s, order=-10.0 - k) for k, s in enumerate(symbols)]
    _, line = lines_of([*events, closed()], width=115, symbols=symbols)
    assert line.startswith(
        "06:00 SYN8 short −0.20 → short −0.20 (edge 18 bp > 15) · +8 more · 9 short −1.80"
    )
    assert "equity 99,750 (−0.25 %)" in line


def test_without_a_change_what_came_nearest_is_told_or_the_reason_of_all() -> None:
    symbols = ("AUSDT", "BUSDT")
    quiet: dict[str, Any] = {"position": 0.0, "edge": 0.0003, "why": "edge 3.0 bp < cost 15.0 bp"}
    near = quiet | {"edge": 0.0012, "why": "edge 12.0 bp < cost 15.0 bp"}
    _, line = lines_of(
        [decision("AUSDT", **quiet), decision("BUSDT", **near), closed()], symbols=symbols
    )
    assert line.startswith("06:00 flat · nearest B edge 12 bp < 15 · equity")
    wait: dict[str, Any] = {"position": 0.0, "edge": None, "why": "calibrating: 41 of 90 days"}
    _, line = lines_of([*(decision(s, **wait) for s in symbols), closed()], symbols=symbols)
    assert line.startswith("06:00 flat · calibrating: 41 of 90 days · equity")


def test_a_fill_an_event_and_what_is_odd() -> None:
    fill = {
        "event": "fill", "level": "info", "bar": BAR, "symbol": "SYN1USDT", "quantity": -12.5,
        "price": 40.796808, "reason": "signal", "fee": 0.28, "spread": 0.1, "slippage": 0.02,
    }  # fmt: skip
    lost = {"event": "disconnected", "level": "warning", "reason": "closed by the host", "symbols": 1,
            "timestamp": "2026-11-27T06:31:00Z"}  # fmt: skip
    late = closed(tradable=False, missing=1)
    _, sold, gone, bar = lines_of([fill, lost, decision("SYN1USDT"), late], width=130)
    assert sold == "06:00 ▼ sold 12.5 SYN1 at 40.796808 · signal · 509.96, costs 0.40"
    assert gone == "06:31 ! disconnected (1 symbol): closed by the host"
    assert "· late, nothing decided · 1 without a candle ·" in bar
    assert lines_of([lost], own_time=True) == [
        "      ! disconnected (1 symbol): closed by the host"
    ]


def test_a_liquidation_is_told_once_and_heartbeats_never() -> None:
    taken = {"event": "fill", "level": "info", "bar": BAR, "symbol": "SYN1USDT", "quantity": 1.0,
             "price": 2.0, "reason": "liquidation", "fee": 1.0, "spread": 0.0, "slippage": 0.0}  # fmt: skip
    told = {"event": "liquidation", "level": "warning", "bar": BAR, "symbol": "SYN1USDT",
            "quantity": 1.0, "price": 2.0, "fee": 1.0}  # fmt: skip
    beat = dict.fromkeys(EVENTS["heartbeat"]) | {"event": "heartbeat", "level": "info"}
    assert lines_of([beat, taken]) == []
    assert lines_of([taken, told])[1:] == ["06:00 ! LIQUIDATED: the short of 1 SYN1USDT at 2"]


def test_a_long_sentence_is_folded_under_itself() -> None:
    event = {"event": "training_failed", "level": "warning", "due": BAR, "failures": 1,
             "reason": "a " * 60 + "end", "timestamp": "2026-11-27T06:31:00Z"}  # fmt: skip
    lines = lines_of([event], width=60)
    assert len(lines) > 2
    assert all(cell_len(line) <= 60 for line in lines)
    assert all(line.startswith("        ") for line in lines[1:])


@given(st.integers(20, 200), st.integers(1, 60), st.integers(0, 60), st.booleans())
def test_a_bar_is_one_line_in_any_width(width: int, n: int, orders: int, late: bool) -> None:
    symbols = tuple(f"SYN{k}USDT" for k in range(n))
    events = [decision(s, order=float(k < orders)) for k, s in enumerate(symbols)]
    _, *lines = lines_of([*events, closed(tradable=not late)], width=width, symbols=symbols)
    assert len(lines) == 1
    assert cell_len(lines[0]) <= width
    assert lines[0].startswith("06:00 ")


def test_bars_of_a_day_are_told_by_their_date() -> None:
    (line,) = lines_of([decision("SYN1USDT"), closed()], interval_ms=DAY_MS)
    assert line.startswith("2026-11-27 SYN1 short −0.20")


def test_colours_only_where_there_are_any() -> None:
    assert "\x1b[" in "".join(lines_of([decision("SYN1USDT"), closed()], color=True))
    assert "\x1b[" not in "".join(lines_of([decision("SYN1USDT"), closed()]))


def test_every_event_that_is_news_has_a_sentence() -> None:
    no_news = {"decision", "bar_opened", "bar_closed", "heartbeat", "feed", "epoch", "loop_state"}
    assert EVENTS.keys() - SENTENCES.keys() == no_news


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_sentence_never_fails(name: str) -> None:
    assert sentence({"event": name, "level": "info"}).startswith(name.replace("_", " "))
    assert sentence(dict.fromkeys(EVENTS[name]) | {"event": name})


@pytest.mark.parametrize("no_color", [False, True])
def test_on_a_terminal_lines_for_people_and_json_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_color: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        with run_log(load_config(None, [], environ={}), RunFolder(tmp_path)) as log:
            log.warning("command_taken", id="a", kind="pause", settings={}, asked_by="eva",
                        asked_ms=BAR, bar=BAR, inside=False)  # fmt: skip
            terminal.flush()
        shown = os.read(master, 10_000).decode()
    os.close(master)
    assert "taken: pause, asked by eva" in shown
    assert ("\x1b[3" in shown) is not no_color
    (line,) = (tmp_path / "log.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["event"] == "command_taken"


def test_elsewhere_the_lines_are_those_of_before(tmp_path: Path) -> None:
    out = io.StringIO()
    with open_log(tmp_path / "log.jsonl", "info", out) as log:
        log.info("funding", bar=BAR, paid=1.0)
    assert f"bar={BAR}" in out.getvalue()
    assert "paid=1.0" in out.getvalue()


def test_a_symbol_that_joined_and_an_event_that_is_odd_end_nothing() -> None:
    _, line = lines_of([decision("SYN1USDT"), decision("NEWUSDT", order=5.0), closed()])
    assert "NEWUSDT short −0.20 → short −0.20" in line
    _, line = lines_of([decision("NEWUSDT"), closed()])
    assert line.startswith("06:00 NEWUSDT short −0.20 · edge 18 bp > 15")
    (odd,) = lines_of([closed(equity=None)])
    assert odd.strip().startswith("bar closed bar=")
    (odd,) = lines_of([{"event": "fill", "level": "info"}])
    assert odd.strip() == "fill"


def test_what_is_held_of_a_symbol_without_a_candle_is_held_still() -> None:
    both = [decision("AUSDT"), decision("BUSDT", position=399.0)]
    lines = lines_of([*both, closed(), decision("AUSDT"), closed(missing=1), closed(missing=2)],
                     symbols=("AUSDT", "BUSDT"), width=130)  # fmt: skip
    assert ["1 long 0.40, 1 short −0.20" in line for line in lines] == [False, True, True, True]
    assert "2 without a candle" in lines[3]
