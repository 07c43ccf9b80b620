"""Sizings: how large a position is, on the side that the policy wants. What each does is one module.

fixed               the same share of equity
proportional        the signal over the predicted volatility
kelly               a fraction of the calibrated edge over the variance
volatility_target   all positions of a close, so that the account has the volatility aimed at
mean_variance       all positions of a close, by edge, covariance and the cost of getting there
account             what the two that size the whole account work with
sizes               whichever is in force: what `decide` asks
"""
