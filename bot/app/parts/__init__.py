"""`bot parts`: what parts there are, and whether a user's own do what their kind must do.

listing         every part with its kind, origin and settings
checking        `bot parts check`: the laws that a part must keep, tried on a made market
market          the made market that parts are tried on
bars            the checks of features and targets
trading         the checks of policies and cost schemes
classes         the checks of torch classes: they train, and the same bits twice
"""
