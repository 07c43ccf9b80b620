"""Runs in scripts and notebooks: `bot.load_run`, `bot.backtest`, and the `LoadedRun` that both give.

    >>> import tempfile
    >>> import bot
    >>> config = {
    ...     "data": {"source": "synthetic"},  # a made market: no files are needed
    ...     "synthetic": {"bars": 1000, "symbols": 2},
    ...     "policy": {"kind": "momentum", "momentum_bars": 48},  # needs no model
    ... }
    >>> run = bot.backtest(config, run_dir=tempfile.mkdtemp() + "/demo")
    >>> run
    <LoadedRun demo: backtest, 1h, 2 symbols, 1,000 bars from 2023-01-01 00:00 to 2023-02-11 15:00>
    >>> run.equity[["time", "equity", "drawdown"]].tail(1)["time"].item()
    Timestamp('2023-02-11 15:00:00+0000', tz='UTC')
    >>> closes = run.bars.pivot(index="time", columns="symbol", values="close")
    >>> list(closes)
    ['SYN0USDT', 'SYN1USDT']
    >>> run.trades.groupby("symbol")["profit"].sum().round().to_dict()
    {'SYN0USDT': -15649.0, 'SYN1USDT': 20533.0}
    >>> bot.load_run(run.path).fills.equals(run.fills)
    True

run             a run's tables as pandas, and its results
backtesting     a backtest from a script or a notebook
"""

from bot.app.library.backtesting import backtest
from bot.app.library.run import LoadedRun, load_run

__all__ = ["LoadedRun", "backtest", "load_run"]
