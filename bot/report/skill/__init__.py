"""Whether a head is worth having.

measures        skill against a baseline, with an interval
baselines       the naive forecasts, and the rows they learn from
har             volatility by its own past (Corsi 2009)
bootstrap       intervals for dependent data
"""
