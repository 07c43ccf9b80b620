"""History through the engine, with the trainings that were due on the way.

command         `bot backtest` and `bot report`: start here
preparing       from settings to a job
job             the replay itself, into a run's folder
read_ahead      history read ahead, so that trainings run side by side
"""
