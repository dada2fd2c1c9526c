"""A small stand-in for Kaggle's archive, with the quirks of the real one."""

from pathlib import Path

import numpy as np
from PIL import Image

ARTISTS = """\
id,name,years,genre,nationality,bio,wikipedia,paintings
0,Ada Blau,1840 - 1926,Impressionism,French,"a, b",http://en.wikipedia.org/wiki/Ada_de_Blau,4
1,Bruno Vert,1853 – 1890,"Impressionism,Realism",Dutch,b,http://en.wikipedia.org/wiki/Bruno_Vert,12
2,Albrecht Dürer,1471 - 1528,Northern Renaissance,German,c,http://en.wikipedia.org/wiki/D%C3%BCrer,3
3,Nobody Here,1881 - 1973,Cubism,Spanish,d,http://en.wikipedia.org/wiki/Nobody_Here,7
"""

FOLDERS = {
    "Ada_Blau": 4,
    "Bruno_Vert": 12,
    # The two ways in which Kaggle's archive breaks this name; the files are in it twice.
    "Albrecht_Du\u2560\u00earer": 3,
    "Albrecht_Du\u0393\u00f2\u00e1\u251c\u00acrer": 3,
}


def make_archive(root: Path, random: np.random.Generator) -> Path:
    """Write it: `artists.csv`, `images/images/ARTIST/`, `resized/resized/`."""
    flat = root / "resized" / "resized"
    flat.mkdir(parents=True)
    (root / "artists.csv").write_text(ARTISTS, encoding="utf-8")
    for artist, count in FOLDERS.items():
        folder = root / "images" / "images" / artist
        folder.mkdir(parents=True)
        for number in range(1, count + 1):
            pixels = random.integers(0, 256, (24, 30 + number, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{artist}_{number}.jpg")
            Image.fromarray(pixels[::2, ::2]).save(flat / f"{artist}_{number}.jpg")
    return root
