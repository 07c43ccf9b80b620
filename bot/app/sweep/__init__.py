"""Many settings of policy, sizing, costs and risk over the same forecasts; nothing is trained.

command         `bot sweep`, from forecasts to what came of each setting: start here
grid            what --vary asks for, as settings
checks          which of them are refused before anything is tried
source          the bars and forecasts that are replayed, of a run or a file
rehearsed       forecasts before a run's start, from its models
brackets        what is unknowable inside a bar, read well and badly, and the costs it bears
brackets_view   the brackets as a table
replay          one setting through the account, and a share of them in a process
"""
