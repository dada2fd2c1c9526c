"""Images in folders of the user's own."""

from natsort import natsorted

from datasets.catalogue import Artist, Catalogue, style_sets
from datasets.errors import DatasetError
from datasets.images import ImageSet, existing_folder, files_in, folders_read, printable

ARCHIVE_FOLDERS = {"images", "resized"}
"""Names that show the folder to be Kaggle's archive, not one of artists."""


def paintings(root: str, artists: list[str] | str | None = None) -> list[ImageSet]:
    """One set of paintings for each subfolder wanted.

    Args:
        root: a folder with one subfolder of images per artist, or any other group.
        artists: names of subfolders in any spelling, or patterns such as `Claude*`; None: the
            first two.

    Raises:
        DatasetError: no such folder or artist.
    """
    return style_sets(catalogue(root), artists)


@folders_read()
def catalogue(root: str) -> Catalogue:
    """Every subfolder with images, as an artist of whom nothing else is known.

    Raises:
        DatasetError: no such folder, or no subfolder with images.
    """
    folder = existing_folder("dataset.root", root)
    subfolders = [e.name for e in folder.iterdir() if e.is_dir() and not e.name.startswith(".")]
    images = {printable(name): files_in(folder / name) for name in natsorted(subfolders)}
    artists = tuple(Artist(name, files) for name, files in images.items() if files)
    if not artists:
        hint = ""
        if ARCHIVE_FOLDERS & {folder.name, *subfolders}:
            hint = " It looks like Kaggle's archive: use dataset=best_artworks."
        elif files_in(folder):
            hint = " It holds images itself: put each artist's into a subfolder."
        raise DatasetError(
            f"no subfolder with images, one per artist.{hint}", option="dataset.root", value=root
        )
    return Catalogue(root, artists)


@folders_read()
def content(root: str) -> ImageSet:
    """All images of one folder, as content.

    Raises:
        DatasetError: no such folder, or no image in it.
    """
    images = files_in(existing_folder("content.root", root))
    if not images:
        raise DatasetError("no images in this folder", option="content.root", value=root)
    return ImageSet("content", images)
