"""Images in folders of the user's own."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from datasets import DatasetError
from datasets.catalogue import Artist, Catalogue, style_sets
from datasets.images import (
    ImageSet,
    LazyImage,
    existing_folder,
    files_in,
    folders_read,
    image_of,
    no_images_in,
    subfolders,
)
from datasets.reading import printable


def paintings(root: str, artists: list[str] | str | None = None) -> list[ImageSet]:
    """One set of paintings for each subfolder named, in any spelling or by patterns, or for two."""
    try:
        return style_sets(catalogue(root), artists)
    except DatasetError as error:
        if error.option == "dataset.artists":
            for inside in subfolders(Path(root).expanduser()):
                if printable(inside.name) == error.value:  # It is there, but empty.
                    raise DatasetError(no_images_in(inside), error.option, error.value) from error
        raise


@folders_read()
def catalogue(root: str) -> Catalogue:
    """Every subfolder with images, as an artist of whom nothing else is known."""
    folder = existing_folder("dataset.root", root)
    inside = subfolders(folder)
    found = [Artist(printable(one.name), told_apart(files_in(one))) for one in inside]
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

    A name is that of a file with or without its ending.

    Raises:
        DatasetError: neither is there, or the folder lacks one, or has two of a name.
    """
    path = Path(place).expanduser()
    if path.is_file():
        return ImageSet(option, (image_of(path),))
    by_name: dict[str, list[LazyImage]] = defaultdict(list)
    for image in files_in(existing_folder(option, place)):
        for name in {image.name, image.file_name}:
            by_name[name].append(image)
    for name in names:
        if (count := len(by_name[name])) != 1:
            reason = f"{'two images' if count else 'no image'} called '{name}' in this folder"
            raise DatasetError(f"{reason}: it needs one for each picture", option, place)
    return ImageSet(option, tuple(by_name[name][0] for name in names))


def told_apart(images: Sequence[LazyImage]) -> tuple[LazyImage, ...]:
    """Images; those that share folder and name, as sea.jpg and sea.png, get the file's ending."""
    for _ in range(2):  # again, for there may be a sea.jpg.png
        places = [(Path(image.source).parent, image.name) for image in images]
        counts = Counter(places)
        images = [
            replace(image, name=image.file_name) if counts[place] > 1 else image
            for place, image in zip(places, images, strict=True)
        ]
    return tuple(images)


@folders_read()
def content(root: str) -> ImageSet:
    """All images of one folder, as content."""
    folder = existing_folder("content.root", root)
    images = told_apart(files_in(folder))
    if not images:
        raise DatasetError(no_images_in(folder), option="content.root", value=root)
    return ImageSet("content", images)


def photographs(paths: list[str]) -> ImageSet:
    """The images in some files, and in folders, in the order given, as content."""
    return ImageSet("content", images_at("content.paths", paths))


def one_style(paths: list[str]) -> list[ImageSet]:
    """The images in some files, and in folders, as the paintings of one artist.

    The artist is called like the first folder, or else like the first file.
    """
    images = images_at("dataset.paths", paths)
    first = Path(paths[0]).expanduser().resolve()
    return [ImageSet(printable(first.name if first.is_dir() else first.stem), images)]


@folders_read()
def images_at(option: str, paths: Sequence[str]) -> tuple[LazyImage, ...]:
    """The images in some files, and in folders, in order.

    Equal names get the files' endings, or their folders' names too.

    Raises:
        DatasetError: a path, or any image, is missing.
    """
    found: list[tuple[Path, LazyImage]] = []
    for path in (Path(path).expanduser() for path in paths):
        if not path.exists():
            raise DatasetError("no such file or folder", option, str(path))
        images = files_in(path) if path.is_dir() else (image_of(path),)
        if not images:
            raise DatasetError(no_images_in(path), option, str(path))
        found += [(path.resolve() if path.is_dir() else path.resolve().parent, i) for i in images]
    if not found:
        raise DatasetError("name a file or folder", option, "[]")
    apart = told_apart([image for _, image in found])
    found = [(folder, image) for (folder, _), image in zip(found, apart, strict=True)]
    counts = Counter(image.name for _, image in found)
    names = [
        image.name if counts[image.name] == 1 else f"{image.name} ({printable(folder.name)})"
        for folder, image in found
    ]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DatasetError(f"the image '{twice[0]}' is there twice: leave one out", option)
    return tuple(replace(image, name=n) for (_, image), n in zip(found, names, strict=True))
