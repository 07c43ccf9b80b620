"""Where units of work run: in processes of this machine, or on a cluster.

units           what a unit is, and the data that many of them read
local           in fresh processes of this machine
running         all of a study's units: what is under way, what has landed, what failed
choice          --engine: from its name to an executor
"""
