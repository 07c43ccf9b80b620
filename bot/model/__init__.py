"""The multi-task model: arrays and tasks in, forecasts out; it knows no bars."""
