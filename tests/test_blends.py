"""Several artists in one picture: what set their paintings make, and what each of them weighs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.runs.prepare import Prepared
from benchmark.transfer.loop import optimize
from benchmark.transfer.stopping import Stopping
from tests.commands import TINY
from tests.workspace import prepared_run

PAIRS = {
    "sample": ("amber_nocturne", "misty_inkstone"),
    "folder": ("Ada", "Bruno"),
    "best_artworks": ("Ada Blau", "Bruno Vert"),
    "best_artworks_or_sample": ("Ada Blau", "Bruno Vert"),
}


def prepared(*overrides: str) -> Prepared:
    return prepared_run(*TINY, "metrics=[]", "backbone=vgg_shallow", *overrides)


def style_losses(run: Prepared) -> np.ndarray:
    """The style loss of each example before the first step."""
    result = optimize(run.transfer, run.batches(), replace(Stopping(1), patience=None))
    return np.asarray(result.first_losses[1])


@pytest.mark.parametrize("dataset", PAIRS)
def test_a_blend_is_one_set_of_its_artists(
    dataset: str, picture_folder: Path, archive: Path
) -> None:
    one, other = PAIRS[dataset]
    roots = {"folder": picture_folder, "best_artworks": archive, "best_artworks_or_sample": archive}
    root = [f"dataset.root={roots[dataset]}"] if dataset in roots else []
    overrides = [f"dataset={dataset}", "dataset.paintings=2", "evaluation.held_out=2", *root]
    run = prepared(*overrides, f"dataset.blend={{{one.lower()}:6,{other}:2}}")
    named = f"dataset.artists=['{one}','{other}']"
    apart = prepared(*overrides, named)
    [paintings] = run.paintings
    [by_place] = prepared(*overrides, named, "dataset.blend=[6,2]").paintings
    assert (by_place.name, by_place.digests) == (paintings.name, paintings.digests)
    assert paintings.name == f"{one} 0.75 + {other} 0.25"
    alone = [(one.name, name) for one in apart.paintings for name in one.names]
    share_names = len({name for _, name in alone}) < 4
    assert paintings.names == tuple(f"{a} {name}" if share_names else name for a, name in alone)
    assert len({*paintings.names}) == 4
    assert run.transfer.aggregation.weights == (0.375, 0.375, 0.125, 0.125)
    [held_out] = run.evaluation_setup.held_out
    assert held_out.name == paintings.name
    last = [set(group.images[-1:]) for group in apart.evaluation_setup.held_out]
    assert all(images & set(held_out.images) for images in last if images)


def test_styles_of_different_datasets_are_mixed_in_the_order_given(
    picture_folder: Path, archive: Path
) -> None:
    files = [str(picture_folder / "Ada" / f"Ada_{number}.png") for number in (10, 2)]
    folder = str(picture_folder / "Ada")
    overrides = [
        *("dataset=styles", "dataset.paintings=2", f"dataset.root={archive}"),
        f"dataset.styles=[{files},{folder},[bruno vert],sample/loose drips]",
    ]
    run = prepared(*overrides, "dataset.blend=[1,0,2,1]")
    assert run.paintings[0].name == "Ada_10 0.25 + Bruno Vert 0.5 + loose_drips 0.25"
    assert run.transfer.aggregation.weights == (0.125, 0.125, 0.25, 0.25, 0.125, 0.125)
    apart = prepared(*overrides, f"dataset.styles=[{folder},{folder}]").paintings
    assert [one.name for one in apart] == ["Ada", "Ada (2)"]
    assert apart[0].digests == apart[1].digests


def test_an_artist_of_weight_0_is_left_out() -> None:
    run = prepared("dataset.blend={amber_nocturne:0,misty_inkstone:2}", "dataset.paintings=2")
    assert run.paintings[0].name == "misty_inkstone 1"
    assert run.transfer.aggregation.weights == (0.5, 0.5)


@pytest.mark.backends
@pytest.mark.parametrize(("agg", "p"), [("simple", 1), ("squared", 2)])
def test_the_style_loss_of_a_blend_is_the_mean_of_its_artists(agg: str, p: int) -> None:
    """M_p of all paintings is M_p of the artists' own M_p, each of a run of that artist alone."""
    of_run = [f"agg={agg}", "content.count=1"]
    blend = style_losses(prepared(*of_run, "dataset.blend={amber_nocturne:3,misty_inkstone:1}"))
    first, second = (
        style_losses(prepared(*of_run, f"dataset.artists=[{name}]")).astype("float64")
        for name in PAIRS["sample"]
    )
    np.testing.assert_allclose(blend, (0.75 * first**p + 0.25 * second**p) ** (1 / p), rtol=1e-5)
