"""A sweep: its plan, its cost, its runs in order, its summary, resuming it.

May import analysis and everything below.
"""
