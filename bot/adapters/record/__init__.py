"""A run's record: what it holds and how it is read, whatever it is stored in.

Everyone who reads a run asks a `Record`; the SQLite journal (`bot/adapters/journal`) is one, and
another way of storing a run is a package beside it that passes `tests/adapters/record`.

reading         the Protocol: what every reader of a run may ask
writing         the Protocols: what recorders need of a record that they write
tables          the rows of a record: tables, columns, what a bar's row says
contents        models, extent and carried state, as a record gives them
commands        what a person asked of the run, and from which bar it holds
joins           which symbols are in a run, from when on
builds          which build made which stretch, and the link that seals it
chain           the bytes of a bar's rows, and the chain of hashes over them
difference      the first place where a record is not what it must be
rows            what the engine hands over, as rows
arrays          rows as arrays: for a record that is stored row by row
columns         what the engine hands over, as columns; and columns as rows
column_arrays   columns as arrays: for a record that is stored column by column
memory          a record in memory, which a replay fills
"""
