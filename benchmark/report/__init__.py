"""A report of some runs as one HTML page to share: `python -m benchmark.report`."""
