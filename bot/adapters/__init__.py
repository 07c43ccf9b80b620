"""What touches the outside, and nothing else does.

exchange        the Protocol the daemon asks, and the events of a stream: what a new exchange implements
bybit           Bybit's public REST and stream, through pybit
yahoo           daily candles of stocks, an optional extra
optuna_file     a search's storage, Optuna's in SQLite, an optional extra
messages        where messages go: services by apprise, a signed webhook
files           what is read from and written to disk: candles, funding, forecasts, models
record          what a run's record holds, and the Protocol that every reader of a run asks
journal         a record in one SQLite file: written, read, migrated
system          the ground: atomic files, the run's lock, systemd, the build
"""
