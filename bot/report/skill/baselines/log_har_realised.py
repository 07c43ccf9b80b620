"""Volatility by least squares on the logs of realised volatilities, with the hour of the day."""

from __future__ import annotations

from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.log_har import log_har_of
from bot.report.skill.baselines.rows import Fit, Head
from bot.report.skill.baselines.terms import squared_realised


@shipped(
    "baseline", "log_har_realised", heads=("volatility",), label="log-HAR, realised",
    words="log-HAR on realised volatilities (market.finer_interval) over 1 to 720 hours with the hour of the "
    "day, on the training rows",
)  # fmt: skip
def log_har_realised(run: Judged, head: Head) -> Fit:
    """As `log_har`, on the realised variance of a bar where it is known, as in Corsi 2009, else its range's."""
    return log_har_of(run, head, squared_realised)
