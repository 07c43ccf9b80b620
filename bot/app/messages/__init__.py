"""`bot notify`: what happens in runs, told to people elsewhere. A process of its own; it only reads runs.

service         `bot notify` from its settings to its end: start here
following       one run: what is new in it, look by look
journal_news    fills, models and commands that the record has and nobody was told of
log_news        halts, trainings, starts and stops that the log has
health          whether the daemon lives, the feed is heard, the disk has room
summary         the daily summary, and its picture
at_once         a test, or a crash that the supervisor reports
addresses       where messages go, made of the secrets
message         a message, and which kinds are urgent
outbox          what goes out when: groups, limits, quiet hours, tries again
standings       `bot notify status`: how each address stands
ledger_of_messages  the file beside the runs: how far was read, what is not delivered yet
"""
