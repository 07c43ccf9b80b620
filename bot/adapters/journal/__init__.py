"""A run's record: a SQLite file, written in transactions, and for a backtest columns beside it.

files           the names of its files
schema          the tables in SQL
wal             the log beside it, kept short
facts           the small tables of every record, written: facts, models, commands, state
facts_reader    the same, read
writer          a daemon's journal, row by row: what a run commits, and when
reader          the record (`bot/adapters/record`) of a journal
parts           a part of a table in columns: a Parquet file, and its seals
columns_writer  a backtest's record: the tables of bars in columns
columns_reader  the record of one
forms           which form a record has, and its reader: start here to read
builds          the table of builds: which build made which stretch of a run
commands        the table of commands: what a person asked of the run
opening         opening one read-only, whatever its folder is called
migrations      journals of earlier versions: where a new schema version goes
"""
