"""Volatility by GARCH(1,1) (Bollerslev 1986), fitted through arch, which the extra `garch` brings.

The parameters of each symbol are those of maximum likelihood (normal, without a mean) on the returns of
an era's training bars, and stay as they are over the era: the variance is filtered forward with them
from the first bar on. Must not be imported for arch: it is loaded when a fit is asked for.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from bot.blocks import F64, Bool
from bot.compiled import njit
from bot.errors import extra_needed
from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Era, Fit, Fitted, Head
from bot.report.skill.baselines.terms import returns

PERCENT = 100.0
"""Returns are fitted in percent: arch's optimiser is made for numbers of about one."""
LEAST_RETURNS = 100
"""Fewer returns in training fit no GARCH."""


@shipped(
    "baseline", "garch", heads=("volatility",), label="GARCH",
    words="GARCH(1,1) of each symbol, fitted on its training bars",
)  # fmt: skip
def garch(run: Judged, head: Head) -> Fit:
    """The root of the mean variance that GARCH(1,1) expects over the horizon; needs the extra 'garch'.

    Raises:
        ConfigError: arch is not installed.
    """
    model = require_arch()
    percent = PERCENT * returns(run, 1)

    def fit(era: Era) -> Fitted | None:
        deviation = np.full(percent.shape, np.nan)
        last = era.first + int(np.flatnonzero(era.trained.any(axis=1))[-1])
        for s in range(run.n_symbols):
            training = percent[era.first : last + 1, s]
            found = parameters(model, training[np.isfinite(training)])
            if found is not None:
                ahead = filtered(percent[:, s], *found)
                deviation[:, s] = np.sqrt(mean_ahead(ahead, *found, head.task.horizon)) / PERCENT
        return (lambda bars: deviation[bars]) if np.isfinite(deviation).any() else None

    return fit


def require_arch() -> Any:
    """Return arch's `arch_model`.

    Raises:
        ConfigError: naming the extra that brings it.
    """
    try:
        from arch import arch_model
    except ImportError as error:
        what = "report.baselines: garch is fitted by the package arch, which is not installed"
        raise extra_needed(what, "garch") from error
    return arch_model


def parameters(model: Any, percent: F64) -> tuple[float, float, float] | None:
    """Return ω, α and β of the returns in percent; None where there is no fit."""
    if len(percent) < LEAST_RETURNS or not percent.std() > 0.0:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model(percent, mean="Zero", vol="GARCH", p=1, q=1, rescale=False).fit(
            disp="off", show_warning=False
        )
    omega, alpha, beta = (float(found.params[name]) for name in ("omega", "alpha[1]", "beta[1]"))
    usable = found.convergence_flag == 0 and omega > 0.0 and np.isfinite(omega + alpha + beta)
    return (omega, alpha, beta) if usable else None


def mean_ahead(ahead: F64, omega: float, alpha: float, beta: float, horizon: int) -> F64:
    """Return the mean expected variance of the next `horizon` bars from that of the next one."""
    constant, factor, constants, factors = 0.0, 1.0, 0.0, 1.0
    for _ in range(horizon - 1):
        constant, factor = omega + (alpha + beta) * constant, (alpha + beta) * factor
        constants, factors = constants + constant, factors + factor
    mean: F64 = (constants + factors * ahead) / horizon
    return mean


def filtered(percent: F64, omega: float, alpha: float, beta: float) -> F64:
    """Return float64[n], the variance expected of the next bar at each bar's close; NaN before any.

    σ²[t+1] = ω + α r[t]² + β σ²[t]; a missing return counts as what was expected of it. It starts from
    the long-run variance, or from the first square where there is none.
    """
    ahead = np.full(len(percent), np.nan)
    _filter(np.ascontiguousarray(percent), np.isfinite(percent), omega, alpha, beta, ahead)
    return ahead


@njit(cache=True)
def _filter(percent: F64, known: Bool, omega: float, alpha: float, beta: float, ahead: F64) -> None:
    variance = np.nan
    for t in range(len(percent)):
        squared = percent[t] * percent[t]
        if np.isnan(variance):
            if not known[t]:
                continue
            variance = omega / (1.0 - alpha - beta) if alpha + beta < 1.0 else squared
        variance = omega + alpha * (squared if known[t] else variance) + beta * variance
        ahead[t] = variance
