"""Artists, paintings, years, genres and unreadable files of a dataset.

python -m datasets.describe dataset=best_artworks
python -m datasets.describe dataset=best_artworks dataset.root=PATH
python -m datasets.describe dataset=folder dataset.root=PATH
python -m datasets.describe dataset=sample
"""

import sys
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from benchmark.user_input import InputError, import_callable
from benchmark.user_input.arguments import told
from datasets.catalogue import Catalogue
from datasets.images import DatasetError, LazyImage, read_all
from datasets.names import unknown_name

CONF_FOLDER = Path(__file__).resolve().parent.parent / "conf" / "dataset"


def main(arguments: Sequence[str]) -> int:
    """Print the table; returns the exit code, 1 if a file cannot be read."""
    if told(arguments, __doc__ or ""):
        return 0
    terminal = Console(highlight=False, markup=False)
    output = terminal if terminal.is_terminal else Console(width=160, highlight=False, markup=False)
    try:
        catalogue = catalogue_of(arguments)
        unreadable = unreadable_files(catalogue, output)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    show(catalogue, unreadable, output)
    return 1 if unreadable else 0


def catalogue_of(arguments: Sequence[str]) -> Catalogue:
    """The catalogue of the dataset that the command line chooses, else of the sample.

    Its function, `catalogue…`, is beside the dataset's own, `paintings…`, which uses it.

    Raises:
        DatasetError: no such dataset or option, an option is missing, or it has no catalogue.
    """
    for argument in arguments:
        if "=" not in argument:
            raise DatasetError("cannot be read as option=value; see --help", argument)
    given = dict(argument.split("=", 1) for argument in arguments)
    choices = sorted(path.stem for path in CONF_FOLDER.glob("[!_]*.yaml"))
    choice = given.pop("dataset", "sample")
    if choice not in choices:
        raise unknown_name("dataset", choice, dict.fromkeys(choices, ()))
    variant: Any = OmegaConf.to_container(OmegaConf.load(CONF_FOLDER / f"{choice}.yaml"))
    module, _, name = variant["_target_"].rpartition(".")
    try:
        function = import_callable(f"{module}.{name.replace('paintings', 'catalogue')}")
    except InputError as error:
        raise DatasetError(f"it has no catalogue ({error.reason})", "dataset", choice) from error
    options = {f"dataset.{name}": variant[name] for name in signature(function).parameters}
    for option in given:
        if option not in options:
            raise unknown_name("option", option, dict.fromkeys(["dataset", *options], ()))
    for option, value in (options | given).items():
        if options[option] == "???" and value in ("???", "null"):
            raise DatasetError(f"must be given: add {option}=… to the command", option)
        options[option] = None if value == "null" else value
    catalogue: Catalogue = function(*options.values())
    return catalogue


def unreadable_files(catalogue: Catalogue, output: Console) -> dict[str, str]:
    """The source of every image that cannot be read, with what to say of it; reads them all."""

    def read(image: LazyImage) -> None:
        image.read()

    images = [image for artist in catalogue.artists for image in artist.images]
    reasons = track(
        read_all(images, read),
        f"reading {len(images)} images",
        len(images),
        console=output,
        transient=True,
        disable=not output.is_terminal,
    )
    return {image.source: why for image, why in zip(images, reasons, strict=True) if why}


def show(catalogue: Catalogue, unreadable: Mapping[str, str], output: Console) -> None:
    """Print the table of artists, the totals and what is odd."""
    counts = (Column(name, justify="right") for name in ("paintings", "listed", "unreadable"))
    facts = ("years", "genres", "nationality")
    table = Table("artist", *counts, *facts, title=catalogue.place, title_justify="left")
    for artist in catalogue.artists:
        table.add_row(
            artist.name,
            str(len(artist.images)),
            "-" if artist.listed is None else str(artist.listed),
            str(sum(image.source in unreadable for image in artist.images) or ""),
            artist.years,
            ", ".join(artist.genre),
            ", ".join(artist.nationality),
        )
    output.print(table)
    present = [artist for artist in catalogue.artists if artist.images]
    total = sum(len(artist.images) for artist in present)
    output.print(f"{total:,} paintings by {len(present)} artists, {len(unreadable)} unreadable")
    if catalogue.published is not None:
        difference = total - catalogue.published
        output.print(f"published: {catalogue.published:,} paintings ({difference:+,})")
    if differing := [
        f"{artist.name} {len(artist.images)} ({artist.listed})"
        for artist in present
        if artist.listed not in (None, len(artist.images))
    ]:
        output.print(f"files that differ from the table's count: {', '.join(differing)}")
    for line in [*catalogue.notes, *(f"unreadable: {text}" for text in unreadable.values())]:
        output.print(line, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
