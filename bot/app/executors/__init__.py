"""Where units of work run: in processes of this machine, or on a cluster.

units           what a unit is, and the data that many of them read
local           in fresh processes of this machine
running         all of a study's units: what is under way, what has landed, what failed
flights         what is under way on a cluster, and what is begun once more
ray_cluster     a Ray cluster: a new one on loopback, or one that is there; nodes that compute alike
ray_executor    units on it: the thread that talks with Ray
ray_node        what runs on its nodes
choice          --engine: from its name to an executor
"""
