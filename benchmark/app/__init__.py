"""The web page on which people paint a photograph in an artist's manner."""
