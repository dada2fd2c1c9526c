"""What a dataset holds: `python -m datasets.describe dataset=best_artworks`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.progress import track
from rich.table import Table

from datasets.catalogue import Artist, Catalogue
from datasets.errors import DatasetError, unknown_name
from datasets.images import LazyImage, bombs_refused, why_unreadable
from user_input import InputError, import_callable

CONF = Path(__file__).resolve().parent.parent / "conf" / "dataset"

USAGE = """\
Artists, paintings, years, genres and unreadable files of a dataset.

    python -m datasets.describe dataset=best_artworks
    python -m datasets.describe dataset=best_artworks dataset.root=PATH
    python -m datasets.describe dataset=folder dataset.root=PATH
    python -m datasets.describe dataset=sample
"""


def main(arguments: Sequence[str]) -> int:
    """Print the table; returns the exit code, 1 if a file cannot be read."""
    if {"-h", "--help"} & set(arguments):
        print(USAGE)
        return 0
    terminal = Console(highlight=False, markup=False)
    output = terminal if terminal.is_terminal else Console(width=160, highlight=False, markup=False)
    try:
        catalogue = catalogue_of(dataset_options(arguments))
        unreadable = unreadable_files(catalogue, output)
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    show(catalogue, unreadable, output)
    return 1 if unreadable else 0


def dataset_options(arguments: Sequence[str]) -> dict[str, Any]:
    """The dataset's YAML with what the command line changes in it.

    Raises:
        DatasetError: no such dataset or option.
    """
    for argument in arguments:
        if "=" not in argument:
            raise DatasetError("cannot be read as option=value; see --help", option=argument)
    given = dict(argument.partition("=")[::2] for argument in arguments)
    choices = sorted(path.stem for path in CONF.glob("[!_]*.yaml"))
    choice = given.pop("dataset", "sample")
    if choice not in choices:
        raise unknown_name("dataset", choice, choices)
    variant = DictConfig(OmegaConf.load(CONF / f"{choice}.yaml"))
    parameters = signature(
        catalogue_function({"_target_": variant["_target_"], "name": choice})
    ).parameters
    known = ["dataset", *(f"dataset.{parameter}" for parameter in parameters)]
    for option in given:
        if option not in known:
            raise unknown_name("option", option, known)
    try:
        changed = OmegaConf.from_dotlist([f"{k[8:]}={value}" for k, value in given.items()])
        merged = OmegaConf.to_container(OmegaConf.merge(variant, changed))
    except (OmegaConfBaseException, ValueError) as error:
        raise DatasetError(str(error), option=" ".join(arguments)) from error
    assert isinstance(merged, dict)
    return {str(key): value for key, value in merged.items()}


def catalogue_of(variant: Mapping[str, Any]) -> Catalogue:
    """The catalogue of a dataset.

    Raises:
        DatasetError: it has none, or an option is missing or wrong.
    """
    function = catalogue_function(variant)
    arguments = {
        name: variant[name] if variant[name] is None else str(variant[name])
        for name in signature(function).parameters
    }
    missing = [f"dataset.{name}" for name, value in arguments.items() if value == "???"]
    if missing:
        raise DatasetError(f"must be given: add {missing[0]}=… to the command", option=missing[0])
    return function(**arguments)


def catalogue_function(variant: Mapping[str, Any]) -> Callable[..., Catalogue]:
    """The function `catalogue…` beside a dataset's own function, `paintings…`, which uses it.

    Raises:
        DatasetError: there is none.
    """
    module, _, name = str(variant["_target_"]).rpartition(".")
    try:
        return import_callable(f"{module}.{name.replace('paintings', 'catalogue')}")
    except InputError as error:
        raise DatasetError(
            f"it has no catalogue ({error.reason})", option="dataset", value=variant["name"]
        ) from error


def unreadable_files(catalogue: Catalogue, output: Console) -> dict[str, str]:
    """Every image that cannot be read, with the reason; reads them all."""
    images = [image for artist in catalogue.artists for image in artist.images]

    def failure(image: LazyImage) -> str | None:
        try:
            image.read()
        except Exception as error:  # Pillow's readers of rare formats raise whatever they meet.
            return why_unreadable(error)
        return None

    with bombs_refused(), ThreadPoolExecutor() as pool:
        reasons = track(
            pool.map(failure, images),
            f"reading {len(images)} images",
            len(images),
            console=output,
            transient=True,
            disable=not output.is_terminal,
        )
        return {i.source: why for i, why in zip(images, reasons, strict=True) if why}


def show(catalogue: Catalogue, unreadable: Mapping[str, str], output: Console) -> None:
    """Print the table of artists, the totals and what is odd."""
    table = Table(title=catalogue.place, title_justify="left")
    table.add_column("artist")
    for number in ("paintings", "listed", "unreadable"):
        table.add_column(number, justify="right")
    for fact in ("years", "genres", "nationality"):
        table.add_column(fact)
    for artist in catalogue.artists:
        table.add_row(*_row(artist, unreadable))
    output.print(table)
    counts = [len(artist.images) for artist in catalogue.artists if artist.images]
    total = sum(counts)
    output.print(f"{total:,} paintings by {len(counts)} artists, {len(unreadable)} unreadable")
    if catalogue.published is not None:
        difference = total - catalogue.published
        output.print(f"published: {catalogue.published:,} paintings ({difference:+,})")
    differing = [
        f"{artist.name} {len(artist.images)} ({artist.listed})"
        for artist in catalogue.artists
        if artist.images and artist.listed not in (None, len(artist.images))
    ]
    if differing:
        output.print(f"files that differ from the table's count: {', '.join(differing)}")
    for line in [*catalogue.notes, *(f"unreadable: {f} ({why})" for f, why in unreadable.items())]:
        output.print(line, soft_wrap=True)


def _row(artist: Artist, unreadable: Mapping[str, str]) -> list[str]:
    broken = sum(image.source in unreadable for image in artist.images)
    return [
        artist.name,
        str(len(artist.images)),
        "-" if artist.listed is None else str(artist.listed),
        str(broken) if broken else "",
        artist.years,
        ", ".join(artist.genres),
        ", ".join(artist.nationalities),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
