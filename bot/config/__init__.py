"""Settings: the sections, their loading from file, environment and command line, their checks.

whole           `Config`: all settings together
schema          the sections that are neither learning nor trading
market          what is traded, and by which bars
learning        features, targets, model
fitting         training, and when to retrain
trading         signal, sizes, account, costs
universe        the sentence that says which symbols may be traded
execution       how orders meet the market
risk            caps, halts, stages, cool-downs
search          how `bot search` searches, in a file of its own
notify          what `bot notify` tells, and when
section         what every section is
given           what is given, and where it came from
load            file, environment, command line, in this order
faults          the words for a value that is refused
bounds          what a value may be, in brackets
renamed         names that settings had before
parts           the parts that settings name, looked up
checks          combinations that cannot work
trading_checks  those of costs, sizes, orders and risk
changes         which settings may change during a run, and a change tried out
advice          what is legal and has no effect
needed_heads    which heads the account needs
example         config.example.toml
ready           the ready files of settings, by name
"""

from bot.config.load import load_config
from bot.config.whole import Config, flatten, to_toml

__all__ = ["Config", "flatten", "load_config", "to_toml"]
