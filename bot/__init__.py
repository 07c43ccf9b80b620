"""Paper-trade a multi-task model on candles: one engine for live, backtest and replay."""

__version__ = "0.1.0"
