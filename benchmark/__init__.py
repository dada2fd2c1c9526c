"""A benchmark of neural style transfer from an artist's whole body of work."""
