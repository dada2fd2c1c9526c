"""Kaggle's *ImageNet 1000 (mini)*: photographs of a thousand kinds of things, as content."""

from pathlib import Path

from datasets import kaggle
from datasets.errors import DatasetError
from datasets.pictures import Picture, PictureSet, files_in, folders_read

NAME = "imagenet_mini"

FOLDERS = ("imagenet-mini/val", "val", ".")
"""Where the photographs may lie below the folder given; of its two parts the validation set."""


@folders_read()
def content(root: str | None = None) -> PictureSet:
    """All photographs of the validation set, in order of their names.

    Args:
        root: an unpacked archive (its root, `imagenet-mini/` or `val/`); None: the copy in the
            cache of Kaggle's client, which is downloaded if need be.

    Raises:
        DatasetError: it is not there, or cannot be downloaded.
    """
    place = kaggle.unpacked(NAME, root)
    for below in FOLDERS:
        found = _photographs(place / below)
        if found:
            return PictureSet("content", tuple(sorted(found, key=lambda picture: picture.name)))
    raise DatasetError(
        f"content.root={place}: no photographs are here; give the unpacked archive's root, "
        f"imagenet-mini/ or val/, or download it here with "
        f"`python -m datasets.fetch {NAME} --root {place}`"
    )


def _photographs(folder: Path) -> list[Picture]:
    """The pictures in the subfolders of a folder, one subfolder a kind of thing."""
    if not folder.is_dir():
        return []
    kinds = [entry for entry in folder.iterdir() if entry.is_dir() and entry.name.startswith("n")]
    return [picture for kind in kinds for picture in files_in(kind)]
