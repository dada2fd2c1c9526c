"""Kaggle's *Best Artworks of All Time*: 50 artists, 8,446 paintings, a table of the artists."""

import re
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from datasets import kaggle, sample
from datasets.catalogue import Artist, Catalogue, GroupBy, style_sets
from datasets.errors import DatasetError
from datasets.images import (
    ImageSet,
    LazyImage,
    files_in,
    folders_read,
    printable,
)
from datasets.names import name_key, unbroken

PUBLISHED_PAINTINGS = 8446
"""The sum of its table's column `paintings`."""

STUDY_ARTISTS = (
    "Marc Chagall",
    "Salvador Dali",
    "Claude Monet",
    "Pablo Picasso",
    "Diego Rivera",
    "Andy Warhol",
)
"""The six artists of the study, section 1."""

PAINTING_FOLDERS = ("images/images", "images", "resized/resized", "resized", ".")
"""Where paintings may lie below the folder given; the archive doubles its folders."""

TABLE_COLUMNS = ("name", "years", "genre", "nationality", "wikipedia", "paintings")

NUMBERED_NAME = re.compile(r"(?P<artist>.+)_(?P<number>\d+)")


def paintings(
    root: str | None,
    artists: list[str] | str | None = None,
    genre: list[str] | str | None = None,
    nationality: list[str] | str | None = None,
    born: list[int] | None = None,
    group_by: GroupBy | None = None,
) -> list[ImageSet]:
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


def paintings_or_sample(root: str | None, artists: list[str] | str | None = None) -> list[ImageSet]:
    """Sets of the archive's paintings if there is a copy of it, else of the embedded painters'.

    Args:
        root: an unpacked archive; None: the copy in the cache of Kaggle's client, if there is one.
        artists: names in any spelling, or patterns; None: the first two.

    Raises:
        DatasetError: `root` is no archive, or has no such artist.
    """
    return style_sets(catalogue_or_sample(root), artists)


def catalogue_or_sample(root: str | None) -> Catalogue:
    """What `paintings_or_sample` chooses from."""
    available = root is not None or kaggle.cached("best_artworks") is not None
    return catalogue(root) if available else sample.catalogue()


@folders_read()
def catalogue(root: str | None) -> Catalogue:
    """All artists of the archive with their paintings.

    Raises:
        DatasetError: there is no copy, none can be downloaded, or it is not this archive.
    """
    archive = kaggle.unpacked("best_artworks", root)
    paintings_of, notes = _paintings_by_artist(archive)
    if not paintings_of:
        parts = "images/, images/images/ or resized/"
        raise kaggle.not_the_archive("best_artworks", archive, parts)
    table = _artists_table(archive)
    if table is None:
        notes.append("no artists.csv: years, genres and nationalities are unknown")
    listed = [_artist(row, paintings_of.pop(name_key(row["name"]), None)) for row in table or []]
    others = [Artist(name.replace("_", " "), images) for name, images in paintings_of.values()]
    artists = sorted([*listed, *others], key=lambda artist: name_key(artist.name))
    return Catalogue(str(archive), tuple(artists), STUDY_ARTISTS, PUBLISHED_PAINTINGS, tuple(notes))


NamedImages = tuple[str, tuple[LazyImage, ...]]
"""An artist's name as the archive spells it, and the paintings."""


def _paintings_by_artist(archive: Path) -> tuple[dict[str, NamedImages], list[str]]:
    """Spelling and paintings of each artist, by the name's key; and what was odd."""
    for below in PAINTING_FOLDERS:
        folder = archive / below
        if not folder.is_dir():
            continue
        subfolders = sorted(entry for entry in folder.iterdir() if entry.is_dir())
        by_name = {printable(entry.name): list(files_in(entry)) for entry in subfolders}
        loose: dict[str, list[LazyImage]] = defaultdict(list)
        for image in files_in(folder):
            if match := NUMBERED_NAME.fullmatch(image.name):
                loose[match["artist"]].append(image)
        if by_name := {name: images for name, images in (by_name | loose).items() if images}:
            return _merged(by_name)
    return {}, []


def _merged(
    by_name: dict[str, list[LazyImage]],
) -> tuple[dict[str, NamedImages], list[str]]:
    """Broken spellings of one artist put together, each numbered painting once."""
    spellings: dict[str, list[str]] = defaultdict(list)
    numbered: dict[str, dict[int | str, LazyImage]] = defaultdict(dict)
    for name, images in by_name.items():
        spellings[name_key(name)].append(name)
        for image in images:
            match = NUMBERED_NAME.fullmatch(image.name)
            whole = LazyImage(unbroken(image.name), image.source, image.read)
            number = int(match["number"]) if match else image.name
            numbered[name_key(name)].setdefault(number, whole)
    merged: dict[str, NamedImages] = {}
    notes = []
    for artist, names in spellings.items():
        right, by_number = unbroken(names[0]), numbered[artist]
        in_order = sorted(by_number, key=lambda number: (isinstance(number, str), number))
        merged[artist] = right, tuple(by_number[number] for number in in_order)
        if len(names) > 1:
            duplicates = sum(len(by_name[name]) for name in names) - len(by_number)
            notes.append(
                f"{right.replace('_', ' ')} has {len(names)} spellings ({', '.join(names)}): "
                f"merged, without {duplicates} duplicate files"
            )
        elif right != names[0]:
            notes.append(f"'{names[0]}' is a broken spelling of '{right}'")
    return merged, notes


def _artists_table(archive: Path) -> list[dict[str, str]] | None:
    """The rows of `artists.csv`, in the folder or up to two above it; None: no such file.

    Raises:
        DatasetError: it cannot be read, or lacks a column.
    """
    for folder in (archive, *archive.resolve().parents[:2]):
        file = folder / "artists.csv"
        if file.is_file():
            try:
                table = pd.read_csv(file, dtype=str, keep_default_na=False)
            except (ValueError, OSError) as error:
                raise DatasetError(f"{file} cannot be read as a table: {error}") from error
            missing = [column for column in TABLE_COLUMNS if column not in table.columns]
            if missing:
                raise DatasetError(
                    f"{file} is not this archive's table: it has no column {', '.join(missing)}"
                )
            return [{str(k): str(v) for k, v in row.items()} for row in table.to_dict("records")]
    return None


def _artist(row: dict[str, str], paintings_of: NamedImages | None) -> Artist:
    """An artist of the table, whose Wikipedia page often has the usual spelling of the name."""
    page = unquote(row["wikipedia"].rpartition("/")[2])
    count = row["paintings"].strip()
    return Artist(
        name=row["name"].strip(),
        images=paintings_of[1] if paintings_of else (),
        aliases=(page.replace("_", " "),) if page else (),
        years=row["years"].replace("–", "-").strip(),
        genres=_listed(row["genre"]),
        nationalities=_listed(row["nationality"]),
        listed=int(count) if count.isdigit() else None,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
