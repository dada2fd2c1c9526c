"""The artists to choose from: built-in painters, the archive where it is, folders of one's own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from PIL import Image

from benchmark.app.choices import ArtistChoice
from datasets import ImageSet, best_artworks, folder, kaggle, sample
from datasets.catalogue import Artist
from datasets.names import numbered

THUMBNAIL = 256  # pixels a side


def artists(paintings: str | None, archive: str | None) -> list[ArtistChoice]:
    """All artists: built-in painters, the archive's, those of a folder with a subfolder for each.

    The archive is `archive`, or the copy in the cache of Kaggle's client; nothing is downloaded. Of
    several of one name, those after the first are numbered.

    Raises:
        DatasetError: a folder is missing, or holds nothing of the kind.
    """
    found = [
        ArtistChoice(
            painter.name.replace("_", " "),
            _set(painter),
            f"sample/{painter.name}",
            is_built_in=True,
        )
        for painter in sample.catalogue().artists
    ]
    if archive or kaggle.cached("best_artworks") is not None:
        place = (f"dataset.root={Path(archive).expanduser().resolve()}",) if archive else ()
        found += [
            ArtistChoice(artist.name, _set(artist), artist.name, place)
            for artist in best_artworks.catalogue(archive).artists
            if artist.images
        ]
    if paintings:
        root = Path(paintings).expanduser().resolve()
        found += [
            ArtistChoice(artist.name, _set(artist), str(root / artist.name))
            for artist in folder.catalogue(str(root)).artists
        ]
    names = numbered([one.name for one in found])
    return [replace(one, name=name) for one, name in zip(found, names, strict=True)]


def _set(artist: Artist) -> ImageSet:
    return ImageSet(artist.name, artist.images)


def thumbnails(choices: list[ArtistChoice], place: Path) -> Iterator[tuple[str, str]]:
    """A picture of each artist, as a file written into a folder, and the artist's name."""
    place.mkdir(parents=True, exist_ok=True)
    for number, choice in enumerate(choices):
        picture = choice.paintings.images[0].read()
        picture.thumbnail((THUMBNAIL * 2, THUMBNAIL * 2))
        side = min(picture.size)
        left, upper = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.crop((left, upper, left + side, upper + side))
        file = place / f"{number}.jpg"
        square.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS).save(file, quality=85)
        yield str(file), choice.name
