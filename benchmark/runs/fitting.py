"""Fitting a classifier of a dataset's groups, and a judge beside it, from options to MLflow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from pydantic import BaseModel, Field, TypeAdapter
from scipy.stats import binomtest

from backbones import Backbone, BackboneError
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError, validated
from benchmark.config.schema import LARGEST_FLOAT, Config, Count, Text
from benchmark.config.signatures import function_of
from benchmark.images.classification import confusion_figure, fit_curves
from benchmark.metrics.classifier import (
    CHOOSER,
    JUDGE,
    Classifier,
    ClassifierRecord,
    FittedNetwork,
    FittedPicture,
    Judge,
    keras_model,
)
from benchmark.metrics.heads import DenseHead, FitEpoch, FitPlan, Samples, fit_head, split
from benchmark.metrics.kept import pooled_features
from benchmark.runs.groups import available_paintings
from benchmark.runs.progress import Output, picture_progress
from benchmark.runs.workspace import Workspace, disk_cache
from benchmark.tracking.log import RunLog
from benchmark.tracking.records import Artifact, ClassifierFacts
from benchmark.transfer import backend
from benchmark.user_input import InputError, did_you_mean
from datasets import DatasetError, ImageSet, LoadedImages

TAKEN = (
    *("dataset", "seed", "image_size", "cache", "tracking.uri", "tracking.experiment"),
    *("backbone", "backbone.weights", "backbone.content_layer"),
)
"""Options of a run that a fit has too; besides all of `dataset`."""


class HeadOptions(BaseModel, frozen=True, extra="forbid"):
    """The options `fit.…`."""

    epochs: Count = 10
    batch: Count = 64
    learning_rate: Annotated[float, Field(gt=0, le=LARGEST_FLOAT, allow_inf_nan=False)] = 1e-3
    patience: Count | None = 3
    layers: Annotated[list[Count], Field(min_length=1)] = [1024, 128]
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2


class JudgeOptions(BaseModel, frozen=True, extra="forbid"):
    """The options `judge.…`; without a backbone there is no judge, without weights its own rule."""

    backbone: Text | None = "auto"
    weights: Text | None = None


class OwnOptions(BaseModel, frozen=True, extra="forbid"):
    """The options that a fit has besides those of a run."""

    fit: HeadOptions = HeadOptions()
    judge: JudgeOptions = JudgeOptions()

    def flat(self) -> dict[str, Any]:
        """Each by its dotted name."""
        groups = self.model_dump().items()
        return {f"{group}.{key}": value for group, of in groups for key, value in of.items()}


@dataclass(frozen=True)
class FitSetup:
    """All that a fit needs, checked."""

    config: Config
    own: OwnOptions
    groups: Sequence[LoadedImages]  # squares, no picture twice
    parts: Mapping[str, np.ndarray]  # by group, the part of each picture
    networks: Mapping[str, Backbone]  # by the part that they are fitted on
    weights: Mapping[str, str]  # theirs, as a user gives them
    notes: Sequence[str]  # what to tell before it begins

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the groups."""
        return tuple(group.name for group in self.groups)


@dataclass(frozen=True)
class Fit:
    """A fitted classifier, and how its networks came about."""

    classifier: Classifier
    judges: Mapping[str, Judge]
    histories: Mapping[str, Sequence[FitEpoch]]
    confusions: Mapping[str, np.ndarray]  # (groups, groups), of the test pictures

    @property
    def summary(self) -> str:
        """The accuracy of each network in a line."""
        return "; ".join(
            f"{name} ({one.backbone}) {one.accuracy:.0%} [{one.accuracy_low:.0%}, "
            f"{one.accuracy_high:.0%}] of {one.tested} test pictures"
            for name, one in self.classifier.record.networks.items()
        )


def read_options(overrides: Sequence[str]) -> tuple[Config, OwnOptions]:
    """The options of a fit: those that it shares with a run, and its own; else InputError."""
    shared, own = [], dict[str, dict[str, Any]]()
    for override in overrides:
        name, equals, value = override.partition("=")
        group, _, key = name.partition(".")
        if equals and key and group in OwnOptions.model_fields:
            own.setdefault(group, {})[key] = _plain(name, value)
        elif equals and (name in TAKEN or group == "dataset"):
            shared.append(override)
        else:
            known = [*TAKEN, *(f"{g}.{k}" for g, kind in KINDS.items() for k in kind.model_fields)]
            reason = f"has no part in fitting a classifier.{did_you_mean(name, known)}"
            raise ConfigError(f"{reason} --help lists what there is", name)
    config = composed(["tracking.experiment=classifiers", "image_size=128", *shared])
    return config, validated(TypeAdapter(OwnOptions), own)


KINDS: dict[str, type[BaseModel]] = {"fit": HeadOptions, "judge": JudgeOptions}


def _plain(option: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError("cannot be read as a value", option, value) from error


def prepared_fit(config: Config, own: OwnOptions, workspace: Workspace) -> FitSetup:
    """Load and check all that a fit needs.

    Raises:
        InputError: an option, a picture or a group is wrong.
    """
    dataset = config.dataset
    optional = [
        key
        for key, parameter in signature(function_of("dataset", dataset)).parameters.items()
        if parameter.default is None and key != "root"
    ]
    if "artists" in optional and all(dataset.get(key) is None for key in optional):
        config = replace(config, dataset={**dataset, "artists": ["*"]})  # not the first two
    groups = available_paintings(config)
    has_judge = own.judge.backbone is not None
    check_counts(
        {group.name: len(group.images) for group in groups}, own.fit.test, has_judge, dataset
    )
    networks, weights, notes = networks_of(config, own.judge, workspace)
    disk = disk_cache(config)
    loaded = [workspace.kept.squares(group, config.image_size, disk) for group in groups]
    single, repeated = without_repeated(loaded)
    if repeated:
        notes = [*notes, f"left out, for their groups have them twice: {', '.join(repeated)}"]
    counts = {group.name: len(group.names) for group in single}
    check_counts(counts, own.fit.test, has_judge, dataset)
    parts = split(counts, own.fit.test, has_judge, config.seed)
    return FitSetup(config, own, single, parts, networks, weights, notes)


def check_counts(
    counts: Mapping[str, int], share: float, has_judge: bool, dataset: Mapping[str, Any]
) -> None:
    """Raise InputError unless there are groups, and each has pictures for every part."""
    name = str(dataset["name"])
    if len(counts) < 2:
        only = f"the only group is '{next(iter(counts))}'" if counts else "there is no group"
        raise DatasetError(f"{only}: a classifier tells two or more apart", "dataset", name)
    fewest = 3 if has_judge else 2
    parts = "the classifier, its judge and the test" if has_judge else "the classifier and the test"
    for group, count in counts.items():
        tested = round(count * share)
        if count < fewest:
            reason = f"'{group}' has {count} of the {fewest} pictures that it needs, for {parts}"
            raise DatasetError(f"{reason}: add some, or leave the group out", "dataset", name)
        if tested < 1 or count - tested < fewest - 1:
            without = "the test" if tested < 1 else "the fit"
            reason = f"of the {count} pictures of '{group}' it leaves none for {without}"
            raise ConfigError(
                f"{reason}: give {1 / count:.2g} or more, but not all", "fit.test", share
            )


def without_repeated(groups: Sequence[LoadedImages]) -> tuple[list[LoadedImages], list[str]]:
    """Groups with each picture once, told by its pixels, and the files that were left out.

    Raises:
        DatasetError: a picture is in two groups.
    """
    first: dict[str, tuple[str, str]] = {}
    single, repeated = [], []
    for group in groups:
        kept = []
        for index, (image, digest) in enumerate(
            zip(group.image_set.images, group.digests, strict=True)
        ):
            before, source = first.setdefault(digest, (group.name, image.source))
            if before != group.name:
                reason = f"{source} and {image.source} are the same picture, in two groups"
                raise DatasetError(f"{reason}, '{before}' and '{group.name}': remove one")
            if source == image.source:
                kept.append(index)
            else:
                repeated.append(image.source)
        images = tuple(group.image_set.images[index] for index in kept)
        digests = tuple(group.digests[index] for index in kept)
        single.append(LoadedImages(ImageSet(group.name, images), group.pixels[kept], digests))
    return single, repeated


def networks_of(
    config: Config, judge: JudgeOptions, workspace: Workspace
) -> tuple[dict[str, Backbone], dict[str, str], list[str]]:
    """The networks by their part, their weights as given, and notes about them."""
    variant, size = config.backbone, config.image_size
    network = workspace.classifiers.network
    given, own = variant["content_layer"], str(variant["name"])
    layer = given if isinstance(given, str) else given[-1]
    weights = {CHOOSER: _absolute(str(variant["weights"]))}
    networks = {CHOOSER: network(own, layer, weights[CHOOSER], size)}
    if judge.backbone is None:
        return networks, weights, ["no judge: what chooses styles would judge them alone"]
    if judge.backbone == own:
        reason = "is the classifier's own: name another, or null for none"
        raise ConfigError(reason, "judge.backbone", own)
    is_general = Path(weights[CHOOSER]).is_dir() or weights[CHOOSER] in (
        "auto",
        "imagenet",
        "random",
    )
    weights[JUDGE] = _absolute(judge.weights or (weights[CHOOSER] if is_general else "auto"))
    choices = [judge.backbone]
    if judge.backbone == "auto":
        choices = [name for name in ("mobilenet", "vgg_shallow") if name != own]
    for name in choices:
        try:
            networks[JUDGE] = network(name, None, weights[JUDGE], size)
        except InputError as error:
            option = "judge.weights" if isinstance(error, BackboneError) else "judge.backbone"
            raise ConfigError(error.reason, option, error.value) from error
        if networks[JUDGE].weights != "random":
            break
    notes = []
    if networks[JUDGE].shared.architecture.model == networks[CHOOSER].shared.architecture.model:
        notes = [
            "the judge is a part of the classifier's own network, fitted on other pictures, "
            "because no other trained weights were found: name some with judge.backbone= and "
            "judge.weights="
        ]
    return networks, weights, notes


def _absolute(weights: str) -> str:
    path = Path(weights).expanduser()
    return str(path.resolve()) if path.exists() else weights


def fit_classifier(setup: FitSetup, log: RunLog, output: Output) -> Fit:
    """Extract features, fit each network's head on its own pictures, and log it all."""
    features = extracted_features(setup, output)
    plan = FitPlan(**setup.own.fit.model_dump(exclude={"test"}))
    heads: dict[str, DenseHead] = {}
    histories, confusions, fitted = {}, {}, {}
    for name, backbone in setup.networks.items():
        samples = {part: samples_of(setup, features[name], part) for part in (name, "test")}
        train, test = samples[name], samples["test"]
        prefix = "" if name == CHOOSER else f"{name}_"

        def log_numbers(number: int, epoch: FitEpoch, prefix: str = prefix) -> None:
            log.metrics({f"{prefix}{key}": v for key, v in epoch._asdict().items()}, number)

        head, history = fit_head(
            train, test, len(setup.labels), plan, setup.config.seed, log_numbers
        )
        predicted = head.probabilities(head.encode(test.features)).argmax(axis=1)
        right = int((predicted == test.groups).sum())
        bounds = binomtest(right, len(predicted)).proportion_ci(method="wilson")
        confusion = np.zeros((len(setup.labels),) * 2, int)
        np.add.at(confusion, (test.groups, predicted), 1)
        heads[name], histories[name], confusions[name] = head, history, confusion
        fitted[name] = FittedNetwork(
            backbone=backbone.name,
            layer=backbone.content_layers[-1],
            weights=setup.weights[name],
            weights_digest=backbone.digest,
            epochs=len(history) - 1,
            tested=len(predicted),
            train_accuracy=history[-1].train_accuracy,
            accuracy=right / len(predicted),
            accuracy_low=float(bounds.low),
            accuracy_high=float(bounds.high),
        )
    pictures = tuple(
        FittedPicture(group=group.name, source=image.source, digest=digest, part=part)
        for group in setup.groups
        for image, digest, part in zip(
            group.image_set.images, group.digests, setup.parts[group.name], strict=True
        )
    )
    record = ClassifierRecord(
        labels=setup.labels, size=setup.config.image_size, networks=fitted, pictures=pictures
    )
    classifier = Classifier(record, heads)
    judges = {
        name: Judge(backbone, heads[name], record.labels, classifier.digest, backbone.name)
        for name, backbone in setup.networks.items()
    }
    result = Fit(classifier, judges, histories, confusions)
    log_fit(log, setup, result)
    return result


def extracted_features(setup: FitSetup, output: Output) -> dict[str, dict[str, np.ndarray]]:
    """By network and group, features (n, C) of the pictures that it is fitted or tested on.

    Of the others rows of NaN.
    """
    disk = disk_cache(setup.config)
    chosen = {
        name: {group: (parts == name) | (parts == "test") for group, parts in setup.parts.items()}
        for name in setup.networks
    }
    total = sum(int(mask.sum()) for masks in chosen.values() for mask in masks.values())
    features: dict[str, dict[str, np.ndarray]] = {name: {} for name in setup.networks}
    with picture_progress("features", total, output) as advance:
        for name, backbone in setup.networks.items():
            for group in setup.groups:
                mask = chosen[name][group.name]
                found = pooled_features(backbone, group.pixels[mask], disk, advance)
                whole = np.full((len(mask), found.shape[1]), np.nan, "float32")
                whole[mask] = found
                features[name][group.name] = whole
    return features


def samples_of(setup: FitSetup, features: Mapping[str, np.ndarray], part: str) -> Samples:
    """The features of the pictures of one part, and their groups' indices."""
    rows = [features[label][setup.parts[label] == part] for label in setup.labels]
    groups = np.repeat(np.arange(len(rows)), [len(one) for one in rows])
    return Samples(np.concatenate(rows), groups)


def log_fit(log: RunLog, setup: FitSetup, result: Fit) -> None:
    """Log a classifier's files, pictures of its fit, and its network as a Keras model."""
    for group in setup.groups:
        folder = str(Path(group.image_set.images[0].source).parent)
        log.data(group.name, "classifier", folder, group.digest, len(group.names))
    histories = {name: np.array(history) for name, history in result.histories.items()}
    title = f"{len(setup.labels)} groups: {result.summary}"
    log.figure(Artifact.FIT_CURVES, partial(fit_curves, histories, title))
    draw = partial(confusion_figure, result.confusions, setup.labels, title)
    log.figure(Artifact.CONFUSION, draw)
    for name, content in result.classifier.files().items():
        log.file(name, content)
    log.update(ClassifierFacts(digest=result.classifier.digest))
    versions = backend.versions()
    needed = [f"{name}=={versions[name]}" for name in ("keras", backend.name())]
    model = keras_model(result.judges[CHOOSER])
    log.keras_model(Artifact.KERAS_MODEL, model, setup.labels, needed)
