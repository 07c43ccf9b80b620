"""The first hour with the bot: a file of settings, whether this machine will do, and what a run is.

doctor          `bot doctor`: the checks of this machine, and how they are told
finding         what a check found, and what to do
machine         disk, memory, permissions, speed, versions
network         Bybit's hosts and its clock, and a round trip through the practice exchange
questions       `bot init`: a few questions, and the file that the answers make
telling         what `bot demo` says, and shows while it says nothing
demo            `bot demo`: run, kill, resume, verify, report, told step by step
"""
