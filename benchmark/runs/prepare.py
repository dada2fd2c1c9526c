"""From a configuration to loaded, checked inputs; the configuration is not seen below this."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from math import prod
from pathlib import Path

import numpy as np

import datasets
from backbones import Backbone
from benchmark.config.paths import ROOT
from benchmark.config.schema import Config, Keep, PreserveColor, Shape
from benchmark.images.colour import PRESERVATIONS, ColourPreservation
from benchmark.images.pixels import Pictures, gathered, same_shape
from benchmark.metrics.kept import kept_arrays
from benchmark.metrics.scoring import EvaluationSetup
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.contents import ContentChoice, load_content
from benchmark.runs.evaluation import evaluation_setup
from benchmark.runs.groups import available_paintings, chosen_paintings, load_paintings
from benchmark.runs.masks import PAINTINGS_OPTION, Masks, mask_sets, painting_mask_sets
from benchmark.runs.sizes import check_sides, scaled_epochs, scaled_sizes
from benchmark.runs.start import STARTS, Start, start_pictures
from benchmark.runs.style_sets import Selection, painting_together
from benchmark.runs.variants import aggregation, keys_of, loss_of, metric_of, optimizer_choice
from benchmark.runs.workspace import Workspace, disk_cache, load_backbone
from benchmark.runtime.disk_cache import DiskCache
from benchmark.tracking.records import ChosenPainting
from benchmark.transfer import backend
from benchmark.transfer.batch import Batch, BatchPlan, make_batches, plan_batches
from benchmark.transfer.features import StyleTargets
from benchmark.transfer.loop import Epoch
from benchmark.transfer.scales import Scale, enlarged
from benchmark.transfer.step import Optimizer
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import StyleTransfer
from datasets import ImageSet, LoadedImages


@dataclass(frozen=True)
class Prepared:
    """All that a run needs."""

    paintings: Sequence[LoadedImages]  # one set an artist; one of all that paint together
    content: LoadedImages
    transfer: StyleTransfer
    stopping: Stopping
    batch: int  # most examples to optimise together
    start: Start  # where images start
    sizes: Sequence[int]  # pixels of the longest side, at each scale
    epochs_each: Sequence[int]  # most epochs, at each scale
    native: bool  # whether pictures keep their aspect ratio instead of becoming squares
    style_scale: float  # size of the paintings over that of the pictures
    colours: ColourPreservation | None  # what keeps the photographs' colours, if anything does
    keep_best: bool  # whether each example's image of lowest total loss is kept, not the last
    snapshots: Sequence[int]  # epochs whose images are logged
    original_size: bool  # whether results are also logged at their content images' own sizes
    disk: DiskCache  # where pictures and their features are kept
    evaluation_setup: EvaluationSetup
    workspace: Workspace  # what it shares with the other runs of the process
    together: Sequence[LoadedImages] = ()  # the sets of artists with masks of their own, apart
    masks: Masks | None = None  # where styles act; None: everywhere
    painting_masks: Sequence[Masks] = ()  # where the style of each artist's paintings is
    choice: Sequence[ChosenPainting] = ()  # the paintings as `dataset.classifier` sees them

    @property
    def backbone(self) -> Backbone:
        """The transfer's."""
        return self.transfer.backbone

    @property
    def examples(self) -> list[tuple[str, str]]:
        """(artist, content) of each example, artist by artist."""
        return [(p.name, content) for p in self.paintings for content in self.content.names]

    @property
    def style_sets(self) -> Sequence[LoadedImages]:
        """One set an artist, also of those that paint together."""
        return self.together or self.paintings

    @property
    def style_digest(self) -> str:
        """SHA-256 over the digests of the style sets, in order."""
        return datasets.digest_of(self.paintings)

    @property
    def masks_digest(self) -> str:
        """SHA-256 over those of all masks, of content pictures first; empty without masks."""
        found = [one.digest for one in (self.masks, *self.painting_masks) if one]
        return hashlib.sha256("".join(found).encode()).hexdigest() if found else ""

    @property
    def missing_weights(self) -> dict[str, str]:
        """The backbone and why it has random instead of ImageNet weights, if so."""
        note = self.backbone.weights_note
        return {self.backbone.name: note} if note else {}

    @property
    def weights_caption(self) -> str:
        """What the weights are, for people, who must not take random ones for a result."""
        used = self.backbone.weights
        return "RANDOM (not trained)" if used == "random" else used

    @property
    def is_plain(self) -> bool:
        """Whether all is done at the size of the network, which is then a square."""
        return self.backbone.shared.architecture.image_size is not None

    @property
    def epochs(self) -> int:
        """The most that it may take, at all scales."""
        return sum(self.epochs_each)

    def scales(self) -> list[Scale]:
        """From coarse to fine."""
        return [
            Scale(partial(self.batches, size), replace(self.stopping, epochs=epochs))
            for size, epochs in zip(self.sizes, self.epochs_each, strict=True)
        ]

    def with_masks(self, sets: tuple[ImageSet, ...]) -> "Prepared":
        """The same with masks, a set for all artists or one of each; InputError if one is wrong."""
        sizes = tuple(picture.shape[:2] for picture in self.contents())
        return replace(self, masks=self.workspace.masks(sets, self.content.image_set, sizes))

    def with_painting_masks(self, place: str, groups: Sequence[ImageSet]) -> "Prepared":
        """The same with masks of the paintings of each artist; InputError if one is wrong."""
        sets = painting_mask_sets(place, groups, [one.image_set for one in self.style_sets])
        masks = [
            self.workspace.masks(
                (of_artist,),
                one.image_set,
                tuple(picture.shape[:2] for picture in self._paintings_at(one)),
                PAINTINGS_OPTION,
            )
            for of_artist, one in zip(sets, self.style_sets, strict=True)
        ]
        return replace(self, painting_masks=masks)

    def contents(self, size: int | None = None) -> Pictures:
        """The content pictures at a size, uint8, N of (H, W, 3); by default that of the results."""
        if self.is_plain:
            return self.content.pixels
        size, images = size or self.sizes[-1], self.content.image_set
        return self.workspace.kept.pictures(images, size, self.native, self.disk)

    @property
    def content_groups(self) -> list[list[int]]:
        """Content pictures that share their style targets: all, but for those that keep colours."""
        indices = list(range(len(self.content.names)))
        return [[index] for index in indices] if self.colours else [indices]

    def style_targets(self, size: int | None = None) -> Iterator[list[StyleTargets]]:
        """Those of each artist, for each of `content_groups`, at a size or that of the results.

        Of artists who paint together, those of each.
        """
        if self.colours:
            for content in self.contents(size):
                yield self._own_targets(size, content)
        elif self.painting_masks:
            yield self._own_targets(size)
        elif self.is_plain:
            kept = self.workspace.kept.style_targets
            yield [kept(self.backbone, one, self.disk) for one in self.style_sets]
        else:
            at, side = self.workspace.kept.style_targets_at, self._side_of_paintings(size)
            options = side, self.native, self.disk
            yield [at(self.backbone, one.image_set, *options) for one in self.style_sets]

    def _own_targets(
        self, size: int | None, content: np.ndarray | None = None
    ) -> list[StyleTargets]:
        """The style targets of paintings with masks, or recoloured for a content picture."""
        found = []
        for one, masks in zip_longest(self.style_sets, self.painting_masks):
            pictures = self._paintings_at(one, size)
            if self.colours and content is not None:
                pictures = [self.colours.painting(painting, content) for painting in pictures]
            regions = masks.at(pictures) if masks else None
            targets_of = self.workspace.kept.picture_targets
            found.append(targets_of(self.backbone, pictures, self.disk, regions))
        return found

    def _paintings_at(self, one: LoadedImages, size: int | None = None) -> Pictures:
        """The paintings of an artist at a size, or that of the results."""
        if self.is_plain:
            return one.pixels
        options = self._side_of_paintings(size), self.native, self.disk
        return self.workspace.kept.pictures(one.image_set, *options)

    def _side_of_paintings(self, size: int | None) -> int:
        return round((size or self.sizes[-1]) * self.style_scale)

    def batches(self, size: int | None = None, images: Pictures | None = None) -> list[Batch]:
        """All examples in batches at a size, by default the last, from images of any size.

        Without such images they start as the run's options say.
        """
        contents, known = self._as_optimised(self.contents(size)), None
        start = self.start.images(contents, self.examples) if images is None else images
        if start is not None and images is None:
            start = self._as_optimised(start)
        if self.is_plain and not self.colours:
            known = kept_arrays(self.backbone, self.content, self.disk, activations=True).content
        elif start is not None:
            start = enlarged(start, contents)
        masks = self.masks.at(contents) if self.masks else None
        arguments = self.batch, start, known
        return [
            batch
            for group, targets in zip(self.content_groups, self.style_targets(size), strict=True)
            for batch in make_batches(self.backbone, contents, targets, *arguments, group, masks)
        ]

    def _as_optimised(self, pictures: Pictures) -> Pictures:
        return gathered([*map(self.colours.image, pictures)]) if self.colours else pictures

    def finished(self, images: Pictures) -> Pictures:
        """The results that optimised images make, of any sizes, float32 in [0, 1]."""
        if self.colours is None:
            return images
        contents, result = self.contents(), self.colours.result
        return gathered([result(x, contents[i % len(contents)]) for i, x in enumerate(images)])

    def finished_epoch(self, epoch: Epoch) -> Epoch:
        """An epoch with the results that its images make."""
        return replace(epoch, images=lambda: self.finished(epoch.images()))

    def plans(self) -> list[BatchPlan]:
        """Which examples each of these batches has."""
        paintings = [len(images.names) for images in self.paintings]
        contents = self.contents()
        groups = (shape for group in self.content_groups for shape in same_shape(contents, group))
        return [plan for one in groups for plan in plan_batches(paintings, len(one), self.batch)]


def prepare(config: Config, workspace: Workspace) -> Prepared:
    """Load and check all that a run needs; InputError if an option, picture or file is wrong."""
    # The backbone comes last, so that a wrong number is told before a download.
    optimizer = optimizer_choice(config.optimizer, workspace.check_optimizer)
    loss = loss_of(config.loss, config.backbone)
    content = load_content(config, workspace)
    metrics = [metric_of(name, variant) for name, variant in config.metrics.items()]
    groups, paintings = load_paintings(config, workspace)
    choice = chosen_paintings(config, groups, paintings, workspace)
    sizes = [len(one.names) for one in paintings]
    place = keys_of("content", config.content, ContentChoice).masks
    masks = mask_sets(place, content.names, paintings)
    together = paintings if len(masks) > 1 else []
    if together:
        groups, paintings = painting_together(groups, paintings)
    chosen = keys_of("dataset", config.dataset, Selection)
    combined = aggregation(config.agg, sizes, chosen.painting_weights)
    disk = disk_cache(config)
    if disk.folder:
        backend.keep_compiled(disk.folder / "compiled")
    backbone, session = load_backbone(config, workspace.backbones), workspace.session
    scaled, native = scaled_sizes(config), config.shape is Shape.native
    if native or len(scaled) > 1 or config.style_scale != 1:
        backbone = backbone.of_any_size()
    prepared = Prepared(
        paintings=paintings,
        content=content,
        transfer=StyleTransfer(backbone, combined, loss, optimizer, session),
        stopping=Stopping(
            config.epochs,
            config.steps_per_epoch,
            config.early_stopping.min_improvement,
            config.early_stopping.patience,
            config.divergence_factor,
        ),
        batch=batch_of(config, workspace, backbone, optimizer, content, paintings, len(masks)),
        start=start_of(config, content, workspace),
        sizes=scaled,
        epochs_each=scaled_epochs(config),
        native=native,
        style_scale=config.style_scale,
        colours=PRESERVATIONS.get(config.preserve_color.value),
        keep_best=config.keep is Keep.best,
        snapshots=config.snapshots,
        original_size=config.original_size,
        disk=disk,
        evaluation_setup=evaluation_setup(config, metrics, groups, paintings, workspace),
        workspace=workspace,
        together=together,
        choice=choice,
    )
    if not prepared.is_plain:
        check_sides(backbone, config, prepared.contents)
    if chosen.masks:
        prepared = prepared.with_painting_masks(chosen.masks, available_paintings(config))
    return prepared.with_masks(masks) if masks else prepared


def batch_of(
    config: Config,
    workspace: Workspace,
    backbone: Backbone,
    optimizer: Optimizer,
    content: LoadedImages,
    paintings: Sequence[LoadedImages],
    regions: int,
) -> int:
    """Most examples to optimise together, as the configuration says, or as fit into memory."""
    session, batch = workspace.session, config.batch
    if isinstance(batch, int):
        return session.fitting(backbone, batch)
    options = scaled_sizes(config)[-1], config.shape is Shape.native, disk_cache(config)
    pictures = workspace.kept.pictures(content.image_set, *options)
    return session.largest_batch(
        backbone,
        config.memory_gb,
        artists=len(paintings),
        paintings=max(len(one.names) for one in paintings),
        contents=len(content.names),
        optimizer=optimizer,
        sides=max((picture.shape[:2] for picture in pictures), key=prod),
        share_targets=config.preserve_color is PreserveColor.none,
        regions=regions,
    )


def start_of(config: Config, content: LoadedImages, workspace: Workspace) -> Start:
    """Where a run's images start."""
    noise, pictures = {**STARTS, "blend": config.init_noise}.get(config.init, 0.0), None
    if config.init not in STARTS:
        found = start_pictures(config.init, content.names)
        pictures = workspace.kept.images(found, config.image_size, disk_cache(config))
    return Start(pictures, noise, config.seed, config.same_noise)


def checkpoint_of(config: Config, number: int, fingerprint: str = "") -> Checkpoint:
    """The checkpoint of a run of a sweep."""
    wanted = config.checkpoint
    folder = None
    if wanted.folder is not None and config.tracking.sweep:
        place = ROOT / Path(wanted.folder).expanduser()
        folder = place / config.tracking.sweep / str(number)
    return Checkpoint(folder, fingerprint, wanted.every_seconds, wanted.every_epochs)
