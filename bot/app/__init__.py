"""The jobs of the bot: they put the engine and the adapters together and decide about errors.

A room imports only rooms below its own line.

search          `bot search`: settings tried over a study's folds
library         `bot.load_run`, `bot.backtest`: runs in scripts and notebooks
study           `bot compare` and `bot discover`: many trainings, held side by side
first_hour      `bot init`, `bot doctor`, `bot demo`
sweep           `bot sweep`: many settings over the same forecasts
live            `bot run`: the daemon
backtest        `bot backtest`: history through the engine
verify          `bot verify`: the proof of a run
parts           `bot parts`: the parts there are, and whether yours are sound
messages        `bot notify`: what happens in runs, told elsewhere
watch           `bot watch`: a run on a full screen
history         `bot fetch`, `bot import`, `bot data`: files of history
start           what every job checks before its first request
tables          a run as tables: `bot export`, and what the library gives
runs            a run's folder: results, status, logs
loop            the loop that live, backtest and verify share
executors       where a study's units run: processes of this machine, or a cluster
training        when to train, on what, in which process
symbols         the symbols of a run, their instruments and their year
"""
