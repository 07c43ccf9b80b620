"""The daemon: one open and one close a bar, each committed before anything else.

command         `bot run` from its settings to its last commit: start here
setup           make a run, or resume one from its journal
committed       the run as its journal has it: warm, open, close, catch up
rehearsal       a first start: the history again, with its models
models          which model decides, and from when
states          the states of the live loop, as a table
loop            the live loop: a method for each state
exchange        Bybit, or the practice exchange inside the process
hand            a person's commands and the kill switch, taken between two commits
exchange_time   the exchange's time, and waiting for it
decidable       until when a closed bar can be decided on
screening       what cannot be true stays outside
opening         the open of a bar: quotes to the row that is booked
bar_assembly    events to closed bars
closed_bar      a bar as it was closed
life            which symbols end, and at what they settle
heard_marks     the mark price inside a bar, as the stream told it
finer           shorter candles inside a bar, asked for before it ends
missing         asking for the candles that nobody pushed
feed_counters   what a feed did, counted
funding         the funding of a bar
catch_up        bars that nobody can decide on any more
backfill        bars of the past, on the run's grid
retraining      training beside the loop, and when a model takes over
decision        the event of a decision, with its reason
reporter        log events, the status file, systemd
terminal_lines  what a person at a terminal is shown: a line a bar, fills, events
run_log         the log's file, and the terminal
account_report  liquidations, settlements, margin calls and halts in the log
begun           a run that has begun, and the settings that it goes on with
joining         symbols that join: fetched and committed as one
recorder        what is recorded of a daemon's life, in transactions
members         which symbols the universe lets be opened, from the journal's bars
candidates      what the universe of a new run chooses among
listed          what the exchange says of a run's symbols at a start
life_report     which symbols leave, in the log and the status
risk_watch      halts, stages and cool-downs, told once
seldom          the same thing logged seldom
request_waits   long waits for a request, logged
waiting         the first of several things
resume_check    whether a journal agrees with itself, before going on
practice_server `bot exchange`: a practice exchange for other processes
"""
