"""Photographs painted in a manner, for people who want pictures: `benchmark.stylize`."""

import os
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from glob import escape
from pathlib import Path

from PIL import Image

from benchmark.analysis.pages import with_noun
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.config.quoting import in_quotes, quoted_text
from benchmark.config.schema import Config, Estimate
from benchmark.images.pixels import Pictures, to_uint8
from benchmark.images.saving import WRITABLE, check_colour, save_like
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.groups import available_paintings
from benchmark.runs.log import run_title
from benchmark.runs.prepare import Prepared
from benchmark.runs.progress import Output, epoch_progress
from benchmark.runs.sizes import scaled_epochs
from benchmark.runs.workspace import Workspace
from benchmark.runtime.interrupts import EXIT_CODE
from benchmark.sweeps import application
from benchmark.sweeps.cost import print_estimate
from benchmark.sweeps.execution import RunContext, checked, opened, reason_of, tracked_run
from benchmark.sweeps.plan import pairs_of
from benchmark.tracking.tracker import Tracker
from benchmark.transfer.loop import Epoch, Result
from benchmark.transfer.scales import optimize_scales
from benchmark.user_input import InputError, as_override
from datasets import folder
from datasets.styles import kind_of, painter_of

MOST_PAINTINGS = 30
LINE_EPOCHS = 100
"""Epochs after which a line tells the losses."""

LONGEST_STEP = 60.0
"""Seconds that are waited for the end of a step when somebody interrupts it."""


@dataclass(frozen=True)
class Request:
    """What is to be painted."""

    photographs: Sequence[str]  # files, and folders of them
    styles: Sequence[Sequence[str]]  # each files and folders, a built-in painter, or artists
    overrides: Sequence[str] = ()  # `option=value`, over those of `conf/experiment/stylize.yaml`
    every: int | None = None  # epochs after which pictures on the way are wanted
    background: str | None = None  # a colour to lie on, in place of transparency


@dataclass(frozen=True)
class Writing:
    """Writes a request's pictures, at its end and on the way."""

    request: Request
    files: Sequence[Path]
    sources: Sequence[Path]  # the photographs
    screen: Output
    reached: list[Epoch] = field(default_factory=list)  # the last, if there is one
    is_over: threading.Event = field(default_factory=threading.Event)

    def write(self, images: Pictures, suffix: str = "") -> None:
        """Write the pictures; with a suffix beside the files that are wanted."""
        for index, (image, file) in enumerate(zip(images, self.files, strict=True)):
            place = file.with_stem(file.stem + suffix)
            place.parent.mkdir(exist_ok=True)
            source = self.sources[index % len(self.sources)]
            save_like(to_uint8(image), source, place, self.request.background)

    def watch(self, epoch: Epoch) -> None:
        """Write what is wanted after an epoch, and say how it goes."""
        self.reached[:] = [epoch]
        if self.request.every and epoch.number and epoch.number % self.request.every == 0:
            self.write(epoch.images(), f"_{epoch.number:04}")
        # Elsewhere the progress prints lines, too.
        if self.screen.is_terminal and epoch.number % LINE_EPOCHS == 0:
            total, style, content = epoch.losses.mean(axis=1)
            losses = f"total loss {total:.4g}, style {style:.4g}, content {content:.4g}"
            self.screen.print(f"  epoch {epoch.number}: {losses}", soft_wrap=True)

    def end_early(self, why: str) -> None:
        """Write what is there, which may be good enough, and say why it is no more."""
        said = "nothing was painted yet"
        try:
            if self.reached:
                self.write(self.reached[0].images())
                said = f"wrote what was there after epoch {self.reached[0].number}: "
                said += ", ".join(map(str, self.files))
        except Exception as error:
            said = f"nothing could be written: {reason_of(error)}"
        self.screen.print(f"{why}: {said}", style="red", soft_wrap=True)
        self.is_over.set()

    def wait_for_the_step(self) -> None:
        """Let the main thread end its step, after which it writes what is there."""
        if self.reached:
            self.is_over.wait(LONGEST_STEP)


def paint(request: Request, output: str | None, *, force: bool, is_logged: bool) -> int:
    """Paint what is requested into files, a file or into a folder; returns the exit code.

    Raises:
        InputError: a file or an option is wrong, or a file is there and `force` is not given.
    """
    check_colour("--background", request.background)
    screen, interrupts = Output(), application.begin().interrupts
    interrupts.install()
    config, overrides = config_of(request)
    [prepared] = checked([config], Workspace(), screen)
    files = files_of(prepared, output, force=force, every=request.every)
    for paintings in prepared.paintings:
        count = with_noun(len(paintings.names), "painting")
        screen.print(f"Style: {count} of {paintings.name}", soft_wrap=True)
    if not is_logged and config.estimate is not Estimate.skip:
        print_estimate([prepared], screen)
        if config.estimate is Estimate.only:
            return 0
    sources = [Path(image.source) for image in prepared.content.image_set.images]
    writing = Writing(request, files, sources, screen)
    try:
        with interrupts.on_forced_exit(writing.wait_for_the_step):
            if is_logged:
                result = logged(config, overrides, prepared, screen, writing.watch)
            else:
                result = optimized(prepared, screen, writing.watch)
    except InputError:
        raise
    except KeyboardInterrupt:
        interrupts.is_shutting_down = True
        writing.end_early("interrupted")
        return EXIT_CODE
    except Exception as error:
        writing.end_early(f"failed: {reason_of(error)}")
        return 1
    writing.write(result.images)
    for file in files:
        screen.print(f"wrote {file}", soft_wrap=True)
    if result.status != "finished":
        screen.print(f"{result.status}: {result.stop_reason.message}", style="red", soft_wrap=True)
    return 0 if result.status == "finished" else 1


def pictures(request: Request) -> list[Image.Image]:
    """What is requested, artist by artist, neither written nor logged; InputError as `paint`."""
    screen = Output()
    [prepared] = checked([config_of(request)[0]], Workspace(), screen)
    result = optimized(prepared, screen, lambda epoch: None)
    return [Image.fromarray(to_uint8(image)) for image in result.images]


def optimized(prepared: Prepared, output: Output, watch: Callable[[Epoch], None]) -> Result:
    """The result of a run that is not logged."""
    with epoch_progress("painting", prepared, output) as show:

        def on_epoch(epoch: Epoch) -> None:
            show(epoch)
            watch(prepared.finished_epoch(epoch))

        result = optimize_scales(
            prepared.transfer,
            prepared.scales(),
            keep_best=prepared.keep_best,
            begins_block=lambda epoch: epoch in prepared.snapshots,
            on_epoch=on_epoch,
        )
    return replace(result, images=prepared.finished(result.images))


def logged(
    config: Config,
    overrides: Sequence[str],
    prepared: Prepared,
    output: Output,
    watch: Callable[[Epoch], None] = lambda epoch: None,
    painted: Result | None = None,
) -> Result:
    """The result of a run of its own in MLflow; one that is `painted` is only logged."""
    Tracker.check_reachable(config.tracking.uri)
    tracker, _ = opened(config, [prepared], application.current(), output)
    context = RunContext(run_title(config), pairs_of(overrides))
    nothing = Checkpoint(None)
    result = tracked_run(
        config, lambda: prepared, tracker, context, nothing, output, watch=watch, painted=painted
    )
    output.print(f"logged in MLflow, {tracker.uri}", soft_wrap=True)
    return result


def config_of(request: Request) -> tuple[Config, list[str]]:
    """The configuration of a request, and the options that it comes from."""
    images = folder.images_at("PHOTO", request.photographs)
    is_named_blend = any(option.startswith("dataset.blend={") for option in request.overrides)
    options = [
        "experiment=stylize",
        f"tracking.sweep=stylize-{datetime.now():%Y-%m-%d_%H-%M-%S}-{secrets.token_hex(2)}",
        *style_options(request.styles, is_named_blend=is_named_blend),
        "content=files",
        f"content.paths={absolute(request.photographs)}",
        f"content.count={len(images)}",
    ]
    first = composed([*options, *request.overrides])
    options.append(f"dataset.paintings={paintings_each(first, request.styles)}")
    if request.every:
        wanted = list(range(0, sum(scaled_epochs(first)) + 1, request.every))
        options.append(f"snapshots={as_override(wanted)}")
    options += request.overrides
    return composed(options), options


def paintings_each(config: Config, styles: Sequence[Sequence[str]]) -> int:
    """How many paintings of each style are taken: as many as the smallest has, 30 at most.

    Raises:
        InputError: they cannot be found; of an artist's name says what it was taken for.
    """
    try:
        fewest = min(len(group.images) for group in available_paintings(config))
    except InputError as error:
        kinds = {kind_of(style, "--style") for style in styles}
        taken = "no such file or folder, so taken for an artist of the archive: "
        reason = (taken if kinds == {"best_artworks"} else "") + error.reason
        is_style = error.option in ("dataset.paths", "dataset.artists", "dataset.styles")
        raise ConfigError(reason, "--style" if is_style else error.option, error.value) from error
    return min(fewest, MOST_PAINTINGS)


def absolute(paths: Sequence[str]) -> str:
    """Paths, from the root, as a list in an override."""
    found = (str(Path(path).expanduser().absolute()) for path in paths)
    return f"[{','.join(map(in_quotes, found))}]"


def in_list(names: Sequence[str]) -> str:
    """Names as a list in an override."""
    return f"[{','.join(map(quoted_text, names))}]"


def style_options(styles: Sequence[Sequence[str]], *, is_named_blend: bool = False) -> list[str]:
    """The options that name styles, each files and folders, a built-in painter, or artists.

    Of a blend whose option names the artists, those that name where they are: a folder with a
    subfolder for each, the built-in painters, or the archive.

    Raises:
        InputError: one is none of these.
    """
    kinds = [kind_of(style, "--style") for style in styles]
    if len(styles) > 1:
        places = [
            absolute(one) if kind == "files" else in_list(one)
            for one, kind in zip(styles, kinds, strict=True)
        ]
        return ["dataset=styles", f"dataset.styles=[{','.join(places)}]"]
    [style], [kind] = styles, kinds
    if is_named_blend:
        root = [f"dataset.root={absolute(style)[1:-1]}"] if kind == "files" else []
        return ["dataset=folder" if root else f"dataset={kind}", *root]
    match kind:
        case "files":
            value = f"dataset.paths={absolute(style)}"
        case "sample":
            value = f"dataset.artists={in_list([painter_of(style)])}"
        case _:
            value = f"dataset.artists={in_list(style)}"
    return [f"dataset={kind}", value]


def files_of(
    prepared: Prepared, output: str | None, *, force: bool, every: int | None
) -> list[Path]:
    """The files of a run's pictures, artist by artist.

    Raises:
        ConfigError: a folder is not there or not to be written to, a file is there already, with
            `every` also one on the way, or its name's ending is of no format.
    """
    place = Path(output or ".").expanduser()
    if output and place.suffix and not place.is_dir():
        if len(prepared.examples) > 1:
            reason = f"a file for {len(prepared.examples)} pictures: name a folder"
            raise ConfigError(reason, "--output", output)
        if place.suffix.lower() not in WRITABLE:
            reason = f"its name must end with one of {', '.join(WRITABLE)}"
            raise ConfigError(reason, "--output", output)
        files = [place]
    else:
        names = (f"{content} {artist}.png" for artist, content in prepared.examples)
        files = [place / name.replace("/", "-") for name in names]
    # A folder that is named is made when pictures are written, but none of those above it.
    into = place.parent if files == [place] or not os.path.lexists(place) else place
    if not into.is_dir():
        raise ConfigError("no such folder: make it first", "--output", str(into))
    if not os.access(into, os.W_OK):
        raise ConfigError("no permission to write into this folder", "--output", str(into))
    for file in files:
        on_the_way = file.parent.glob(f"{escape(file.stem)}_[0-9]*{escape(file.suffix)}")
        there = [file] * file.exists() + sorted(on_the_way if every else ())
        if there and not force:
            reason = "is there already: name another, or add --force"
            raise ConfigError(reason, "--output", str(there[0]))
    return files
