"""Pictures: sets of paintings by one artist (or any other group), and content photographs.

A dataset is a function that returns `PictureSet`s; one YAML in `conf/dataset/` names it and its
arguments. Content is a function that returns one, and a YAML in `conf/content/`. Nothing is
decoded before `load` is called.
"""

from datasets.catalogue import Artist, Catalogue, style_sets
from datasets.errors import DatasetError
from datasets.pictures import Loaded, Picture, PictureSet, digest_of, load

__all__ = [
    "Artist",
    "Catalogue",
    "DatasetError",
    "Loaded",
    "Picture",
    "PictureSet",
    "digest_of",
    "load",
    "style_sets",
]
