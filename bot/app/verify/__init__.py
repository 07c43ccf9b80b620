"""The proof of a run: the same bars and models must give the same rows.

proof           `bot verify`: start here
facts           what a folder says beside its bars: tables, facts, settings
models          a run's models: files, rows, and from when they may decide
training        the rows that models were trained on, cut again
engine          the engine of a replay
commands        the commands of a run, handed to its replay where they held
replay          the replay, compared row by row
stretches       what each build made, up to the next seam
chain           the hash chain, made again
tables          a record's tables beside its replay's, in rows or in columns
rows            comparing rows
unproved        what no replay can show, with the reason
"""
