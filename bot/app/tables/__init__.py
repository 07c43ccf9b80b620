"""A run as tables: the same columns in files (`bot export`) and in the library (`bot.load_run`).

columns         which tables there are, and what each column is, in which unit
slices          the tables of a run, a slice at a time
trips           its round trips, found slice by slice
arrow           columns of numpy as Arrow arrays
sinks           CSV, Parquet and Excel files, written slice by slice
export          `bot export`: which tables go where
document        one symbol in the columns of the user's document
"""
