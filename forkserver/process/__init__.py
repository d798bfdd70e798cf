"""Processes: the master, the molds, the workers' seats and how they speak with each other.

Nothing here knows HTTP, applications or what a worker does: the master is handed that as a `Program`.
"""
