"""Pictures: sets of paintings by one artist (or any other group), and content photographs.

A dataset is a function that returns `PictureSet`s; one YAML in `conf/dataset/` names it and its
arguments. Nothing is decoded before `load` is called.
"""

from datasets.errors import DatasetError
from datasets.pictures import Loaded, Picture, PictureSet, load

__all__ = ["DatasetError", "Loaded", "Picture", "PictureSet", "load"]
