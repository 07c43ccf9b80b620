"""What a run means: metrics with their uncertainty, skill against baselines, tables and the page.

Pure: functions take arrays and return values and strings. Reads no file, no clock and no journal.
"""
