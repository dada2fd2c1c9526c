"""Kaggle's *ImageNet 1000 (mini)*: photographs of a thousand kinds of things, as content."""

from datasets import kaggle
from datasets.images import ImageSet, files_in, folders_read, subfolders


@folders_read()
def content(root: str | None = None) -> ImageSet:
    """All photographs of the validation set, in order of their names.

    `root` is an unpacked archive (its root, `imagenet-mini/` or `val/`); None: the copy in the
    cache of Kaggle's client, which is downloaded if need be.

    Raises:
        DatasetError: there is no copy, or none can be downloaded.
    """
    archive = kaggle.unpacked("imagenet_mini", root)
    for below in ("imagenet-mini/val", "val", "."):
        # One subfolder a kind of thing.
        kinds = [kind for kind in subfolders(archive / below) if kind.name.startswith("n")]
        if photographs := [image for kind in kinds for image in files_in(kind)]:
            return ImageSet("content", tuple(sorted(photographs, key=lambda image: image.name)))
    raise kaggle.not_the_archive("imagenet_mini", archive, "imagenet-mini/ or val/")
