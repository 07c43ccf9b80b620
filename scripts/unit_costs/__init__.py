"""What a unit of a study costs, and what each engine adds to it.

__main__        `python -m scripts.unit_costs`: measures and prints
measuring       units through an executor, timed
needs           from a unit's cost to what a large study needs
"""
