"""What a step, a sweep and a study cost: `python -m benchmark.bench --help`."""
