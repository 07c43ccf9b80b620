"""When to train, on which rows, and in which process.

triggers        when a training is due
first           the training at a run's start
rehearsal       how long before the start models begin to decide
archive         bars and features of the past, to cut rows from
rows_on_disk    rows in files without a name, and their way to the process that trains
request         a training as a pure function: its rows, seed and manifest
pool            jobs side by side, in processes of their own
main_module     worker processes that leave the caller's script alone
preload         what a worker's server imports once
warmup          a throwaway training that warms the caches
progress        a training as the log tells it
"""
