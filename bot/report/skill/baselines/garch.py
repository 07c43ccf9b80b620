"""Volatility by GARCH(1,1) (Bollerslev 1986), fitted through arch, which the extra `garch` brings.

The parameters of each symbol are those of maximum likelihood (normal, without a mean) on the returns of
an era's training bars, and stay as they are over the era: the variance is filtered forward with them
from the first bar on. Must not be imported for arch: it is loaded when a fit is asked for.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from bot.blocks import F64
from bot.errors import extra_needed
from bot.parts.registry import shipped
from bot.report.inputs import Judged
from bot.report.skill.baselines.rows import Era, Fit, Fitted, Head, unknown
from bot.report.skill.baselines.terms import returns
from bot.report.skill.garch_variance import filtered, mean_ahead
from bot.report.some_symbols import stacked
from bot.timegrid import spans

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
    percent = stacked(run, 1, lambda some: PERCENT * returns(some, 1)[:, :, None])[:, :, 0]

    def fit(era: Era) -> Fitted | None:
        deviation = unknown(run, head)
        last = era.first + int(np.flatnonzero(era.trained.any(axis=1))[-1])
        for s in range(run.n_symbols):
            training = percent[era.first : last + 1, s]
            found = parameters(model, training[np.isfinite(training)])
            if found is not None:
                ahead = filtered(percent[:, s], *found)
                deviation[:, s] = np.sqrt(mean_ahead(ahead, *found, head.task.horizon)) / PERCENT
        known = (np.isfinite(deviation[at]).any() for at in spans(*deviation.shape))
        return (lambda bars: deviation[bars]) if any(known) else None

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
