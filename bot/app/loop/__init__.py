"""What live, backtest and verify share: one loop, and what it is given.

runner          THE loop
joining         what a run carries once more symbols are in it
recorders       into a backtest's journal, or nowhere
forecasters     a trained model, or a table of predictions
table_id        what such a table is called in a record
waiting         what a person sees meanwhile
warmup          compile before the first bar
stopwatch       how long the stages of a bar took
interrupts      what a signal stops, and when
"""
