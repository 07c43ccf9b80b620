"""What the daemon tells: log events, the status file, and systemd.

Rules: everything logged is in the journal already; a decision is one event with all that a person
needs of it. Must not change anything.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from bot import __version__
from bot.adapters.exchange import BadFrame, Connected, Disconnected, Event
from bot.adapters.record.commands import CommandRow
from bot.adapters.system.atomic_file import replacing
from bot.adapters.system.memory import resident_mb
from bot.adapters.system.sd_notify import notify
from bot.app.live.account_report import AccountReport
from bot.app.live.committed import CommittedRun
from bot.app.live.decision import decision_of, known_number
from bot.app.live.feed_counters import Counters
from bot.app.live.life_report import LifeReport
from bot.app.live.request_waits import RequestWaits
from bot.app.live.retraining import LiveTraining
from bot.app.live.seldom import Seldom
from bot.app.live.states import LoopEvent, LoopState
from bot.app.runs.heartbeat import Rehearsing
from bot.app.runs.unknown_variances import tell_unknown_variances
from bot.app.start.history_need import HistoryNeed
from bot.blocks import BarBlock
from bot.engine import StepResult
from bot.engine_state import Activation
from bot.errors import BotError, JournalError
from bot.log import EVENTS
from bot.plausibility import Implausible
from bot.portfolio.trace import Trace


class LiveReport:
    """Tell what the loop does; lags are in wall milliseconds, whatever the exchange's speed.

    Attributes:
        refused: how often the exchange said what cannot be true.
    """

    def __init__(
        self, run: CommittedRun, training: LiveTraining, log: Any, speed: float = 1.0,
        waits: RequestWaits | None = None,
    ) -> None:  # fmt: skip
        self._run, self._training = run, training
        self._log, self._speed, self._waits = log, speed, waits
        self._connection = "connecting"
        self._unheard: set[str] = set()
        self._unlisted: set[str] = set()
        self._seldom = Seldom()
        self._doubted = False
        self._lag_ms: float | None = None
        account = run.book.account[0]
        self._paid_at_open = float(account["bar_funding"]) if account["opened"] else 0.0
        self._fills: np.ndarray[Any, np.dtype[np.void]] | None = None
        self._counters: dict[str, int] = {}
        self._refused: set[tuple[int, str]] = set()
        self.refused = 0
        self._account = AccountReport(run, log)
        self.life = LifeReport(log, self.commanded)
        self._rehearsal: Rehearsing | None = None

    def went(self, was: LoopState, on: LoopEvent, now: LoopState) -> None:
        """Tell of a transition of the loop."""
        self._log.debug("loop_state", was=was, on=on, now=now)

    def ready(self) -> None:
        """Say that the run is up."""
        notify("READY=1")

    def seen(self, event: Event) -> None:
        """Tell of the connection."""
        match event:
            case Connected():
                self._unheard -= set(event.symbols)
                self._hear()
                self._log.info("connected", session=event.session, symbols=len(event.symbols))
            case Disconnected():
                self._unheard |= set(event.symbols)
                self._hear()
                if self._seldom.may_tell(event):
                    self._log.warning(
                        "disconnected", reason=event.reason, symbols=len(event.symbols)
                    )
            case BadFrame():
                if self._seldom.may_tell("bad frame"):
                    self._log.warning("bad_frame", count=event.count, sample=event.sample)

    def _hear(self) -> None:
        """Say in the status who is heard."""
        unheard, of = len(self._unheard), len(self._run.symbols)
        if not unheard:
            self._connection = "connected"
        elif unheard < of:
            self._connection = f"connected, {unheard} of {of} symbols not heard"
        else:
            self._connection = "disconnected"

    def implausible(self, refused: Implausible) -> None:
        """Tell that something was refused: once a bar for each symbol and kind."""
        self.refused += 1
        key = (refused.symbol, refused.what)
        if key not in self._refused or refused.what == "candle":
            self._refused.add(key)
            self._log.warning(
                "implausible", symbol=self._run.symbols[refused.symbol], time=refused.time_ms,
                what=refused.what, value=known_number(refused.value), last=known_number(refused.last),
            )  # fmt: skip

    def unreachable(self, error: BotError, retry_s: float) -> None:
        """Tell that the exchange does not answer, or nothing that can be used."""
        # a request may fail while the stream is heard
        if not self._connection.startswith("connected"):
            self._connection = "unreachable"
        self._log.warning("exchange_unreachable", reason=str(error), retry_s=retry_s)
        notify("WATCHDOG=1")

    def unlisted(self, symbol: str, error: BotError) -> None:
        """Tell that the exchange does not list a symbol, or no longer: once, until it has a bar."""
        if symbol not in self._unlisted:
            self._unlisted.add(symbol)
            self._log.warning("symbol_unlisted", symbol=symbol, reason=str(error))

    def history(self, need: HistoryNeed) -> None:
        """Tell how much history a new run begins with, and why."""
        self._log.info("history_wanted", bars=need.bars, reason=need.reason)

    def backfilled(self, bars: BarBlock) -> None:
        """Tell of history that was fetched."""
        times = bars.open_time
        self._log.info("backfilled", bars=len(times), first=int(times[0]), last=int(times[-1]))
        self._tell_variances(bars)

    def gap_filled(self, bars: BarBlock) -> None:
        """Tell of bars that were missed."""
        times = bars.open_time
        self._log.warning(
            "gap_filled", bars=len(times), first=int(times[0]), last=int(times[-1]),
            reason="not seen in time: no decision was made on them",
        )  # fmt: skip
        self._tell_variances(bars)

    def rehearsing(self, where: Rehearsing | None, now_ms: int) -> None:
        """Say in the status where the rehearsal of a first start is; None once there is none."""
        if where != self._rehearsal:
            self._rehearsal = where
            self._write_status(now_ms)

    def no_model(self, now_ms: int) -> None:
        """Tell that nothing is decided before a training is due."""
        self._log.warning("no_model", next_due=self._training.next_due_ms(now_ms))

    def activated(self, activation: Activation, *, late: bool) -> None:
        """Tell of a model that decides from now on."""
        self._log.info(
            "model_activated", model_id=activation.model_id,
            effective_from=activation.effective_from, late=late,
        )  # fmt: skip

    def commanded(self, row: CommandRow) -> None:
        """Tell of a person's command: that it holds, and from where on, or why it does not."""
        told = {
            "id": row.id, "kind": row.kind, "settings": dict(row.values), "asked_by": row.asked_by,
            "asked_ms": row.asked_ms, "bar": row.open_time, "inside": row.inside,
        }  # fmt: skip
        if row.refused is None:
            self._log.warning("command_taken", **told)
        else:
            self._log.warning("command_refused", **told, reason=row.refused)

    def opened(self, row: BarBlock, trace: Trace, now_ms: int) -> None:
        """Tell of a bar's open."""
        self._fills = trace.fills
        self._account.filled(trace)
        lag_ms = (now_ms - int(row.open_time[0])) / self._speed
        self._log.debug(
            "bar_opened", bar=int(row.open_time[0]), fills=len(trace.fills),
            not_fillable=int((~row.fillable).sum()), lag_ms=lag_ms,
        )  # fmt: skip
        self._tell_funding(int(row.open_time[0]), float(trace.funding[0]))
        self._paid_at_open = float(trace.funding[0])

    def closed(
        self, result: StepResult, confirmed_ms: int | None, now_ms: int, stages_ms: Mapping[str, float]
    ) -> None:  # fmt: skip
        """Tell of a bar's close, and of each symbol's decision."""
        bars, trace = result.bars, result.trace
        self._lag_ms = None if confirmed_ms is None else (now_ms - confirmed_ms) / self._speed
        equity = float(trace.equity[0])
        self._account.filled(trace)
        step_ms = round(sum(ms for stage, ms in stages_ms.items() if stage != "open"), 3)
        self._fills = trace.fills if self._fills is None else np.append(self._fills, trace.fills)
        for s in range(bars.n_symbols):
            if bars.valid[0, s]:
                self._unlisted.discard(self._run.symbols[s])
                self._decision(result, s, equity, stages_ms)
        self._log.info(
            "bar_closed", bar=int(bars.open_time[0]), equity=equity, cash=float(trace.cash[0]),
            model_id=self._model_id(), tradable=bool(bars.tradable[0]),
            missing=int((~bars.valid).sum()), lag_ms=self._lag_ms, step_ms=step_ms,
        )  # fmt: skip
        self._tell_variances(bars)
        self._tell_funding(int(bars.open_time[0]), float(trace.funding[0]) - self._paid_at_open)
        self._account.closed(int(bars.open_time[0]))
        self._fills = None
        self._refused.clear()
        self._write_status(now_ms)

    def _tell_variances(self, bars: BarBlock) -> None:
        tell_unknown_variances(self._log, self._run.config, self._run.symbols, bars)

    def _tell_funding(self, bar: int, paid: float) -> None:
        if paid:
            self._log.info("funding", bar=bar, paid=paid)

    def heartbeat(self, counters: Counters, now_ms: int, *, doubted: bool = False) -> None:
        """Say that the loop is alive."""
        notify("WATCHDOG=1")
        account = self._run.book.account[0]
        memory = resident_mb()
        # a practice exchange keeps a time of its own, which is no skew of anybody's clock
        practice = self._run.config.exchange.source == "practice"
        skew_ms = None if practice else now_ms - time.time_ns() // 1_000_000
        self._doubted = doubted
        self._log.info(
            "heartbeat", last_bar=self._run.state.newest,
            equity=float(account["equity"]), lag_ms=self._lag_ms, memory_mb=round(memory, 1),
            connection=self._shown_connection(), clock_skew_ms=skew_ms,
        )  # fmt: skip
        self._tell_odd(counters)
        self._write_status(now_ms)

    def odd(self, counters: Counters) -> None:
        """Tell of oddities of the feed as they occur, now and then."""
        if any(getattr(counters, k) != self._counters.get(k, 0) for k in EVENTS["feed"]) and (
            self._seldom.may_tell("feed")
        ):
            self._tell_odd(counters)

    def _tell_odd(self, counters: Counters) -> None:
        odd = {name: getattr(counters, name) for name in sorted(EVENTS["feed"])}
        if any(odd[k] != self._counters.get(k, 0) for k in odd):
            self._log.info("feed", **odd)
        self._counters = odd

    def _shown_connection(self) -> str:
        return f"{self._connection}, its time in doubt" if self._doubted else self._connection

    def _decision(
        self, result: StepResult, s: int, equity: float, stages_ms: Mapping[str, float]
    ) -> None:
        fills = [] if self._fills is None else [f for f in self._fills if f["symbol"] == s]
        run = self._run
        self._log.info(
            "decision", symbol=run.symbols[s], equity=equity, model_id=self._model_id(),
            lag_ms=self._lag_ms, stages_ms=dict(stages_ms),
            **decision_of(result, s, fills, run.config.policy.min_calibration_days),
        )  # fmt: skip

    def _model_id(self) -> str | None:
        return self._run.state.schedule[-1].model_id if self._run.state.schedule else None

    def _write_status(self, now_ms: int) -> None:
        due = self._training.running_due
        status = {
            "pid": os.getpid(),
            "time_ms": time.time_ns() // 1_000_000,
            "exchange_ms": now_ms,
            "connection": self._shown_connection(),
            "last_bar": self._run.state.newest,
            "lag_ms": self._lag_ms,
            "next_training_ms": self._training.next_due_ms(now_ms),
            "training": "idle" if due is None else f"running, due {due}",
            "version": __version__,
            "implausible": self.refused,
            "waiting": self._waits.now() if self._waits else None,
            "leaving": self.life.leaving,
            "members": self.life.members,
            "rehearsal": None if self._rehearsal is None else asdict(self._rehearsal),
            "every_ms": round(self._run.config.log.heartbeat_s * 1000),
        }
        path = self._run.folder.path / "status.json"
        try:
            with replacing(path, durable=False) as temporary:
                temporary.write_text(json.dumps(status), encoding="utf-8")
        except OSError as error:
            raise JournalError(
                f"{path}: cannot be written: {error.strerror}; free disk space, then start again"
            ) from error
