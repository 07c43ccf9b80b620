"""The ledger group: forecasts given, how fast decisions, fills, costs and the ledger are made.

Rules: all contestants of a case do the same work in one process, in turns; each must reach the bare
loop's last equity to AGREEMENT, and where it does not its row says by how much and why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from bot.app.loop.forecasters import TABLE_ID, TABLE_TASKS
from bot.app.loop.recorders import NoRecorder
from bot.app.loop.runner import Runner
from bot.blocks import F64, BarBlock
from bot.config import load_config
from bot.config.schema import Conviction, Synthetic
from bot.engine import Engine
from bot.engine_state import Activation
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.ledger import LedgerHash
from bot.portfolio.rules import Rules, rules_from
from bot.portfolio.trace import Phase
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS
from scripts.benchmarks import rivals
from scripts.benchmarks.measuring import Row, absent, is_installed, median_seconds, take_turns
from scripts.benchmarks.workload import (
    CAPITAL,
    CHANGES,
    FULL_ACCOUNT,
    PLAIN_ACCOUNT,
    Workload,
)

BLOCK_BARS = 4096
AGREEMENT = 1e-9
WEIGHT = 0.9  # with all of equity, vectorbt pays the fee by buying less
UNIT = "symbol-bars/s"
PEER = "vectorbt, rust, equity a bar"  # its quickest engine, and what our ledger has at the least


def beside_rivals(quick: bool) -> list[Row]:
    """Measure one symbol beside a bare loop and other engines."""
    n, repeats = (100_000, 3) if quick else (1_000_000, 7)
    work = Workload.draw(n, WEIGHT)
    limit: Callable[[], float] = partial(rivals.bare_loop, work)
    contestants: dict[str, Callable[[], float]] = {
        "our broker, blocks of 4,096": partial(broker, work),
        "our broker, blocks of 65,536": partial(broker, work, block_bars=65_536),
        "our engine, books checked": partial(engine, work, hashed=False),
        "our engine, checked and hashed": partial(engine, work, hashed=True),
        PEER: partial(rivals.vectorbt, work, "rust", curve=True),
        "vectorbt, rust, last equity only": partial(rivals.vectorbt, work, "rust", curve=False),
        "vectorbt, numba, equity a bar": partial(rivals.vectorbt, work, "numba", curve=True),
        "plain Python over lists": partial(rivals.python_loop, work),
        "plain Python over a DataFrame": partial(rivals.pandas_loop, work),
    }
    if not is_installed("vectorbt"):
        contestants = {k: run for k, run in contestants.items() if not k.startswith("vectorbt")}
    seconds = take_turns({"": limit, **contestants}, repeats)
    peer = n / seconds[PEER] if PEER in seconds else math.nan
    rows = [Row("bare numba loop, equity a bar", n / seconds[""], UNIT, note="the limit")]
    for name, run in contestants.items():
        rate = n / seconds[name]
        goal = 2.0 * peer if name.startswith("our broker") and peer > 0.0 else None
        beside = f"{rate / peer:.2f} × vectorbt; " if peer > 0.0 else ""
        note = f"{beside}{_agreement(run(), limit())}"
        rows.append(Row(name, rate, UNIT, goal, note=note))
    if is_installed("backtesting"):
        rows.append(_slow_rival(work, quick))
    else:
        rows.append(absent("backtesting.py", UNIT))
    vectorbt = is_installed("vectorbt")
    return [*rows, _all_of_equity(n, repeats) if vectorbt else absent("vectorbt", UNIT)]


def many_symbols(quick: bool) -> list[Row]:
    """Measure the broker with all costs and limits on, symbols sharing one account."""
    cells, repeats = (200_000, 3) if quick else (1_000_000, 7)
    rows = []
    for n_symbols in (1, 5, 50, 500):
        bars, signal, rules = crowd(cells // n_symbols, n_symbols)
        run = partial(_through, bars, signal, rules, CAPITAL)
        seconds = median_seconds(run, repeats)
        fills = int(run().account["fills"][0])
        note = f"fee, spread, slippage, funding, steps, caps, halts; {fills:,} fills"
        case = f"our broker, all costs, {n_symbols} symbols"
        rows.append(Row(case, bars.close.size / seconds, UNIT, 10e6, note=note))
    return rows


def plain_and_full(quick: bool) -> list[Row]:
    """Measure the broker with the plain and the full account in turns, five symbols in blocks; the full one is to
    do half of what the plain one does."""
    cells, repeats = (200_000, 3) if quick else (1_000_000, 7)
    made = {
        name: crowd(cells // 5, 5, account)
        for name, account in (("plain", PLAIN_ACCOUNT), ("full", FULL_ACCOUNT))
    }
    runs = {
        name: partial(_through, bars, signal, rules, CAPITAL)
        for name, (bars, signal, rules) in made.items()
    }
    seconds = take_turns(runs, repeats)
    rows = []
    of_plain = made["plain"][0].close.size / seconds["plain"]
    for name, run in runs.items():
        rate = made[name][0].close.size / seconds[name]
        share = f"{seconds['plain'] / seconds[name]:.2f} × plain; " if name == "full" else ""
        note = f"{share}{int(run().account['fills'][0]):,} fills"
        goal = 10e6 if name == "plain" else max(10e6, 0.5 * of_plain)
        rows.append(Row(f"our broker, {name} account, 5 symbols", rate, UNIT, goal, note=note))
    return rows


def broker(work: Workload, block_bars: int = BLOCK_BARS) -> float:
    """Take the workload through our broker in blocks, given signals."""
    book = _through(work.bars, work.signals, work.rules, work.capital, block_bars)
    return float(book.account["equity"][0])


def engine(work: Workload, *, hashed: bool) -> float:
    """Take the workload through the engine, given a table of forecasts.

    Args:
        hashed: with the runner, which also keeps the ledger's SHA-256.
    """
    forecasters = {TABLE_ID: work.table}
    machine = Engine(None, work.rules, Conviction(), TABLE_TASKS, 1, work.capital, forecasters)
    runner = Runner(machine, machine.initial(), NoRecorder(), LedgerHash(("WORK",)))
    runner.activate(Activation(int(work.bars.open_time[0]), TABLE_ID), None)
    for part, _ in _blocks(work.bars):
        if hashed:
            runner.step(part)
        else:
            runner.state, _results = machine.step(runner.state, part)
    return float(runner.state.book.account["equity"][0])


def _slow_rival(work: Workload, quick: bool) -> Row:
    part = work.head(5_000 if quick else 50_000)
    run = partial(rivals.backtesting_py, part)
    rate = len(part) / median_seconds(run, 1 if quick else 3)
    note = f"on {len(part):,} bars; {_agreement(run(), rivals.bare_loop(part))}"
    return Row("backtesting.py", rate, UNIT, note=note)


def _all_of_equity(n: int, repeats: int) -> Row:
    work = Workload.draw(n, 1.0)
    run = partial(rivals.vectorbt, work, "rust", curve=True)
    seconds = median_seconds(run, repeats)
    apart = _agreement(run(), rivals.bare_loop(work))
    note = f"{apart}: it buys less where the fee would take cash below zero; our broker does not"
    return Row("vectorbt, rust, ±1 × equity", n / seconds, UNIT, note=note)


def _agreement(found: float, expected: float) -> str:
    apart = abs(found / expected - 1.0)
    return "same equity" if apart <= AGREEMENT else f"equity differs by {apart:.1e}"


def _blocks(bars: BarBlock, block_bars: int = BLOCK_BARS) -> Iterator[tuple[BarBlock, slice]]:
    for start in range(0, len(bars), block_bars):
        at = slice(start, min(start + block_bars, len(bars)))
        yield bars.rows(at.start, at.stop), at


def _through(
    bars: BarBlock, signal: F64, rules: Rules, capital: float, block_bars: int = BLOCK_BARS
) -> Book:
    book = new_book(bars.n_symbols, capital)
    volatility = np.full((block_bars, bars.n_symbols), np.nan)
    for part, at in _blocks(bars, block_bars):
        book, _ = run_bars(book, rules, part, signal[at], volatility[: len(part)], Phase.BOTH)
    return book


def crowd(
    n: int, n_symbols: int, account: tuple[str, ...] = PLAIN_ACCOUNT
) -> tuple[BarBlock, F64, Rules]:
    """Return synthetic bars, signals of which about 5 % a bar lead to a trade, and full rules."""
    spec = Synthetic(symbols=n_symbols, bars=max(n, 100), volatility=0.002)
    bars = synthetic_bars(spec, HOUR_MS)
    rng = np.random.default_rng(2)
    changed = rng.random(bars.close.shape) < CHANGES
    drawn_at = np.where(changed, np.arange(len(bars))[:, None], 0)
    signal = np.take_along_axis(
        rng.normal(size=bars.close.shape), np.maximum.accumulate(drawn_at, axis=0), axis=0
    )
    sets = [
        "policy.kind=threshold",
        "signal.threshold=0.5",
        "costs.half_spread_bps=0.1",
        "costs.slippage_bps=0.1",
        "costs.taker_fee=0.00002",  # so little that the account lives to the last bar
        "execution.quantity_step=0.0001",
        "execution.min_notional=0.1",
        "risk.max_daily_loss=0.5",
        "risk.max_drawdown=1.0",
        *account,
    ]
    config = load_config(None, sets, environ={})
    return bars, signal, rules_from(config, symbol_names(n_symbols))
