"""Styles as people name them: files and folders, a built-in painter, an artist of the archive."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from benchmark.user_input import closest
from datasets import best_artworks, folder, sample
from datasets.images import DatasetError, ImageSet
from datasets.names import name_key, numbered
from datasets.painters import PAINTERS

FIRST_PAINTER = "amber nocturne"

Kind = Literal["files", "sample", "best_artworks"]
"""The dataset that a style is of."""


def paintings(styles: list[list[str] | str], root: str | None = None) -> list[ImageSet]:
    """The set of each style, such as `monet` or `[a.jpg, b.jpg]`; `root` is that of the archive.

    Raises:
        DatasetError: a style is none, or its paintings cannot be found.
    """
    sets = [
        one
        for style in styles
        for one in paintings_of([style] if isinstance(style, str) else style, root)
    ]
    names = numbered([one.name for one in sets])
    return [replace(one, name=name) for one, name in zip(sets, names, strict=True)]


def paintings_of(style: Sequence[str], root: str | None) -> list[ImageSet]:
    """The set of one style; of several artists of the archive, one each."""
    match kind_of(style, "dataset.styles"):
        case "files":
            return folder.one_style([*style])
        case "sample":
            return sample.paintings([painter_of(style)])
        case _:
            return best_artworks.paintings(root, [*style])


def kind_of(style: Sequence[str], option: str) -> Kind:
    """Which dataset has a style; DatasetError if it names files that are not there."""
    missing = [path for path in style if not Path(path).expanduser().exists()]
    if style and not missing:
        return "files"
    if len(style) == 1 and style[0].partition("/")[0] == "sample":
        return "sample"
    if not style or any("/" in name or Path(name).suffix for name in missing):
        raise DatasetError("no such file or folder", option, missing[0] if missing else [])
    keys = {name_key(name): name for name in PAINTERS}
    for name in style:
        if near := closest(name_key(name), keys, cutoff=0.8):
            reason = f"no file or folder; the built-in painter is sample/{keys[near]}"
            raise DatasetError(reason, option, name)
    return "best_artworks"


def painter_of(style: Sequence[str]) -> str:
    """The built-in painter that `sample/NAME` names; of `sample`, the first."""
    return style[0].partition("/")[2] or FIRST_PAINTER
