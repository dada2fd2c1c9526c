"""Kaggle's *The Movies Dataset*: genres of 45,000 films, with their posters or backdrops from TMDB.

Of the archive only `movies_metadata.csv` is read: its column `id` is TMDB's number of a film, so
that `links.csv`, which has the same number for MovieLens's, is not needed. Its `poster_path`s are
of 2017; `datasets.tmdb` asks for today's.
"""

import ast
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd
from pydantic import PositiveInt

from datasets import DatasetError, kaggle
from datasets.catalogue import FIRST_ARTISTS, Artist, Catalogue
from datasets.images import ImageSet, LazyImage, folders_read, image_of
from datasets.names import chosen_names
from datasets.reading import printable
from datasets.tmdb import FilmPictures, Kind, picture_file

METADATA = "movies_metadata.csv"
METADATA_COLUMNS = ("id", "title", "genres", "adult", "vote_count")

SeveralGenres = Literal["first", "left_out"]


class Film(NamedTuple):
    """A film of a genre."""

    number: int  # in TMDB
    title: str

    def image(self, file: Path) -> LazyImage:
        """Its picture, in a file."""
        return replace(image_of(file), name=f"{printable(self.title)} ({self.number})")


class Films(NamedTuple):
    """What the archive holds."""

    place: Path
    by_genre: Mapping[str, list[Film]]  # by name; those with most votes first
    notes: list[str]  # rows that are left out, counted


@folders_read()
def paintings(
    root: str | None,
    genres: list[str] | str | None = None,
    films: PositiveInt = 40,
    pictures: Kind = "posters",
    several_genres: SeveralGenres = "first",
) -> list[ImageSet]:
    """A set for each genre named, in any spelling or by patterns, or for two: a picture a film.

    Of each genre the `films` with most votes (the column `vote_count`; of equal ones that with the
    lower number) of which TMDB has a picture. What is not on disk is asked for; see `read_films`
    for `root` and `several_genres`.

    Raises:
        DatasetError: the archive or TMDB cannot be had, or there is no such genre.
    """
    found = read_films(root, several_genres)
    known = found.by_genre
    named = [genres] if isinstance(genres, str) else genres
    wanted = list(known)[:FIRST_ARTISTS]
    if named is not None:
        wanted = chosen_names("dataset.genres", dict.fromkeys(known, ()), named)
    number = sum(min(films, len(known[genre])) for genre in wanted)
    sets = []
    with FilmPictures(pictures, number, found.notes) as on_disk:
        for genre in wanted:
            places = ((film, on_disk.of(film.number)) for film in known[genre])
            images = (film.image(file) for film, file in places if file)
            sets.append(ImageSet(genre, tuple(islice(images, films))))
    return sets


@folders_read()
def catalogue(
    root: str | None, pictures: Kind = "posters", several_genres: SeveralGenres = "first"
) -> Catalogue:
    """The genres, as artists, with the number of their films and the pictures that are on disk."""
    found = read_films(root, several_genres)

    def genre(name: str, films: list[Film]) -> Artist:
        files = ((film, picture_file(pictures, film.number)) for film in films)
        present = tuple(film.image(file) for film, file in files if file.exists())
        return Artist(name, present, listed=len(films))

    artists = tuple(genre(*item) for item in found.by_genre.items())
    return Catalogue(str(found.place), artists, notes=tuple(found.notes))


def read_films(root: str | None, several_genres: SeveralGenres) -> Films:
    """The archive's films by genre, without adult ones, and without broken and repeated rows.

    `root` is an unpacked archive; None: the copy in the cache of Kaggle's client, which is
    downloaded if need be. Films of several genres count to their `first`, or are `left_out`.

    Raises:
        DatasetError: there is no copy, none can be downloaded, or it is not this archive.
    """
    archive = kaggle.unpacked("movies", root)
    file = archive / METADATA
    if not file.is_file():
        get = "python -m datasets.fetch movies --root PATH"
        reason = f"no {METADATA} in it: give the unpacked archive, or download it with `{get}`"
        raise DatasetError(reason, "dataset.root", str(archive))
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, usecols=list(METADATA_COLUMNS))
    except (ValueError, OSError) as error:
        raise DatasetError(f"{file} cannot be read as this archive's table: {error}") from error
    names = {text: _genres_in(text) for text in table["genres"].unique()}
    genres = table["genres"].map(names)
    left_out = {
        # The archive has three rows that are broken in two, with a date where the number belongs.
        "broken rows": ~table["id"].str.fullmatch(r"[0-9]{1,9}")
        | ~table["adult"].isin(["True", "False"])
        | genres.isna(),
        "adult": table["adult"] == "True",
        "repeated": table["id"].duplicated(),
        "without a genre": genres.str.len() == 0,
        "of several genres": (genres.str.len() > 1) & (several_genres == "left_out"),
    }
    kept, notes = pd.Series(True, table.index), []
    for reason, rows in left_out.items():
        notes += [f"{reason} ({number:,})"] if (number := int((kept & rows).sum())) else []
        kept &= ~rows
    films = table[kept].assign(
        genre=genres[kept].str[0],
        number=table["id"][kept].astype(int),
        votes=pd.to_numeric(table["vote_count"][kept], errors="coerce").fillna(0),
    )
    films = films.sort_values(["genre", "votes", "number"], ascending=[True, False, True])
    by_genre: dict[str, list[Film]] = {}
    for genre, number, title in zip(films["genre"], films["number"], films["title"], strict=True):
        by_genre.setdefault(genre, []).append(Film(number, title))
    if not by_genre:
        raise DatasetError(f"no film of a genre in {METADATA}", "dataset.root", str(archive))
    without = f"; left out: {', '.join(notes)}" if notes else ""
    return Films(archive, by_genre, [f"{len(films):,} films in {METADATA}{without}"])


def _genres_in(text: str) -> tuple[str, ...] | None:
    """The names in a list of dictionaries as Python writes it; None: it is no such list."""
    try:
        return tuple(str(genre["name"]) for genre in ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError):
        return None
