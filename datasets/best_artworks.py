"""Kaggle's *Best Artworks of All Time*: 50 artists, 8,446 paintings, a table of the artists."""

import math
import re
from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from datasets import DatasetError, kaggle, sample
from datasets.catalogue import Artist, Catalogue, GroupBy, style_sets
from datasets.images import ImageSet, LazyImage, files_in, folders_read, subfolders
from datasets.names import chosen_names, name_key, unbroken
from datasets.reading import printable

# The six artists of the study, section 1.
STUDY_ARTISTS = (
    "Marc Chagall",
    "Salvador Dali",
    "Claude Monet",
    "Pablo Picasso",
    "Diego Rivera",
    "Andy Warhol",
)
NAMES = """
Amedeo Modigliani, Vasiliy Kandinskiy, Diego Rivera, Claude Monet, Rene Magritte, Salvador Dali,
Edouard Manet, Andrei Rublev, Vincent van Gogh, Gustav Klimt, Hieronymus Bosch, Kazimir Malevich,
Mikhail Vrubel, Pablo Picasso, Peter Paul Rubens, Pierre-Auguste Renoir, Francisco Goya,
Frida Kahlo, El Greco, Albrecht Dürer, Alfred Sisley, Pieter Bruegel, Marc Chagall,
Giotto di Bondone, Sandro Botticelli, Caravaggio, Leonardo da Vinci, Diego Velazquez, Henri Matisse,
Jan van Eyck, Edgar Degas, Rembrandt, Titian, Henri de Toulouse-Lautrec, Gustave Courbet,
Camille Pissarro, William Turner, Edvard Munch, Paul Cezanne, Eugene Delacroix, Henri Rousseau,
Georges Seurat, Paul Klee, Piet Mondrian, Joan Miro, Andy Warhol, Paul Gauguin, Raphael,
Michelangelo, Jackson Pollock"""
# All artists of the archive, with the aliases of its table that have other words: names are checked
# by these before gigabytes are downloaded.
ARTISTS: Mapping[str, tuple[str, ...]] = {name.strip(): () for name in NAMES.split(",")} | {
    "Pieter Bruegel": ("Pieter Bruegel the Elder",),
    "Vasiliy Kandinskiy": ("Wassily Kandinsky",),
    "William Turner": ("J. M. W. Turner",),
}
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
    """Sets of paintings from the archive; see `catalogue` and `datasets.catalogue.style_sets`.

    Where nothing is asked for, two of the study's six artists.

    Raises:
        DatasetError: as there; an unknown artist before anything is downloaded.
    """
    if artists and root is None and kaggle.cached("best_artworks") is None:
        wanted = [artists] if isinstance(artists, str) else artists
        chosen_names("dataset.artists", ARTISTS, wanted)
    return style_sets(catalogue(root), artists, genre, nationality, born, group_by)


def paintings_or_sample(root: str | None, artists: list[str] | str | None = None) -> list[ImageSet]:
    """Sets of the archive's paintings if there is a copy of it, else of the built-in painters'."""
    return style_sets(catalogue_or_sample(root), artists)


def catalogue_or_sample(root: str | None) -> Catalogue:
    """What `paintings_or_sample` chooses from."""
    available = root is not None or kaggle.cached("best_artworks") is not None
    return catalogue(root) if available else sample.catalogue()


@folders_read()
def catalogue(root: str | None) -> Catalogue:
    """All artists of the archive with their paintings.

    `root` is an unpacked archive (its root, `images/`, `images/images/` or `resized/`); None: the
    copy in the cache of Kaggle's client, which is downloaded if need be.

    Raises:
        DatasetError: there is no copy, none can be downloaded, or it is not this archive.
    """
    archive = kaggle.unpacked("best_artworks", root)
    by_key, notes = _artists_by_key(_images_by_name(archive))
    if not by_key:
        parts = "images/, images/images/ or resized/"
        raise kaggle.not_the_archive("best_artworks", archive, parts)
    table = _artists_table(archive)
    if table is None:
        notes.append("no artists.csv: years, genres and nationalities are unknown")
    for row in table or []:
        key = name_key(row["name"])
        by_key[key] = _described(by_key.get(key, Artist(row["name"].strip())), row)
    artists = tuple(artist for _, artist in sorted(by_key.items()))
    published = 8446  # the sum of its table's column `paintings`
    return Catalogue(str(archive), artists, STUDY_ARTISTS, published, tuple(notes))


def _images_by_name(archive: Path) -> Mapping[str, list[LazyImage]]:
    """Paintings by artists' names as written: their folder's, else in the paintings' own names."""
    by_name: dict[str, list[LazyImage]] = defaultdict(list)
    # The archive doubles its folders; any of them may be given.
    for below in ("images/images", "images", "resized/resized", "resized", "."):
        folder = archive / below
        for subfolder in subfolders(folder):
            if images := files_in(subfolder):
                by_name[printable(subfolder.name)] += images
        for image in files_in(folder) if folder.is_dir() else ():
            if match := NUMBERED_NAME.fullmatch(image.name):
                by_name[match["artist"]].append(image)
        if by_name:
            break
    return by_name


def _artists_by_key(by_name: Mapping[str, list[LazyImage]]) -> tuple[dict[str, Artist], list[str]]:
    """Broken spellings of one artist put together, each numbered painting once; what was odd."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for name in by_name:
        spellings[name_key(name)].append(name)
    artists, notes = {}, []
    for key, names in spellings.items():
        images = [image for name in names for image in by_name[name]]
        by_number: dict[tuple[float, str], LazyImage] = {}
        for image in images:
            match = NUMBERED_NAME.fullmatch(image.name)
            number = (int(match["number"]), "") if match else (math.inf, image.name)
            by_number.setdefault(number, replace(image, name=unbroken(image.name)))
        right = unbroken(names[0])
        in_order = tuple(by_number[number] for number in sorted(by_number))
        artists[key] = artist = Artist(right.replace("_", " "), in_order)
        if len(names) > 1:
            notes.append(
                f"{artist.name} has {len(names)} spellings ({', '.join(names)}): "
                f"merged, without {len(images) - len(by_number)} duplicate files"
            )
        elif right != names[0]:
            notes.append(f"'{names[0]}' is a broken spelling of '{right}'")
    return artists, notes


def _artists_table(archive: Path) -> list[dict[Hashable, str]] | None:
    """The rows of `artists.csv`, in the folder or up to two above it; None: no such file.

    Raises:
        DatasetError: it cannot be read, or lacks a column.
    """
    files = [folder / "artists.csv" for folder in (archive, *archive.resolve().parents[:2])]
    file = next(filter(Path.is_file, files), None)
    if file is None:
        return None
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise DatasetError(f"{file} cannot be read as a table: {error}") from error
    if missing := [column for column in TABLE_COLUMNS if column not in table.columns]:
        columns = ", ".join(missing)
        raise DatasetError(f"{file} is not this archive's table: it has no column {columns}")
    return table.to_dict("records")


def _described(artist: Artist, row: Mapping[Hashable, str]) -> Artist:
    """An artist with the table's facts; the Wikipedia page often has the usual spelling."""
    page = unquote(row["wikipedia"].rpartition("/")[2])
    count = row["paintings"].strip()
    return replace(
        artist,
        name=row["name"].strip(),
        aliases=(page.replace("_", " "),) if page else (),
        years=row["years"].replace("–", "-").strip(),
        genre=_listed(row["genre"]),
        nationality=_listed(row["nationality"]),
        listed=int(count) if count.isdigit() else None,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
