"""`bot status`: where a run stands, running or stopped, from its record and its last heartbeat.

Rules: it only reads; money comes from the record, what the process does from its heartbeat, and
whether it lives from the kernel's lock. A price that is not final is called provisional.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import Any

from bot.adapters.record.commands import CommandRow
from bot.adapters.record.contents import ModelRow
from bot.adapters.record.reading import Record
from bot.adapters.system.run_lock import holder
from bot.app.runs.carried_state import account_state
from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.heartbeat import Heartbeat, read_heartbeat
from bot.app.runs.in_force import by_hand, command_json, config_in_force, instruments_of_record
from bot.app.runs.last_decision import Calibration, calibration_of, decided_last
from bot.app.runs.recent_coverage import recent_coverage
from bot.app.runs.record import open_record
from bot.app.runs.risk_status import RiskStatus, risk_of
from bot.app.runs.stops import StopPrice, stops_of
from bot.blocks import Bool
from bot.config import Config
from bot.engine_state import EngineState
from bot.portfolio.book import Book, new_book
from bot.portfolio.coins import CoinBalance, coin_balances, inverse_symbols
from bot.portfolio.margin import AccountMargin, PositionMargin, margin_of
from bot.portfolio.reasons import FILL_REASON, Halt
from bot.portfolio.rules import rules_from
from bot.portfolio.worth import value_of
from bot.report.why import Decided
from bot.timegrid import INTERVAL_MS


@dataclass(frozen=True)
class Holding:
    """A position; `mark` is the last close, `weight` the value's share of equity.

    Attributes:
        margin: of a contract held on margin: entry, what is set aside, and where it is liquidated.
    """

    symbol: str
    quantity: float
    mark: float
    value: float
    weight: float
    margin: PositionMargin | None


@dataclass(frozen=True)
class PendingOrder:
    """An order that waits for the next open; its provisional price is the last close."""

    symbol: str
    quantity: float
    provisional_price: float
    provisional_value: float
    reason: str
    decided_at: int


@dataclass(frozen=True)
class ModelInForce:
    """The model that decides, and how long it has, in bar time."""

    model_id: str
    effective_from: int
    due: int | None
    late: bool
    age_ms: int


@dataclass(frozen=True)
class Status:
    """Where a run stands; times in ms UTC, money in the quote currency.

    Attributes:
        pid: the daemon's, None where none runs.
        last_bar: open time of the newest bar, None before the first; `opened` where it is not
            closed yet.
        behind_ms: from the end of that bar to the exchange's time at the last heartbeat, which was
            `heartbeat_age_ms` ago; both None for a backtest.
        bars, fills: since the start.
        drawdown: of the highest equity at a close, as a fraction.
        refusals: of the last closed bar, by symbol.
        why: what decided at that bar, by symbol, in one phrase.
        decided: by symbol, the numbers that decided at that bar.
        calibration: days scored and needed, where the policy asks what signals are worth.
        coverage: by head, the share of the newest labels inside their nominal 90 % intervals.
        margin: of all contracts held on margin; None where there are none.
        inverse: symbols that are held in contracts of one unit of the quote currency.
        coins: of each inverse symbol, whose profit is in coin; with the cash their values are the equity,
            but for what is paid in full.
        stops: prices at which positions are stopped or take profit.
        clock: whose clock dates bars, models and trainings: "exchange", or "practice", which runs
            at `clock_speed` seconds a second; "history" for a backtest.
        paused: "no", "paused", or "flattened", by hand.
        commands: what was asked of the run and is in force, or the last that was refused.
        settings: values by key that differ from config.toml, set by hand.
        asked: commands that are not taken yet.
        stop_file: whether the kill switch is there.
    """

    name: str
    run_dir: str
    mode: str
    interval: str
    pid: int | None
    last_bar: int | None
    opened: bool
    behind_ms: int | None
    heartbeat_age_ms: int | None
    bars: int
    fills: int
    equity: float
    cash: float
    total_return: float
    drawdown: float
    fees: float
    funding: float
    halted: str
    paused: str
    commands: tuple[CommandRow, ...]
    settings: dict[str, Any]
    asked: int
    stop_file: bool
    risk: RiskStatus
    positions: tuple[Holding, ...]
    margin: AccountMargin | None
    inverse: tuple[str, ...]
    coins: tuple[CoinBalance, ...]
    stops: tuple[StopPrice, ...]
    pending: tuple[PendingOrder, ...]
    model: ModelInForce | None
    refusals: dict[str, str]
    why: dict[str, str]
    decided: dict[str, Decided]
    calibration: Calibration | None
    coverage: dict[str, float]
    clock: str
    clock_speed: float
    heartbeat: Heartbeat | None

    def as_json(self) -> str:
        """Return it as one JSON object."""
        said = asdict(self) | {"alive": self.pid is not None}
        said["commands"] = [command_json(row) for row in self.commands]
        if self.pid is None and self.heartbeat is not None:  # what it said then is not so now
            said["heartbeat"] |= {
                "connection": "none",
                "training": "none",
                "next_training_ms": None,
                "rehearsal": None,
            }
        return json.dumps(said, allow_nan=False)


def read_status(folder: RunFolder, now_ms: int | None = None, *, coverage: bool = True) -> Status:
    """Read where a run stands.

    Args:
        now_ms: this machine's time, by default the clock's.
        coverage: whether to tell it, which is most of the work.

    Raises:
        JournalError: the journal or the heartbeat is damaged.
    """
    heartbeat = read_heartbeat(folder.path)
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    with open_record(folder) as record:
        commands = record.commands()
        config = config_in_force(config_of(folder), commands)
        carried = record.carried()
        state = None
        if carried is None:
            book = new_book(len(record.symbols), config.portfolio.initial_capital)
            last_bar, opened = None, False
        else:
            state = account_state(carried, folder.journal, len(record.symbols))
            book, opened = state.book, state.opened
            last_bar = state.newest
        instruments = instruments_of_record(record)
        rules = rules_from(config, record.symbols, instruments, numbers_only=True)
        margin = margin_of(book, rules)
        return Status(
            name=folder.path.resolve().name,
            run_dir=str(folder.path),
            mode=record.meta.get("mode", ""),
            interval=config.market.interval,
            pid=holder(folder.path),
            last_bar=last_bar,
            opened=opened,
            behind_ms=_behind_ms(config, heartbeat, last_bar),
            heartbeat_age_ms=None if heartbeat is None else now_ms - heartbeat.time_ms,
            positions=_positions(record.symbols, book, margin, rules.inverse),
            margin=margin,
            inverse=inverse_symbols(record.symbols, rules.inverse),
            coins=coin_balances(record.symbols, book, rules.inverse, instruments),
            stops=stops_of(book, rules, record.symbols),
            risk=risk_of(book, record.symbols),
            pending=_pending(record.symbols, book, rules.inverse),
            model=_model(record.models(), last_bar),
            **_of_last_bar(record, config, state),
            coverage=recent_coverage(folder, record, config, last_bar) if coverage else {},
            clock=_clock(record, config),
            clock_speed=config.exchange.speed,
            heartbeat=heartbeat,
            **by_hand(folder, commands, book),
            **_account(book, config.portfolio.initial_capital),
        )


def _clock(record: Record, config: Config) -> str:
    if record.meta.get("mode") != "live":
        return "history"
    return "practice" if config.exchange.source == "practice" else "exchange"


def _account(book: Book, capital: float) -> dict[str, Any]:
    account = book.account[0]
    equity, peak = float(account["equity"]), float(account["peak_equity"])
    return {
        "bars": int(account["bars"]),
        "fills": int(account["fills"]),
        "equity": equity,
        "cash": float(account["cash"]),
        "total_return": equity / capital - 1.0,
        "drawdown": 1.0 - equity / peak,
        "fees": float(account["fees"]),
        "funding": float(account["funding"]),
        "halted": Halt(int(account["halted"])).name.lower(),
    }


def _positions(
    symbols: tuple[str, ...], book: Book, margin: AccountMargin | None, inverse: Bool | None
) -> tuple[Holding, ...]:
    equity = float(book.account[0]["equity"])
    by_symbol = {} if margin is None else {each.symbol: each for each in margin.positions}
    values, held = value_of(book.quantity, book.mark, inverse), []
    for s, symbol in enumerate(symbols):
        quantity, mark = float(book.quantity[s]), float(book.mark[s])
        if quantity != 0.0:
            value = float(values[s])
            weight = value / equity if equity else 0.0
            held.append(
                Holding(symbol, quantity, mark, value, weight=weight, margin=by_symbol.get(s))
            )
    return tuple(held)


def _pending(
    symbols: tuple[str, ...], book: Book, inverse: Bool | None
) -> tuple[PendingOrder, ...]:
    values, orders = value_of(book.pending, book.mark, inverse), []
    for s, symbol in enumerate(symbols):
        quantity, price = float(book.pending[s]), float(book.mark[s])
        if quantity != 0.0:
            reason = FILL_REASON[int(book.pending_reason[s])]
            since = int(book.pending_since[s])
            orders.append(
                PendingOrder(
                    symbol, quantity, price, float(values[s]), reason=reason, decided_at=since
                )
            )
    return tuple(orders)


def _model(models: list[ModelRow], last_bar: int | None) -> ModelInForce | None:
    if last_bar is None:
        return None
    for row in reversed(models):
        if row.effective_from <= last_bar:
            age_ms = last_bar - row.effective_from
            return ModelInForce(row.model_id, row.effective_from, row.due, row.late, age_ms)
    return None


def _of_last_bar(record: Record, config: Config, state: EngineState | None) -> dict[str, Any]:
    """Return refusals, reasons and calibration of the last closed bar."""
    days = 0 if state is None else int(state.calibration.sums["days"][0])
    refusals, decided = decided_last(record, days, config.policy.min_calibration_days)
    return {
        "refusals": refusals,
        "why": {symbol: each.why for symbol, each in decided.items() if each.why},
        "decided": decided,
        "calibration": calibration_of(config, state),
    }


def _behind_ms(config: Config, heartbeat: Heartbeat | None, last_bar: int | None) -> int | None:
    if heartbeat is None or last_bar is None:
        return None
    return heartbeat.exchange_ms - last_bar - INTERVAL_MS[config.market.interval]
