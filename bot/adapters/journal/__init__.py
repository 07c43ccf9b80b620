"""A run's record in one SQLite file, written in transactions, with a chain of hashes.

files           the names of its files
schema          the tables in SQL
writer          what a run commits, and when
wal             the log beside it, kept short
builds          the table of builds: which build made which stretch of a run
commands        the table of commands: what a person asked of the run
reader          the record (`bot/adapters/record`) of a finished or a running journal
opening         opening one read-only, whatever its folder is called
migrations      journals of earlier versions: where a new schema version goes
"""
