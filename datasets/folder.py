"""Pictures in folders of the user's own."""

from collections.abc import Sequence

from natsort import natsorted

from datasets.errors import DatasetError
from datasets.pictures import PictureSet, chosen, existing_folder, files_in, first_paintings

FIRST_ARTISTS = 2
"""How many artists a first look takes; `dataset.artists=['*']` takes all."""


def paintings(root: str, artists: list[str] | None, paintings: int) -> list[PictureSet]:
    """One set of paintings for each subfolder wanted.

    Args:
        root: a folder with one subfolder of pictures per artist, or any other group.
        artists: names of subfolders, or patterns such as `Claude*`; None: the first two.
        paintings: how many of each, from the first on in natural order of the file names.

    Raises:
        DatasetError: no such folder or artist, or too few paintings.
    """
    folder = existing_folder("dataset.root", root)
    groups = natsorted(
        entry.name
        for entry in folder.iterdir()
        if entry.is_dir() and not entry.name.startswith(".") and files_in(entry)
    )
    if not groups:
        loose = (
            " It holds pictures itself: put each artist's into a subfolder."
            if files_in(folder)
            else ""
        )
        raise DatasetError(
            f"dataset.root={root}: has no subfolder with pictures, one per artist.{loose}"
        )
    return [
        first_paintings(PictureSet(artist, files_in(folder / artist)), paintings)
        for artist in chosen("dataset.artists", groups, artists, FIRST_ARTISTS)
    ]


def content(root: str, names: Sequence[str] | None, count: int) -> PictureSet:
    """Content pictures from one folder.

    Args:
        root: a folder of pictures.
        names: file names without their endings, or patterns; None: the first `count`.
        count: how many where no names are given.

    Raises:
        DatasetError: no such folder or picture, or too few.
    """
    found = files_in(existing_folder("content.root", root))
    return chosen_content(f"content.root={root}", PictureSet("content", found), names, count)


def chosen_content(
    where: str, available: PictureSet, names: Sequence[str] | None, count: int
) -> PictureSet:
    """The content pictures wanted of those available.

    Raises:
        DatasetError: no such picture, two of one name, or too few.
    """
    by_name = {picture.name: picture for picture in available.pictures}
    if len(by_name) < len(available.pictures):
        seen = [picture.name for picture in available.pictures]
        twice = next(name for name in seen if seen.count(name) > 1)
        raise DatasetError(f"{where}: two pictures are called '{twice}'; rename one")
    if names is None and len(by_name) < count:
        raise DatasetError(
            f"{where}: there are {len(by_name)} content pictures, content.count={count} were "
            f"asked for: set content.count={len(by_name)} or add pictures"
            if by_name
            else f"{where}: there are no pictures in this folder"
        )
    wanted = chosen("content.names", list(by_name), names, count)
    return PictureSet(available.name, tuple(by_name[name] for name in wanted))
