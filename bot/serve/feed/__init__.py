"""Following the folders of runs: what is known of each, and what has changed.

runs        the runs there are, by id, and a mark of each that changes when the run does
cards       a run in a few figures, as an overview shows it
coverages   how often intervals held of late
state       in one word, how a run fares
events      a run's log by pages, newest first
curves      equity of whole runs, read once and then by what is new
analysis    what takes seconds to work out (skill, controls, trips), in a process of its own
watching    telling clients what has changed, while there are any
"""
