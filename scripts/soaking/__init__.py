"""Soaks: the daemon through kills, faults and very many bars, on an exchange and a clock of ours."""
