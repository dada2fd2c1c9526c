"""Artists with what is known of them, and the style sets that can be made of their paintings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from datasets.images import DatasetError, ImageSet, LazyImage
from datasets.names import chosen_names, is_pattern, name_key, unknown_name

FIRST_ARTISTS = 2  # how many artists a first look takes; `dataset.artists=['*']` takes all

GroupBy = Literal["artist", "genre", "nationality"]


@dataclass(frozen=True)
class Artist:
    """An artist of a catalogue."""

    name: str  # as shown and logged
    images: tuple[LazyImage, ...] = ()  # the paintings, in natural order
    aliases: tuple[str, ...] = ()  # other names that people use
    years: str = ""  # of the life, as written
    genre: tuple[str, ...] = ()
    nationality: tuple[str, ...] = ()
    listed: int | None = None  # how many paintings the catalogue's own table counts

    @property
    def born(self) -> int | None:
        """Year of birth, if it is known."""
        year = re.search(r"\d{3,4}", self.years)
        return int(year[0]) if year else None


@dataclass(frozen=True)
class Catalogue:
    """What a dataset holds."""

    place: str  # where it is, for messages
    artists: tuple[Artist, ...]
    preferred: tuple[str, ...] = ()  # those to begin with where none are named, if it has them
    published: int | None = None  # how many paintings it is published to hold
    notes: tuple[str, ...] = ()  # what is odd in it and how that is read


def style_sets(
    catalogue: Catalogue,
    artists: Sequence[str] | str | None = None,
    genre: Sequence[str] | str | None = None,
    nationality: Sequence[str] | str | None = None,
    born: Sequence[int] | None = None,
    group_by: GroupBy | None = None,
) -> list[ImageSet]:
    """Sets of paintings: an artist's, or a genre's, a country's, an era's across artists.

    In a set of several artists their first paintings come first, then their second ones, and so
    on, so that the first n of it are by all of them.

    `artists` are names in any spelling, or patterns; None: all that the other conditions leave, or
    without any condition the first two. Of the genres, and of the nationalities, an artist must
    have one. `born` is the first and the last year of birth. `group_by` says what makes a set;
    None: the genre, nationality or era if one is asked for, else the artist.

    Raises:
        DatasetError: an unknown name, genre or nationality, or no artist is left.
    """
    chosen = [artist for artist in catalogue.artists if artist.images]
    if artists is not None:
        chosen = _named_artists(catalogue, _as_list(artists))
    facts: dict[GroupBy, list[str]] = {
        "genre": _as_catalogued(catalogue, "genre", _as_list(genre)),
        "nationality": _as_catalogued(catalogue, "nationality", _as_list(nationality)),
    }
    for fact, wanted in facts.items():
        chosen = [a for a in chosen if not wanted or set(wanted) & set(getattr(a, fact))]
    conditions = [*facts["genre"], *facts["nationality"]]
    if born is not None:
        chosen = _born_within(catalogue, chosen, born)
        conditions.append(f"born {born[0]}-{born[1]}")
    if not chosen:
        among = "among dataset.artists" if artists is not None else f"in {catalogue.place}"
        reason = f"no artist {among} is {' and '.join(conditions)}: leave a condition out"
        raise DatasetError(reason, option="dataset")
    group = group_by or next((fact for fact, wanted in facts.items() if wanted), None)
    if group in facts:
        values = facts[group] or sorted({value for a in chosen for value in getattr(a, group)})
        if not values:
            raise _unknown_facts(catalogue, "group_by", group)
        others = [condition for condition in conditions if condition not in facts[group]]
        sharing = {value: [a for a in chosen if value in getattr(a, group)] for value in values}
        return [_together(", ".join([value, *others]), by) for value, by in sharing.items() if by]
    if group is None and born is not None:
        return [_together(conditions[0], chosen)]
    if artists is None and not conditions:
        first = [*catalogue.preferred, *(artist.name for artist in chosen)]
        chosen = sorted(chosen, key=lambda artist: first.index(artist.name))[:FIRST_ARTISTS]
    return [ImageSet(artist.name, artist.images) for artist in chosen]


def _named_artists(catalogue: Catalogue, wanted: Sequence[str]) -> list[Artist]:
    """The artists named, in that order; of those that a pattern names, the ones with paintings."""
    # Those with paintings first, so that a message names them.
    by_name = {a.name: a for a in sorted(catalogue.artists, key=lambda a: not a.images)}
    aliases = {name: artist.aliases for name, artist in by_name.items()}
    named = [by_name[name] for name in chosen_names("dataset.artists", aliases, wanted)]
    present = [artist for artist in named if artist.images]
    if not present or (len(present) < len(named) and not any(map(is_pattern, wanted))):
        missing = ", ".join(artist.name for artist in named if not artist.images)
        names = [artist.name for artist in catalogue.artists if artist.images]
        shown = ", ".join(names[:12]) + (" and others" if len(names) > 12 else "")
        raise DatasetError(
            f"{catalogue.place} has no paintings by {missing}, though its table names them; it has "
            f"paintings by {shown}",
            option="dataset.artists",
        )
    return present


def _born_within(
    catalogue: Catalogue, artists: Sequence[Artist], born: Sequence[int]
) -> list[Artist]:
    if len(born) != 2 or born[0] > born[1]:
        reason = "give the first and the last year, such as [1830,1870]"
        raise DatasetError(reason, option="dataset.born", value=list(born))
    if not any(artist.born for artist in catalogue.artists):
        raise _unknown_facts(catalogue, "born", list(born))
    return [artist for artist in artists if artist.born and born[0] <= artist.born <= born[1]]


def _together(name: str, artists: Sequence[Artist]) -> ImageSet:
    """The paintings of several artists as one set: the first of each, then the second of each."""
    rounds = zip_longest(*(artist.images for artist in artists))
    return ImageSet(name, tuple(image for images in rounds for image in images if image))


def _as_catalogued(catalogue: Catalogue, fact: str, wanted: Sequence[str]) -> list[str]:
    """Genres or nationalities in any spelling, as the catalogue writes them."""
    known = {name_key(v): v for artist in catalogue.artists for v in getattr(artist, fact)}
    if wanted and not known:
        raise _unknown_facts(catalogue, fact, ", ".join(wanted))
    for value in wanted:
        if name_key(value) not in known:
            in_order = dict.fromkeys(sorted(known.values()), ())
            raise unknown_name(f"dataset.{fact}", value, in_order)
    return list(dict.fromkeys(known[name_key(value)] for value in wanted))


def _unknown_facts(catalogue: Catalogue, option: str, value: object) -> DatasetError:
    reason = (
        f"nothing is known of the artists in {catalogue.place}, only their names "
        "(dataset=best_artworks with its artists.csv knows more)"
    )
    return DatasetError(reason, f"dataset.{option}", value)


def _as_list(value: Sequence[str] | str | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
