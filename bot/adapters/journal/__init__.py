"""A run's record: one SQLite file, in transactions, with a chain of hashes.

schema          the tables, and the bytes of a bar for the chain: what a column means
writer          what a run commits, and when
rows            what the engine hands over, as rows
builds          which build made which stretch of a run
reader          reading a finished or a running journal
opening         opening one read-only, whatever its folder is called
snapshot        one state of a journal in spans, while a daemon writes on
replayed        a journal in memory, for a replay to fill
migrations      journals of earlier versions: where a new schema version goes
"""
