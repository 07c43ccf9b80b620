"""History through the engine, with the trainings that were due on the way.

command         `bot backtest` and `bot report`: start here
preparing       from settings to a job
contract_units  whether inverse contracts are counted as Bybit does
job             the replay itself, into a run's folder
read_ahead      history read ahead, so that trainings run side by side
"""
