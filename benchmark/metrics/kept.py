"""Pictures and a network's features of them, made once: kept in memory and on disk."""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import PIL
from keras import ops

import datasets
from backbones import Backbone
from benchmark.images.pixels import Pictures, gathered
from benchmark.metrics.features import Features
from benchmark.runtime.disk_cache import DiskCache, Kind, key_of
from benchmark.runtime.memo import Memo
from benchmark.transfer import backend
from benchmark.transfer.features import (
    StyleTargets,
    channel_energies,
    extract_features,
    extract_grams,
    from_triangles,
    full_grams,
    outputs_of,
    parts_at_once,
    upper_triangles,
)
from benchmark.transfer.masks import extract_masked_grams
from benchmark.user_input import import_callable
from datasets import ImageSet, LazyImage, LoadedImages

if TYPE_CHECKING:  # It imports scikit-learn, a second that a run without its metrics saves.
    from benchmark.metrics.recognition import OutsideFeatures

IMAGES_VERSION = 2
"""To be raised whenever `datasets.images` changes the pixels or the digest of an image."""

FEATURES_VERSION = 3
"""To be raised whenever `losses.gram_matrix`, `smoothing` or this file changes the features."""


Make = Callable[[LazyImage, int], tuple[str, np.ndarray]]
"""The digest and the pixels of an image at a size, as by `datasets.resized` and `cropped`."""


OnExtracted = Callable[[int, int], None]
"""Is told of how many pictures, among how many, there are style targets now."""


class KeptFeatures:
    """What the runs of one process read and extract, of each the least recently used go first."""

    def __init__(self, on_extracted: OnExtracted = lambda done, pictures: None) -> None:
        """With nothing in it."""
        self.on_extracted = on_extracted
        self.images = lru_cache(maxsize=64)(load_images)
        self.squares = lru_cache(maxsize=64)(partial(load_images, make=datasets.cropped))
        self.pictures = lru_cache(maxsize=16)(load_pictures)
        self.style_targets = lru_cache(maxsize=16)(style_targets)
        self.style_targets_at = lru_cache(maxsize=16)(self._style_targets_at)
        self.of_contents = lru_cache(maxsize=16)(content_features)
        self.of_paintings = lru_cache(maxsize=32)(painting_features)
        self.of_artists = lru_cache(maxsize=8)(self._of_artists)
        self.scores = Memo(1024)  # of a metric, of pictures that no run changes

    def _style_targets_at(
        self, backbone: Backbone, paintings: ImageSet, size: int, native: bool, disk: DiskCache
    ) -> StyleTargets:
        """An artist's style targets at another size than the backbone's, one of any size."""
        return self.picture_targets(backbone, self.pictures(paintings, size, native, disk), disk)

    def picture_targets(
        self,
        backbone: Backbone,
        pictures: Pictures,
        disk: DiskCache,
        masks: Sequence[np.ndarray] | None = None,
    ) -> StyleTargets:
        """The style targets of pictures as they are, kept on disk only.

        With masks, each (1, H, W) in [0, 1], those of the places that they show.
        """
        triangles, parts = [], parts_at_once(backbone, pictures)
        for number, part in enumerate(parts, start=1):
            regions = None if masks is None else [masks[index] for index in part]
            chosen = [pictures[index] for index in part]
            triangles.append(kept_triangles(backbone, chosen, disk, regions))
            self.on_extracted(sum(map(len, parts[:number])), len(pictures))
        order = np.argsort(np.concatenate(parts))
        return from_triangles([np.concatenate(x)[order] for x in zip(*triangles, strict=True)])

    def _of_artists(
        self, backbone: Backbone, sets: tuple[LoadedImages, ...], disk: DiskCache
    ) -> "OutsideFeatures":
        from benchmark.metrics.recognition import OutsideFeatures

        return OutsideFeatures({one.name: self.of_paintings(backbone, one, disk) for one in sets})


def load_images(
    image_set: ImageSet, size: int, disk: DiskCache, make: Make = datasets.resized
) -> LoadedImages:
    """As `datasets.load_images`, but no image is read that is on disk at this size.

    One entry an image, so that every choice of the same paintings finds its own.
    """
    made: dict[str, Sequence[np.ndarray]] = {}
    kinds: list[Kind] = [((size, size, 3), "uint8"), ((32,), "uint8")]

    def resized(image: LazyImage, size: int) -> tuple[str, np.ndarray]:
        if disk.folder is None or image.version is None:
            return make(image, size)
        software = IMAGES_VERSION, PIL.__version__
        way = () if make is datasets.resized else (make.__name__,)
        key = key_of("images", software, image.source, image.version(), size, *way)
        if kept := disk.read(key, kinds):
            return kept[1].tobytes().hex(), kept[0]
        digest, pixels = make(image, size)
        made[key] = pixels, np.frombuffer(bytes.fromhex(digest), "uint8")
        return digest, pixels

    loaded = datasets.load_images(image_set, size, resized)
    disk.write(made)
    return loaded


def load_pictures(image_set: ImageSet, size: int, native: bool, disk: DiskCache) -> Pictures:
    """The pixels of a set: squares, or in their own shapes with the longest side at the size."""
    if not native:
        return load_images(image_set, size, disk).pixels
    return gathered(datasets.made_of_all(image_set, partial(datasets.fitted, size=size)))


def style_targets(backbone: Backbone, images: LoadedImages, disk: DiskCache) -> StyleTargets:
    """An artist's style targets, from the same entry as an evaluator's features."""
    triangles, *_ = kept_arrays(backbone, images, disk)
    return from_triangles(triangles)


def kept_triangles(
    backbone: Backbone,
    pictures: Pictures,
    disk: DiskCache,
    masks: Sequence[np.ndarray] | None,
) -> list[np.ndarray]:
    """The upper triangles of the Gram matrices of pictures, on disk under their pixels."""
    outputs = backbone.shared.cut.outputs[: len(backbone.style_layers)]
    widths = [out.shape[-1] for out in outputs]
    kinds: list[Kind] = [((len(pictures), c * (c + 1) // 2), "float32") for c in widths]
    key = features_key(backbone, pictures, activations=False)
    if masks is not None:
        key = key_of("features", key, digest_of_pixels(masks))
    triangles = disk.read(key, kinds)
    if not triangles:
        if masks is None:
            grams = extract_grams(backbone, pictures)
        else:
            grams = extract_masked_grams(backbone, pictures, masks)
        triangles = [*map(upper_triangles, grams)]
        disk.write({key: triangles})
    return triangles


def painting_features(backbone: Backbone, images: LoadedImages, disk: DiskCache) -> Features:
    """A network's features of paintings."""
    return _as_features(*kept_arrays(backbone, images, disk))


def content_features(backbone: Backbone, images: LoadedImages, disk: DiskCache) -> Features:
    """A network's features of content pictures."""
    return _as_features(*kept_arrays(backbone, images, disk, activations=True))


def result_features(backbone: Backbone, pixels: np.ndarray) -> Features:
    """A network's features of results, (n, S, S, 3), which are kept nowhere."""
    return _as_features(*extracted(backbone, pixels))


class Extracted(NamedTuple):
    """Features of n pictures, the Gram matrices as triangles."""

    triangles: list[np.ndarray]
    pooled: np.ndarray
    statistics: np.ndarray
    content: list[np.ndarray] | None  # one entry a content layer


def extracted(backbone: Backbone, pixels: np.ndarray) -> Extracted:
    """Extract the features of pictures, (n, S, S, 3), uint8."""
    features, styles = extract_features(backbone, pixels), len(backbone.style_layers)
    grams, content = features[:styles], features[styles:]
    pooled = content[-1].mean(axis=(1, 2), dtype="float64")
    statistics = np.concatenate(channel_energies(grams, content), axis=1)
    return Extracted([upper_triangles(gram) for gram in grams], pooled, statistics, content)


def kept_arrays(
    backbone: Backbone, images: LoadedImages, disk: DiskCache, *, activations: bool = False
) -> Extracted:
    """The same of images, read from disk where they are; of its content layers if asked for.

    The same to the bit either way, for only one triangle of each Gram matrix is used.
    """
    number, styles = len(images.pixels), len(backbone.style_layers)
    contents = [(number, *out.shape[1:]) for out in backbone.shared.cut.outputs[styles:]]
    widths = [out.shape[-1] for out in backbone.shared.cut.outputs]
    kinds: list[Kind] = [((number, c * (c + 1) // 2), "float32") for c in widths[:styles]]
    kinds += [((number, widths[-1]), "float64"), ((number, sum(widths)), "float32")]
    kinds += [(shape, "float32") for shape in contents] if activations else []
    key = features_key(backbone, images.pixels, activations)
    if arrays := disk.read(key, kinds):
        triangles, (pooled, statistics, *rest) = arrays[:styles], arrays[styles:]
        types = [out.dtype for out in backbone.shared.model.outputs[styles:]]
        found = [one.astype(kind) for one, kind in zip(rest, types, strict=bool(rest))]
        return Extracted(triangles, pooled, statistics, found or None)
    made = extracted(backbone, images.pixels)
    if not activations:  # They would take more memory than all the rest.
        made = made._replace(content=None)
    whole = [np.asarray(one, "float32") for one in made.content or []]
    disk.write({key: [*made.triangles, made.pooled, made.statistics, *whole]})
    return made


def pooled_features(
    backbone: Backbone,
    pixels: np.ndarray,
    disk: DiskCache,
    on_done: Callable[[int], None] = lambda pictures: None,
) -> np.ndarray:
    """Mean activation of each channel of the last content layer, (n, C); of pixels uint8.

    `on_done` is told how many pictures more are done.
    """
    width = backbone.shared.cut.outputs[-1].shape[-1]
    parts = []
    for start in range(0, len(pixels), 30):
        part = pixels[start : start + 30]
        key = f"{features_key(backbone, part)}-pooled"
        kept = disk.read(key, [((len(part), width), "float32")])
        pooled = kept[0] if kept else outputs_of(backbone, part, pooled_output)[0]
        if not kept:
            disk.write({key: [pooled]})
        parts.append(pooled)
        on_done(len(part))
    return np.concatenate(parts)


def pooled_output(activations: Sequence[Any]) -> list[Any]:
    """The head of a network that leaves the mean of its last output over all positions."""
    return [ops.mean(ops.cast(activations[-1], "float32"), axis=(1, 2))]


def features_key(backbone: Backbone, pixels: Pictures, activations: bool = False) -> str:
    """The key of features: of network, weights, pictures, software, device."""
    architecture = backbone.shared.architecture
    functions = (architecture.model, architecture.preprocessing)
    return key_of(
        "features",
        FEATURES_VERSION,
        backend.numerics(),
        architecture,
        *(_source(import_callable(function)) for function in functions),
        backbone.digest,
        [picture.shape for picture in pixels],
        digest_of_pixels(pixels),
        activations and len(backbone.content_layers),
    )


def digest_of_pixels(pictures: Pictures) -> str:
    """SHA-256 over the values of pictures, in order."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(picture.tobytes())
    return digest.hexdigest()


def _source(function: Callable[..., object]) -> str:
    """A function's source, where it has one."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # compiled, or an object that can be called
        return repr(function)


def _as_features(
    triangles: Sequence[np.ndarray],
    pooled: np.ndarray,
    statistics: np.ndarray,
    content: Sequence[np.ndarray] | None,
) -> Features:
    last = None if content is None else content[-1]
    return Features(tuple(map(full_grams, triangles)), pooled, last, statistics)
