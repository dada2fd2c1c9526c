"""Images in folders of the user's own."""

from collections.abc import Sequence
from pathlib import Path

from datasets import DatasetError
from datasets.catalogue import Artist, Catalogue, style_sets
from datasets.images import (
    ImageSet,
    existing_folder,
    files_in,
    folders_read,
    image_of,
    printable,
    subfolders,
)


def paintings(root: str, artists: list[str] | str | None = None) -> list[ImageSet]:
    """One set of paintings for each subfolder named, in any spelling or by patterns, or for two."""
    return style_sets(catalogue(root), artists)


@folders_read()
def catalogue(root: str) -> Catalogue:
    """Every subfolder with images, as an artist of whom nothing else is known."""
    folder = existing_folder("dataset.root", root)
    inside = subfolders(folder)
    found = [Artist(printable(subfolder.name), files_in(subfolder)) for subfolder in inside]
    artists = tuple(artist for artist in found if artist.images)
    if not artists:
        hint = ""
        if {"images", "resized"} & {path.name for path in (folder, *inside)}:
            hint = " It looks like Kaggle's archive: use dataset=best_artworks."
        elif files_in(folder):
            hint = " It holds images itself: put each artist's into a subfolder."
        reason = f"no subfolder with images, one per artist.{hint}"
        raise DatasetError(reason, "dataset.root", root)
    return Catalogue(root, artists)


@folders_read()
def file_or_files_of(option: str, place: str, names: Sequence[str]) -> ImageSet:
    """The image of one file, or those of these names in a folder, in that order.

    Raises:
        DatasetError: neither is there, or the folder lacks one, or has two of a name.
    """
    path = Path(place).expanduser()
    if path.is_file():
        return ImageSet(option, (image_of(path),))
    available = files_in(existing_folder(option, place))
    for name in names:
        count = [image.name for image in available].count(name)
        if count != 1:
            reason = f"{'two images' if count else 'no image'} called '{name}' in this folder"
            raise DatasetError(f"{reason}: it needs one for each content picture", option, place)
    by_name = {image.name: image for image in available}
    return ImageSet(option, tuple(by_name[name] for name in names))


@folders_read()
def content(root: str) -> ImageSet:
    """All images of one folder, as content."""
    images = files_in(existing_folder("content.root", root))
    if not images:
        raise DatasetError("no images in this folder", option="content.root", value=root)
    return ImageSet("content", images)
