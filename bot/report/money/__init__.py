"""The figures of money, all from net returns.

activity        a whole run: equity, trades, costs, each symbol's part
days            what each day earned, paid and traded, on its own equity
edge            the edge of a side beside its cost
controls        what a run is held against
twins           its own round trips at random times
momentum        the side of the last 30 days
walk            an account walked over given round trips
retraced        a run's market and round trips, for such walks
metrics         the figures of an equity curve
trials          how many settings were tried on the same data, and what a ratio is worth then
sharpe          the Sharpe ratio, its error, probabilistic and deflated
jumps           positions held across a jump of price
turned_bars     bars with fills of both signs: whose each fill was
coins           what inverse symbols' positions and coins have earned
round_trips     who earned what, trip by trip
trades          the same as rows, in one stretch or piece by piece
buy_and_hold    the control that asks nothing of a model
"""
