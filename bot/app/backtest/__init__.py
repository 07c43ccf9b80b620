"""History through the engine, with the trainings that were due on the way.

command         `bot backtest` and `bot report`: start here
preparing       from settings to a job
bar_source      the bars: held, or read and made anew block by block
market_facts    what must be known of all bars before the first is traded
contract_units  whether inverse contracts are counted as Bybit does
job             the replay itself, into a run's folder
read_ahead      history read ahead, so that trainings run side by side
"""
