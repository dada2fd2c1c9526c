"""People as judges of results: a page of pictures to rate, and reading the answers."""
