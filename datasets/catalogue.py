"""Artists with what is known of them, and the style sets that can be made of their paintings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from datasets.errors import DatasetError, unknown_name
from datasets.names import chosen_artists, is_pattern, key
from datasets.pictures import Picture, PictureSet

FIRST_ARTISTS = 2
"""How many artists a first look takes; `dataset.artists=['*']` takes all."""

GroupBy = Literal["artist", "genre", "nationality"]


@dataclass(frozen=True)
class Artist:
    """An artist of a catalogue.

    Attributes:
        name: as shown and logged.
        pictures: the paintings that are there, in natural order.
        aliases: other names that people use.
        years: of the life, as written.
        genres: of the work.
        nationalities: of the artist.
        listed: how many paintings the catalogue's own table says there are; None: it has none.
    """

    name: str
    pictures: tuple[Picture, ...]
    aliases: tuple[str, ...] = ()
    years: str = ""
    genres: tuple[str, ...] = ()
    nationalities: tuple[str, ...] = ()
    listed: int | None = None

    @property
    def born(self) -> int | None:
        """Year of birth, if it is known."""
        found = re.search(r"\d{3,4}", self.years)
        return int(found[0]) if found else None


@dataclass(frozen=True)
class Catalogue:
    """What a dataset holds.

    Attributes:
        place: where it is, for messages.
        artists: in order.
        preferred: the artists to begin with where none are named, if they are there.
        published: how many paintings it is known to hold in all; None: not known.
        notes: what was found odd in it and how that was taken.
    """

    place: str
    artists: tuple[Artist, ...]
    preferred: tuple[str, ...] = ()
    published: int | None = None
    notes: tuple[str, ...] = ()


def style_sets(
    catalogue: Catalogue,
    artists: Sequence[str] | str | None = None,
    genre: Sequence[str] | str | None = None,
    nationality: Sequence[str] | str | None = None,
    born: Sequence[int] | None = None,
    group_by: GroupBy | None = None,
) -> list[PictureSet]:
    """Sets of paintings: an artist's, or a genre's, a country's, an era's across artists.

    In a set of several artists their first paintings come first, then their second ones, and so
    on, so that the first n of it are by all of them.

    Args:
        catalogue: what there is.
        artists: names in any spelling, or patterns; None: all that the other conditions leave,
            or without any condition the first two.
        genre: one or several of which an artist must have one.
        nationality: likewise.
        born: first and last year of birth.
        group_by: what makes a set; None: the genre, nationality or era if one is asked for, else
            the artist.

    Raises:
        DatasetError: a name, genre or nationality is not there, or nobody is left.
    """
    found = [artist for artist in catalogue.artists if artist.pictures]
    if artists is not None:
        found = _named(catalogue, _as_list(artists))
    genres = _meant("dataset.genre", _as_list(genre), catalogue, "genres")
    countries = _meant("dataset.nationality", _as_list(nationality), catalogue, "nationalities")
    for fact, wanted in (("genres", genres), ("nationalities", countries)):
        if wanted:
            found = [artist for artist in found if set(wanted) & set(getattr(artist, fact))]
    if born is not None:
        found = _born_within(catalogue, found, born)
    conditions = [*genres, *countries, *([f"born {born[0]}-{born[1]}"] if born else [])]
    if not found:
        among = "among dataset.artists" if artists is not None else f"in {catalogue.place}"
        raise DatasetError(
            f"no artist {among} is {' and '.join(conditions)}: leave a condition out"
        )
    if group_by is None and conditions:
        group_by = "genre" if genres else "nationality" if countries else None
        if group_by is None:
            return [_together(conditions[0], found)]
    if group_by == "genre":
        return _grouped(found, "genres", genres, conditions, catalogue)
    if group_by == "nationality":
        return _grouped(found, "nationalities", countries, conditions, catalogue)
    if artists is None and not conditions:
        known = {artist.name: artist for artist in found}
        order = [*(n for n in catalogue.preferred if n in known), *known]
        found = [known[name] for name in list(dict.fromkeys(order))[:FIRST_ARTISTS]]
    return [PictureSet(artist.name, artist.pictures) for artist in found]


def _named(catalogue: Catalogue, wanted: Sequence[str]) -> list[Artist]:
    """The artists named, in that order; of those that a pattern names, the ones with paintings."""
    # Those with paintings first, so that a message names them.
    in_order = sorted(catalogue.artists, key=lambda artist: not artist.pictures)
    by_name = {artist.name: artist for artist in in_order}
    aliases = {name: artist.aliases for name, artist in by_name.items()}
    found = [by_name[name] for name in chosen_artists("dataset.artists", aliases, wanted)]
    present = [artist for artist in found if artist.pictures]
    if not present or (len(present) < len(found) and not any(map(is_pattern, wanted))):
        missing = ", ".join(artist.name for artist in found if not artist.pictures)
        there = [artist.name for artist in catalogue.artists if artist.pictures]
        shown = ", ".join(there[:12]) + (" and others" if len(there) > 12 else "")
        raise DatasetError(
            f"dataset.artists: {catalogue.place} has no paintings by {missing}, though its table "
            f"names them; it has paintings by {shown}"
        )
    return present


def _born_within(
    catalogue: Catalogue, artists: Sequence[Artist], born: Sequence[int]
) -> list[Artist]:
    """The artists born in a span of years."""
    if len(born) != 2 or born[0] > born[1]:
        raise DatasetError(
            f"dataset.born={list(born)}: give the first and the last year, such as [1830,1870]"
        )
    if not any(artist.born for artist in catalogue.artists):
        raise DatasetError(f"dataset.born={list(born)}: {_unknown_facts(catalogue)}")
    return [artist for artist in artists if artist.born and born[0] <= artist.born <= born[1]]


def _grouped(
    artists: Sequence[Artist],
    fact: str,
    wanted: Sequence[str],
    conditions: Sequence[str],
    catalogue: Catalogue,
) -> list[PictureSet]:
    """One set for each genre or nationality wanted, or for each there is."""
    values = wanted or sorted({value for artist in artists for value in getattr(artist, fact)})
    if not values:
        raise DatasetError(f"dataset.group_by: {_unknown_facts(catalogue)}")
    others = [condition for condition in conditions if condition not in wanted]
    return [
        _together(", ".join([value, *others]), [a for a in artists if value in getattr(a, fact)])
        for value in values
        if any(value in getattr(artist, fact) for artist in artists)
    ]


def _together(name: str, artists: Sequence[Artist]) -> PictureSet:
    """The paintings of several artists as one set, everybody's first ones first."""
    rounds = zip_longest(*(artist.pictures for artist in artists))
    return PictureSet(name, tuple(picture for one in rounds for picture in one if picture))


def _meant(option: str, wanted: Sequence[str], catalogue: Catalogue, fact: str) -> list[str]:
    """Genres or nationalities in any spelling, as the catalogue writes them."""
    known = sorted({value for artist in catalogue.artists for value in getattr(artist, fact)})
    if wanted and not known:
        raise DatasetError(f"{option}={', '.join(wanted)}: {_unknown_facts(catalogue)}")
    by_key = {key(value): value for value in known}
    for value in wanted:
        if key(value) not in by_key:
            raise unknown_name(option, value, known)
    return list(dict.fromkeys(by_key[key(value)] for value in wanted))


def _unknown_facts(catalogue: Catalogue) -> str:
    return (
        f"nothing is known of the artists in {catalogue.place}, only their names "
        "(dataset=best_artworks with its artists.csv knows more)"
    )


def _as_list(value: Sequence[str] | str | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
