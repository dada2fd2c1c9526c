"""The method: losses, aggregation, features, the compiled step, the optimisation loop.

May import backbones and nothing else of ours: no configuration, no tracking.
"""
