"""Pictures in folders of the user's own."""

from natsort import natsorted

from datasets.catalogue import Artist, Catalogue, style_sets
from datasets.errors import DatasetError
from datasets.pictures import PictureSet, existing_folder, files_in, folders_read, printable

ARCHIVE_FOLDERS = {"images", "resized"}
"""Names that show the folder to be Kaggle's archive, not one of artists."""


def paintings(root: str, artists: list[str] | str | None = None) -> list[PictureSet]:
    """One set of paintings for each subfolder wanted.

    Args:
        root: a folder with one subfolder of pictures per artist, or any other group.
        artists: names of subfolders in any spelling, or patterns such as `Claude*`; None: the
            first two.

    Raises:
        DatasetError: no such folder or artist.
    """
    return style_sets(catalogue(root), artists)


@folders_read()
def catalogue(root: str) -> Catalogue:
    """Every subfolder with pictures, as an artist of whom nothing else is known.

    Raises:
        DatasetError: no such folder, or none in it.
    """
    folder = existing_folder("dataset.root", root)
    subfolders = [e.name for e in folder.iterdir() if e.is_dir() and not e.name.startswith(".")]
    found = [Artist(printable(name), files_in(folder / name)) for name in natsorted(subfolders)]
    artists = tuple(artist for artist in found if artist.pictures)
    if not artists:
        hint = ""
        if ARCHIVE_FOLDERS & {folder.name, *subfolders}:
            hint = " It looks like Kaggle's archive: use dataset=best_artworks."
        elif files_in(folder):
            hint = " It holds pictures itself: put each artist's into a subfolder."
        raise DatasetError(
            f"dataset.root={root}: has no subfolder with pictures, one per artist.{hint}"
        )
    return Catalogue(root, artists)


@folders_read()
def content(root: str) -> PictureSet:
    """All content pictures of one folder.

    Raises:
        DatasetError: no such folder, or nothing in it.
    """
    found = files_in(existing_folder("content.root", root))
    if not found:
        raise DatasetError(f"content.root={root}: there are no pictures in this folder")
    return PictureSet("content", found)
