"""Mutation testing: small faults put into money, time, label and skill code, which tests must notice."""
