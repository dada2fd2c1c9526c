"""Images: sets of paintings by one artist (or any other group), and content photographs.

A dataset is a function that returns `ImageSet`s; one YAML in `conf/dataset/` names it and its
arguments. Content is a function that returns one, and a YAML in `conf/content/`. Nothing is
decoded before `load_images` is called. May import `benchmark.user_input` alone.
"""

from datasets.images import (
    DatasetError,
    ImageSet,
    LazyImage,
    LoadedImages,
    cropped,
    digest_of,
    fitted,
    load_images,
    made_of_all,
    resized,
)

__all__ = [
    "DatasetError",
    "ImageSet",
    "LazyImage",
    "LoadedImages",
    "cropped",
    "digest_of",
    "fitted",
    "load_images",
    "made_of_all",
    "resized",
]
