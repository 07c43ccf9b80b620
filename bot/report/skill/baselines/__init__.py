"""The naive forecasts that each head has to beat: the kind of part `baseline`, one file each.

rows            the heads, the models behind them, and the rows a baseline learns from
terms           what baselines read of the bars: returns, ranges, volumes, seasons
least_squares   ridge and least squares with a dummy a season
variances       a volatility forecast as a variance, on the scale that is best for QLIKE
all else        a baseline

Rules: a baseline's forecast of bar t uses bars up to t and training rows only. NaN where nothing is
known. Training rows of all symbols are pooled, as the model pools them; only GARCH, which is a
model of one series, has parameters of its own for each. A fit depends on its era's training rows
alone, not on what was fitted before.
"""

from bot.report.skill.baselines.rows import Baseline, Era, Head, eras, heads, told

__all__ = ["Baseline", "Era", "Head", "eras", "heads", "told"]
