"""Whether a head is worth having.

verdicts        a head's measures with intervals, and what they show
by_head         which measures each kind of head has, against which baseline
measures        the formulas, each a statistic of sums over dates
baselines       the naive forecasts, and the rows they learn from
rivals          which of them a head is held against, and which was the strongest
garch_variance  the variance that GARCH(1,1) expects
slopes          how loud forecasts are: what happened on what was said
calibration     does what was said come true as often as it was said
conformal       intervals around forecasts that keep their coverage as the world moves
tenths          what came of each size of edge
chosen_rows     rows of all bars and symbols, and their values one behind the other
logistic_fit    the sums of a step of logistic regression
bootstrap       intervals for dependent data
"""
