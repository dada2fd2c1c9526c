"""Pictures as arrays: contact sheets, curves, enlarging; uint8 and float32 in [0, 1].

May import nothing else of `benchmark`.
"""
