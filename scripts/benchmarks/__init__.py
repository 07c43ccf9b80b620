"""Benchmarks: how fast the bot is, beside other engines and beside the limit of the machine."""
