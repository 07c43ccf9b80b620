"""What every job does before its first request.

check           all faults of a start at once; `bot config check`
finer           shorter candles inside the bars: whether they can be had
history_need    how many bars a daemon begins with
practice        the settings that `--practice` means
"""
