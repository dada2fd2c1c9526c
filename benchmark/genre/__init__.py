"""Groups told apart by a classifier: `python -m benchmark.genre --help`."""
