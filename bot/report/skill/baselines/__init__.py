"""The naive forecasts that each head has to beat: the kind of part `baseline`, one file each.

Rules: a baseline's forecast of bar t uses bars up to t and training rows only. NaN where nothing is
known. Training rows of all symbols are pooled, as the model pools them; only GARCH, which is a
model of one series, has parameters of its own for each. A fit depends on its era's training rows
alone, not on what was fitted before.

rows            the heads, the models behind them, and the rows a baseline learns from
terms           what baselines read of the bars: returns, ranges, volumes, seasons
least_squares   ridge and least squares with a dummy a season
variances       a volatility forecast as a variance, on the scale that is best for QLIKE
zero            return: none
base_rate       direction: the share of rises in the training rows
moves           return and direction: linear models on a few regressors
training_mean   any number: the mean of the training rows
ewma            volatility: weighted squared returns (RiskMetrics)
garch           volatility: GARCH(1,1)
har             volatility: a day's, a week's and a month's, by least squares
log_har         volatility: the same on logs of ranges, with the hour of the day
log_har_realised  the same on shorter candles inside the bars
hour_of_week    volume: the mean at this hour of the week
volume_ridge    volume: ridge on the hour of the week and on volumes of late
"""

from bot.report.skill.baselines.rows import Baseline, Era, Head, baseline_forecast, eras, heads

__all__ = ["Baseline", "Era", "Head", "baseline_forecast", "eras", "heads"]
