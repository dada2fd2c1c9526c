"""Kaggle's *Best Artworks of All Time*: 50 artists, 8,446 paintings, a table of the artists."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from datasets import kaggle, sample
from datasets.catalogue import Artist, Catalogue, GroupBy, style_sets
from datasets.errors import DatasetError
from datasets.names import key, unbroken
from datasets.pictures import (
    Picture,
    PictureSet,
    files_in,
    folders_read,
    printable,
)

NAME = "best_artworks"

PAINTINGS = 8446
"""How many it is published to hold; the sum of its table's column `paintings`."""

STUDY_ARTISTS = (
    "Marc Chagall",
    "Salvador Dali",
    "Claude Monet",
    "Pablo Picasso",
    "Diego Rivera",
    "Andy Warhol",
)
"""The six of the study, section 1."""

FOLDERS = ("images/images", "images", "resized/resized", "resized", ".")
"""Where paintings may lie below the folder given; the archive doubles its folders."""

COLUMNS = ("name", "years", "genre", "nationality", "wikipedia", "paintings")

NUMBERED = re.compile(r"(?P<artist>.+)_(?P<number>\d+)")


def paintings(
    root: str | None,
    artists: list[str] | str | None = None,
    genre: list[str] | str | None = None,
    nationality: list[str] | str | None = None,
    born: list[int] | None = None,
    group_by: GroupBy | None = None,
) -> list[PictureSet]:
    """Sets of paintings from the archive; see `datasets.catalogue.style_sets`.

    Args:
        root: an unpacked archive (its root, `images/`, `images/images/` or `resized/`); None:
            the copy in the cache of Kaggle's client, which is downloaded if need be.
        artists: names in any spelling, or patterns; None: two of the study's six.
        genre: such as Impressionism, or several.
        nationality: such as French, or several.
        born: first and last year of birth.
        group_by: what makes a set.

    Raises:
        DatasetError: no archive, or nothing in it that fits.
    """
    return style_sets(catalogue(root), artists, genre, nationality, born, group_by)


def paintings_or_sample(
    root: str | None, artists: list[str] | str | None = None
) -> list[PictureSet]:
    """Sets of the archive's paintings if a copy is there, else of the embedded painters'.

    Args:
        root: an unpacked archive; None: the copy in the cache of Kaggle's client, if there is one.
        artists: names in any spelling, or patterns; None: the first two.

    Raises:
        DatasetError: `root` is no archive, or has no such artist.
    """
    return style_sets(catalogue_or_sample(root), artists)


def catalogue_or_sample(root: str | None) -> Catalogue:
    """What `paintings_or_sample` chooses from."""
    here = root is not None or kaggle.cached(NAME) is not None
    return catalogue(root) if here else sample.catalogue()


@folders_read()
def catalogue(root: str | None) -> Catalogue:
    """All artists of the archive with their paintings.

    Raises:
        DatasetError: it is not there, cannot be downloaded, or is not this archive.
    """
    place = kaggle.unpacked(NAME, root)
    found, notes = _pictures_by_artist(place)
    if not found:
        raise DatasetError(
            f"dataset.root={place}: no paintings are here; give the unpacked archive's root, "
            f"images/, images/images/ or resized/, or download it here with "
            f"`python -m datasets.fetch {NAME} --root {place}`"
        )
    known = _artists_table(place)
    if known is None:
        notes.append("no artists.csv here: years, genres and nationalities are unknown")
    listed = [_artist(row, found.pop(key(row["name"]), None)) for row in known or []]
    others = [Artist(name.replace("_", " "), pictures) for name, pictures in found.values()]
    artists = sorted([*listed, *others], key=lambda artist: key(artist.name))
    return Catalogue(str(place), tuple(artists), STUDY_ARTISTS, PAINTINGS, tuple(notes))


def _pictures_by_artist(
    place: Path,
) -> tuple[dict[str, tuple[str, tuple[Picture, ...]]], list[str]]:
    """Folder name and paintings of each artist, by the name's key; and what was odd."""
    for below in FOLDERS:
        folder = place / below
        if not folder.is_dir():
            continue
        by_folder = {
            printable(entry.name): list(files_in(entry))
            for entry in sorted(folder.iterdir())
            if entry.is_dir()
        }
        loose: dict[str, list[Picture]] = defaultdict(list)
        for picture in files_in(folder):
            match = NUMBERED.fullmatch(picture.name)
            if match:
                loose[match["artist"]].append(picture)
        by_name = {name: found for name, found in (by_folder | loose).items() if found}
        if by_name:
            return _merged(by_name)
    return {}, []


def _merged(
    by_name: dict[str, list[Picture]],
) -> tuple[dict[str, tuple[str, tuple[Picture, ...]]], list[str]]:
    """Broken spellings of one artist put together, each numbered painting taken once."""
    numbered: dict[str, dict[int | str, Picture]] = defaultdict(dict)
    spellings: dict[str, list[str]] = defaultdict(list)
    doubled: dict[str, int] = defaultdict(int)
    for name, pictures in by_name.items():
        spellings[key(name)].append(name)
        for picture in pictures:
            match = NUMBERED.fullmatch(picture.name)
            number = int(match["number"]) if match else picture.name
            if number in numbered[key(name)]:
                doubled[key(name)] += 1
                continue
            whole = Picture(unbroken(picture.name), picture.source, picture.read)
            numbered[key(name)][number] = whole
    notes = [
        f"{unbroken(names[0]).replace('_', ' ')} is there in {len(names)} spellings "
        f"({', '.join(names)}): put together, {doubled[artist]} files that are there twice "
        "taken once"
        for artist, names in spellings.items()
        if len(names) > 1
    ]
    notes += [
        f"'{names[0]}' is a broken spelling of '{unbroken(names[0])}'"
        for names in spellings.values()
        if len(names) == 1 and unbroken(names[0]) != names[0]
    ]
    in_order = {
        artist: tuple(found[n] for n in sorted(found, key=lambda n: (isinstance(n, str), n)))
        for artist, found in numbered.items()
    }
    return {a: (unbroken(spellings[a][0]), pictures) for a, pictures in in_order.items()}, notes


def _artists_table(place: Path) -> list[dict[str, str]] | None:
    """The rows of `artists.csv`, in the folder or up to two above it; None: there is none.

    Raises:
        DatasetError: it cannot be read, or lacks a column.
    """
    for folder in (place, *place.resolve().parents[:2]):
        file = folder / "artists.csv"
        if file.is_file():
            try:
                table = pd.read_csv(file, dtype=str, keep_default_na=False)
            except (ValueError, OSError) as error:
                raise DatasetError(f"{file} cannot be read as a table: {error}") from error
            missing = [column for column in COLUMNS if column not in table.columns]
            if missing:
                raise DatasetError(
                    f"{file} is not this archive's table: it has no column {', '.join(missing)}"
                )
            return [{str(k): str(v) for k, v in row.items()} for row in table.to_dict("records")]
    return None


def _artist(row: dict[str, str], found: tuple[str, Sequence[Picture]] | None) -> Artist:
    """An artist of the table, whose Wikipedia page often has the usual spelling of the name."""
    page = unquote(row["wikipedia"].rpartition("/")[2])
    count = row["paintings"].strip()
    return Artist(
        name=row["name"].strip(),
        pictures=tuple(found[1]) if found else (),
        aliases=(page.replace("_", " "),) if page else (),
        years=row["years"].replace("–", "-").strip(),
        genres=_listed(row["genre"]),
        nationalities=_listed(row["nationality"]),
        listed=int(count) if count.isdigit() else None,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
