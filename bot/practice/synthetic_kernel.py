"""The law of the synthetic market, a bar at a time: returns, momentum, volatility, volume, candle.

A symbol's standardised return e and its momentum z follow

    e[t] = s·z[t-1] + √(1-s²)·(√ρ·f[t] + √(1-ρ)·ε[t])        r[t] = σ[t]·e[t]
    z[t] = λ·z[t-1] + c·e[t]

with f common to all symbols and s the signal's strength. c is chosen such that z has variance 1
whatever s is, so e has variance 1 as well, and s is the share of a bar's standard deviation that
the past tells. z is a moving average of past returns: momentum features see it. With s = 0 the
returns are a martingale difference. log σ is a common plus an own AR(1) (stochastic volatility,
Taylor 1986) plus the rhythm of the day; volume follows the same rhythm and volatility.

Rules: sequential over a carried state, no random draws of its own, no look at anything later.
Far from its first price (a factor of 20) a symbol is pulled back by two variances a bar: a
martingale left alone for millions of bars ends at zero.
"""

from __future__ import annotations

import math

import numpy as np

from bot.blocks import F64
from bot.compiled import njit

MEMORY = 0.9
"""λ: momentum forgets a tenth of itself a bar."""

N_STATE = 5
"""State of a symbol: log of price over first price, momentum, common and own log σ, activity."""

LOG_PRICE, MOMENTUM, COMMON, OWN, ACTIVITY = range(N_STATE)

N_OUT = 7
"""Output of a bar and symbol: five of the candle, then momentum and σ, which are not observed."""

OPEN, HIGH, LOW, CLOSE, VOLUME, OUT_MOMENTUM, OUT_SIGMA = range(N_OUT)

N_NORMAL, N_UNIFORM = 5, 2
"""Draws of a bar and symbol: for return, own log σ, activity, volume, gap; for high and low."""

_COMMON_PHI, _COMMON_SD = 0.98, 0.25
_OWN_PHI, _OWN_SD = 0.94, 0.30
_CENTRE = _COMMON_SD**2 + _OWN_SD**2  # makes the mean of σ² the square of the typical volatility
_COMMON_STEP = _COMMON_SD * math.sqrt(1.0 - _COMMON_PHI**2)
_OWN_STEP = _OWN_SD * math.sqrt(1.0 - _OWN_PHI**2)
_ACTIVITY_PHI, _ACTIVITY_STEP = 0.9, 0.15
_RHYTHM_OF_VOLATILITY, _RHYTHM_OF_VOLUME = 0.25, 0.6
_FAR = math.log(20.0)
_LARGEST_MOVE = 0.5  # symmetric, so that it leaves the mean of an unsignalled return at zero


def momentum_step(strength: float) -> tuple[float, float]:
    """Return (c, φ): how far a standardised return moves z, and the persistence λ + c·s of z.

    c solves (λ + cs)² + c²(1 - s²) = 1, the condition for a variance of 1.

    >>> c, phi = momentum_step(0.0)
    >>> round(c * c + phi * phi, 12), phi
    (1.0, 0.9)
    """
    c = -MEMORY * strength + math.sqrt((MEMORY * strength) ** 2 + 1.0 - MEMORY**2)
    return c, MEMORY + c * strength


@njit(cache=True)
def _move(
    own: F64, law: tuple[float, float, float], wave: float, eta: float
) -> tuple[float, float]:
    """Return (σ, e) of a bar and move price and momentum; own is float64[N_STATE]."""
    volatility, strength, c = law
    log_scale = own[COMMON] + own[OWN] - _CENTRE + _RHYTHM_OF_VOLATILITY * wave
    sigma = volatility * math.exp(log_scale)
    e = strength * own[MOMENTUM] + math.sqrt(1.0 - strength * strength) * eta
    r = min(max(sigma * e, -_LARGEST_MOVE), _LARGEST_MOVE)
    if own[LOG_PRICE] > _FAR:
        r -= 2.0 * sigma * sigma
    elif own[LOG_PRICE] < -_FAR:
        r += 2.0 * sigma * sigma
    own[LOG_PRICE] += math.log1p(r)
    own[MOMENTUM] = MEMORY * own[MOMENTUM] + c * e
    return sigma, e


@njit(cache=True)
def _extremes(opened: float, closed: float, sigma: float, draw: F64) -> tuple[float, float]:
    """Return (high, low) of a Brownian bridge from open to close (its maximum is Rayleigh's)."""
    x = math.log(closed / opened)
    twice_variance = 2.0 * sigma * sigma
    up = 0.5 * (x + math.sqrt(x * x - twice_variance * math.log(1.0 - draw[0])))
    down = 0.5 * (x - math.sqrt(x * x - twice_variance * math.log(1.0 - draw[1])))
    high = max(opened * math.exp(up), opened, closed)
    low = min(opened * math.exp(down), opened, closed)
    return high, low


@njit(cache=True)
def advance(
    state: F64,
    law: tuple[float, float, float],
    wave: F64,
    common: F64,
    normal: F64,
    uniform: F64,
    traits: F64,
    out: F64,
) -> None:
    """Step the state over n bars and write them.

    Args:
        state: float64[S, N_STATE], changed in place.
        law: (typical σ of a bar, strength, c of `momentum_step`).
        wave: float64[n], the rhythm of the day.
        common: float64[n, 2], normal draws of the common return and the common log σ.
        normal, uniform: float64[n, S, N_NORMAL] and [n, S, N_UNIFORM].
        traits: float64[S, 3]: ρ, first price, and 10^decimals of the prices.
        out: float64[N_OUT, n, S], written.
    """
    for t in range(normal.shape[0]):
        for s in range(normal.shape[1]):
            own, draw = state[s], normal[t, s]
            rho, first_price, scale = traits[s]
            gap = min(max(0.5e-4 * draw[4], -2e-4), 2e-4)
            opened = first_price * math.exp(own[LOG_PRICE] + gap)
            own[COMMON] = _COMMON_PHI * own[COMMON] + _COMMON_STEP * common[t, 1]
            own[OWN] = _OWN_PHI * own[OWN] + _OWN_STEP * draw[1]
            own[ACTIVITY] = _ACTIVITY_PHI * own[ACTIVITY] + _ACTIVITY_STEP * draw[2]
            eta = math.sqrt(rho) * common[t, 0] + math.sqrt(1.0 - rho) * draw[0]
            sigma, e = _move(own, law, wave[t], eta)
            closed = first_price * math.exp(own[LOG_PRICE])
            high, low = _extremes(opened, closed, sigma, uniform[t, s])
            log_volume = _RHYTHM_OF_VOLUME * wave[t] + own[COMMON] + own[OWN] + own[ACTIVITY]
            log_volume += 0.35 * abs(e) + 0.2 * draw[3]
            out[OPEN, t, s] = np.rint(opened * scale) / scale
            out[HIGH, t, s] = np.rint(high * scale) / scale
            out[LOW, t, s] = np.rint(low * scale) / scale
            out[CLOSE, t, s] = np.rint(closed * scale) / scale
            out[VOLUME, t, s] = np.rint(1e9 / first_price * math.exp(log_volume)) / 1e3
            out[OUT_MOMENTUM, t, s] = own[MOMENTUM]
            out[OUT_SIGMA, t, s] = sigma
