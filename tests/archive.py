"""Small stand-ins for files that are downloaded: Kaggle's archives, PyTorch's weights."""

import csv
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

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


GENRES = ["Comedy", "Drama", "Horror"]

BROKEN_ROW = {
    "adult": " - Written by somebody",
    "id": "1997-08-20",
    "genres": "[{'name': 'Carousel Productions', 'id': 11176}]",
    "title": "",
    "vote_count": "",
}
"""As the archive's three rows that a line break cuts in two."""


def make_films(root: Path, random: np.random.Generator, count: int = 6) -> Path:
    """The archive of films, of each genre so many with more and more votes, and its quirks.

    Their posters are in `root/tmdb/posters`, as TMDB_CACHE=root/tmdb keeps them.
    """
    rows = [
        {
            "adult": "False",
            "id": str(10 * place + number),
            "genres": f"[{{'id': {place}, 'name': '{genre}'}}]",
            "overview": "In two\nlines, with 'quotes'",
            "title": f"{genre} {number}/{count}",
            "vote_count": f"{number}.0",
        }
        for place, genre in enumerate(GENRES, start=1)
        for number in range(1, count + 1)
    ]
    plain = rows[0]
    several = "[{'id': 3, 'name': 'Horror'}, {'id': 2, 'name': 'Drama'}]"
    rows += [
        BROKEN_ROW,
        {**plain, "id": "91", "adult": "True", "vote_count": "9000"},
        {**plain, "id": "92", "genres": several, "title": "Both", "vote_count": "8000"},
        {**plain, "id": "93", "genres": "[]"},
        {**plain, "id": "94", "genres": "[{'id': 2, 'name':"},
        plain,
    ]
    (root / "tmdb" / "posters").mkdir(parents=True)
    with (root / "movies_metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(plain))
        table.writeheader()
        table.writerows(rows)
    for row in rows:
        if row["id"].isdigit():
            pixels = random.integers(0, 256, (36, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "tmdb" / "posters" / f"{row['id']}.jpg")
    return root


def write_torch(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """A file of `torch.save` with float32 arrays: its pickle, of protocol 0, written out."""
    pickled = b"("
    with ZipFile(path, "w") as archive:
        for key, (name, array) in enumerate(arrays.items()):
            sides, steps = array.shape, [stride // 4 for stride in array.strides]
            shape, strides = (b"".join(b"I%d\n" % n for n in some) for some in (sides, steps))
            storage = b"(Vstorage\nctorch\nFloatStorage\nV%d\nVcpu\nI%d\ntQ" % (key, array.size)
            tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(%sI0\n(%st(%stI00\nNtR"
            pickled += b"V%s\n" % name.encode() + tensor % (storage, shape, strides)
            archive.writestr(f"{path.stem}/data/{key}", array.tobytes())
        archive.writestr(f"{path.stem}/data.pkl", pickled + b"d.")
