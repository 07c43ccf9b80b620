"""The tear sheet of a run: its returns by period, its drawdowns, its risks, beside buy and hold.

Pure, all from daily returns (drawdowns from bars); fractions are fractions, and what cannot be had is
None. Whoever needs one figure asks its module; `sheet` has all of them.

sheet           all of it, of a run
daily           returns by day of UTC
periods         by month and year, best and worst, winning and losing
rolling         Sharpe ratio, volatility and beta of the last days
falls           the worst drawdowns, one by one
tails           value at risk, what lies beyond it, and the distribution
beside          beta, alpha and the like, beside buy and hold
ratios          what tear sheets count beside the Sharpe ratio
groups          round trips by symbol, side, hour, weekday, reason
"""
