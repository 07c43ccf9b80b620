"""Settings searched for over a study's folds: `bot search`.

command         from a file to a table: start here
space           SPACE.toml: what varies, how, and where it starts
dimensions      one setting that varies
cadence         how often models are trained, where that varies
samplers        what proposes settings
identity        what a search is of, and what refuses another
running         the loop: asked for, trained, judged, entered, told
trial           one trial, and what is kept of it
scoring         its objectives
confirming      `--confirm`: one look at bars that no trial has seen
found           the front, the chosen one, and what it is worth
"""
