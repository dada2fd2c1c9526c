"""The process and its surroundings: interrupts, owners, whole files, launchers, GPUs.

May import config.
"""
