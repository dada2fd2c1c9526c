"""One run, from its prepared inputs to its logged results.

May import everything below: metrics, transfer, tracking, runtime, images, config.
"""
