"""Fitted classifiers of groups: what they make of pictures, and their files, which run nothing."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from backbones import Backbone
from backbones.quiet_keras import keras
from benchmark.config.errors import ConfigError
from benchmark.metrics.features import MissingInputError
from benchmark.metrics.heads import Dense, DenseHead
from benchmark.metrics.kept import pooled_features
from benchmark.runtime.disk_cache import DiskCache

RECORD, ARRAYS = "classifier.json", "classifier.npz"
"""The two files of a classifier."""

CHOOSER, JUDGE = "classifier", "judge"
"""The network that chooses style sets, and the one that judges without having chosen."""


class FittedNetwork(BaseModel, frozen=True, extra="forbid"):
    """One of a classifier's networks, and how well it did on the test pictures."""

    backbone: str  # a variant of `conf/backbone/`
    layer: str  # whose mean activations are its features
    weights: str  # as a user gives them
    weights_digest: str
    epochs: int
    tested: int  # pictures
    train_accuracy: float
    accuracy: float  # on the test pictures, with its 95 % interval
    accuracy_low: float
    accuracy_high: float


class FittedPicture(BaseModel, frozen=True, extra="forbid"):
    """A picture of a group, and the part that it had: whose it was, or that of a test."""

    group: str
    source: str
    digest: str  # SHA-256 of its RGB pixels
    part: Literal["classifier", "judge", "test"]


class ClassifierRecord(BaseModel, frozen=True, extra="forbid"):
    """All of a classifier but its numbers: `classifier.json`."""

    version: Literal[1] = 1
    labels: tuple[str, ...] = Field(min_length=2)
    size: int = Field(ge=32, le=8192)  # pixels a side
    crop: Literal["centre square"] = "centre square"
    networks: Mapping[str, FittedNetwork]  # `CHOOSER`, and mostly `JUDGE`
    pictures: tuple[FittedPicture, ...]


@dataclass(frozen=True, eq=False)
class Classifier:
    """A record with the head of each of its networks."""

    record: ClassifierRecord
    heads: Mapping[str, DenseHead]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its files' content."""
        return hashlib.sha256(b"".join(self.files().values())).hexdigest()

    @cached_property
    def parts(self) -> dict[str, str]:
        """The part that each picture had, by its digest."""
        return {picture.digest: picture.part for picture in self.record.pictures}

    def files(self) -> dict[str, bytes]:
        """What is stored of it: a JSON and plain arrays."""
        arrays: dict[str, Any] = {}
        for name, head in self.heads.items():
            arrays |= {f"{name}_mean": head.mean, f"{name}_scale": head.scale}
            for index, (kernel, bias) in enumerate(head.layers):
                arrays |= {f"{name}_kernel_{index}": kernel, f"{name}_bias_{index}": bias}
        buffer = BytesIO()
        np.savez(buffer, **arrays)
        return {RECORD: self.record.model_dump_json(indent=1).encode(), ARRAYS: buffer.getvalue()}

    @classmethod
    def from_files(cls, record: bytes, arrays: bytes) -> "Classifier":
        """The one that was stored.

        Raises:
            ValueError: they are not such files.
        """
        try:
            described = ClassifierRecord.model_validate_json(record)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{RECORD}: {place}: {first['msg']}") from error
        with np.load(BytesIO(arrays), allow_pickle=False) as stored:
            known = {name: np.asarray(stored[name]) for name in stored.files}
        heads = {name: _head(known, name, len(described.labels)) for name in described.networks}
        if CHOOSER not in heads:
            raise ValueError(f"{RECORD}: it has no network '{CHOOSER}'")
        return cls(described, heads)


def _head(arrays: Mapping[str, np.ndarray], name: str, groups: int) -> DenseHead:
    """A head of its arrays, of which each layer fits the one before."""
    found: list[Dense] = []
    try:
        mean, scale = arrays[f"{name}_mean"], arrays[f"{name}_scale"]
        while f"{name}_kernel_{len(found)}" in arrays:
            number = len(found)
            found.append((arrays[f"{name}_kernel_{number}"], arrays[f"{name}_bias_{number}"]))
    except KeyError as error:
        raise ValueError(f"{ARRAYS}: {error} is missing") from error
    widths = [mean.shape, *(bias.shape for _, bias in found)]
    fits = len(found) > 1 and widths[-1] == (groups,) and scale.shape == mean.shape
    fits = fits and all(
        len(before) == 1 and kernel.shape == (*before, *after)
        for before, after, (kernel, _) in zip(widths, widths[1:], found, strict=False)
    )
    numbers = [mean, scale, *(array for layer in found for array in layer)]
    if not fits or not all(a.dtype.kind == "f" and np.isfinite(a).all() for a in numbers):
        raise ValueError(f"{ARRAYS}: the layers of '{name}' do not fit each other, or the labels")
    return DenseHead(mean, scale, tuple(found))


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a judge makes of n pictures."""

    labels: Sequence[str]
    probabilities: np.ndarray  # (n, groups); rows sum to 1
    encoded: np.ndarray  # the output of the last layer but one, (n, 128) as published

    def of_group(self, name: str) -> np.ndarray:
        """The probability of a group, (n,); MissingInputError: it was fitted on others."""
        if name not in self.labels:
            raise MissingInputError(f"the classifier knows {', '.join(self.labels)} alone")
        return np.asarray(self.probabilities[:, self.labels.index(name)])


@dataclass(frozen=True, eq=False)
class Judge:
    """A network with its head: pictures in, groups out."""

    backbone: Backbone
    head: DenseHead
    labels: Sequence[str]
    digest: str  # of the classifier that it is of
    about: str  # the network and its weights, for people

    def judgement(self, pixels: np.ndarray, disk: DiskCache | None = None) -> Judgement:
        """Of squares, uint8, (n, S, S, 3), S the size that it was fitted at."""
        encoded = self.head.encode(pooled_features(self.backbone, pixels, disk or DiskCache()))
        return Judgement(self.labels, self.head.probabilities(encoded), encoded)


def keras_model(judge: Judge) -> keras.Model:
    """The whole of a judge as one Keras model, from images (N, S, S, 3) in [0, 1], for others."""
    network, head = judge.backbone.network, judge.head
    values = keras.layers.GlobalAveragePooling2D(dtype="float32")(network.outputs[-1])
    last = len(head.layers) - 1
    for index, (kernel, bias) in enumerate(head.layers):
        if index == 0:  # The standardisation (x − m) / s is part of the first layer.
            kernel = kernel / head.scale[:, None]
            bias = bias - head.mean @ kernel
        activation = "softmax" if index == last else "relu"
        dense = keras.layers.Dense(len(bias), activation, name=f"dense_{index}", dtype="float32")
        values = dense(values)
        dense.set_weights([kernel, bias])
    return keras.Model(network.input, values)


def genre_recognition(judgement: Judgement, artist: str) -> np.ndarray:
    """Whether a judge takes each result for its style's group: 1 or 0, by chance 1 of the groups.

    The mean is the recognition rate, in [0, 1]; higher is better. MissingInputError: the judge
    was fitted on other groups.

    Source: the genre variant in the study's reference, section 2, with its 31 % and 23 %.
    """
    judgement.of_group(artist)
    found = judgement.probabilities.argmax(axis=1)
    return np.asarray(found == judgement.labels.index(artist), "float64")


def genre_probability(judgement: Judgement, artist: str) -> np.ndarray:
    """The probability that a judge gives each result's own group, in [0, 1]; higher is better.

    Raises as `genre_recognition`.
    """
    return judgement.of_group(artist)


def check_groups(labels: Sequence[str], names: Sequence[str], option: str, value: object) -> None:
    """Raise ConfigError unless a classifier was fitted on all of some groups."""
    if others := [name for name in names if name not in labels]:
        reason = (
            f"was fitted on {', '.join(labels)}, not on {', '.join(others)}: fit one on these "
            "groups with python -m benchmark.genre fit"
        )
        raise ConfigError(reason, option, value)
