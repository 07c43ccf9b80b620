"""The commands: they parse, call app, and print.

main            the program and its commands: start here
first_hour      `bot init`, `bot doctor`, `bot demo`
live            `bot run`, `bot exchange`
hand            `bot pause`, `resume`, `flatten`, `set`: ask something of a running bot
notify          `bot notify`
serve           `bot serve`
watch           `bot watch`
reading         commands that read runs: report, status, verify, export, logs
compare         `bot compare`, `bot discover`
cross_validation `bot compare --cv combinatorial`
search          `bot search`
sweep           `bot sweep`
data            `bot fetch`, `bot import`, `bot data`
config          `bot config`
parts           `bot parts`
examples        what --help shows beside each command
options         options that commands share
output          tables on stdout, progress on stderr
plain           what a terminal is written that knows not every letter
"""
