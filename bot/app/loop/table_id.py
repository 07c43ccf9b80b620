"""The name of a table of forecasts among a run's models, and the key of its file in a record's meta.

Apart, so that who only reads a record need not load what forecasts.
"""

TABLE_ID = "forecasts"
