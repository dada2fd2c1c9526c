"""Options: their schema, composition, checks and messages; variants found in `conf/`.

May import nothing else of ours.
"""
