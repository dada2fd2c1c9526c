"""Films in an artist's manner: reading, painting, measuring and writing them."""
