"""A run's folder, read by people and programs.

folder          its files: config.toml, journal.db, models, logs, report
edited_settings which settings in config.toml are not those that the run was made with
record          a run's record, begun, continued, read
asking          `bot pause`, `resume`, `flatten`, `set`: ask the daemon, and wait for its answer
in_force        the settings in force: the file, and the commands since
listing         `bot runs`
stops           where positions are stopped, as the status tells it
status          `bot status`: where a run stands
risk_status     stages and cool-downs, as the status tells them
last_decision   what the last closed bar decided, and what signals were worth by then
recent_coverage how often the intervals around the forecasts held of late
status_view     the status as tables
farewell        what `bot run` says at its end: where it stands, what comes next
heartbeat       what the daemon last said of itself
living          `bot status --check`: whether the daemon lives
results         from a folder to figures and pictures
trials          the register of trials: what enters it, and what a figure is held against
trials_view     `bot trials`: the register as tables
ledger_hash     the ledger's hash from stored rows
shrunk          forecasts shrunk by their models
own_parts       parts of a user's own that a run was made with
borrow          `--schedule RUN`, `--model RUN`: what one run takes from another
carried_state   the carried state, in today's layout
log_reading     a run's log as lines
log_backwards   the same from its newest line back
log_view        `bot logs`
sentences       an event of the log in words
unknown_variances  bars whose realised variance is not known, in the log
wide_columns    columns of all bars and symbols, read in spans
durations       '2h', '3 d 4 h'
"""
