"""What a run means: figures with their uncertainty, tables and the page.

Pure: functions take arrays and return values and strings. Reads no file, no clock and no journal.

booked          bars, and what an account held on them: a run, or a slice of one
inputs          one run as arrays: what everything here is made from
summary         the results as one mapping: what `--json` prints
why             why a bar was traded or not, in one phrase
verdict         ten lines that say what came of a run
what_follows    the last of them, by rules
coverage        how much of its span a run covers
some_symbols    a run of some of its symbols at a time
insights        what the run's models look at
export          the user's document's columns
formats         how figures are written
spark           a curve in a line of letters
money           equity, costs, Sharpe ratio, round trips
tear            the tear sheet: returns by period, drawdowns, tails, groups of trips
skill           each head against its baselines, with intervals
study           contenders against one another
page            tables, pictures and the self-contained page
"""
