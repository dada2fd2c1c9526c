"""Any valid configuration runs to a finite end: drawn from the schema and from `conf/`.

A failing one is printed as the command that runs it.
"""

import json
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from backbones import list_layers
from benchmark.config import schema
from benchmark.config.compose import composed
from benchmark.config.paths import ROOT
from benchmark.config.registry import variants
from benchmark.config.schema import Config
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.prepare import prepare
from benchmark.runs.progress import Output
from benchmark.sweeps.execution import RunContext, tracked_run
from benchmark.tracking.tracker import Tracker
from benchmark.transfer.stopping import ADVICE
from datasets.selection import Method
from tests.archive import make_archive, make_films
from tests.test_bad_input import picture
from tests.workspace import WORKSPACE

pytestmark = [
    # MLflow's log_table, with pandas 3.
    pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes are included"),
]

CHEAP = ["mobilenet_shallow", "vgg_shallow", "mobilenet"]
"""Backbones drawn nine times of ten: what takes the time is to compile a step."""

SMALLEST = {"inception": 75, "inception_shallow": 75}
"""Pixels a side, where it is not 32."""

PAINTINGS = 2

UNAIDED = [rule for rule in get_args(Method) if not rule.startswith("top")]
"""Rules of selection that need no classifier."""

Overrides = dict[str, Any]

SETTLED = {
    "backbone",
    "agg",
    "loss",
    "optimizer",
    "dataset",
    "content",
    "metrics",
    "experiment",  # sets other options
    "estimate",  # of a sweep
    *("consistency", "video"),  # of films
    "best_optimizer",  # needs training runs
    "tracking",
    "checkpoint",
    "cache",
}
"""Parts of the schema that `overrides` draws by group, or that say only where things go."""


@dataclass(frozen=True)
class Data:
    """Where the drawn runs find their pictures, and leave their results."""

    folder: Path
    archive: Path
    films: Path
    photographs: Path
    picture: Path
    layers: Mapping[str, list[str]]
    tracker: Tracker


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Data]:
    root = tmp_path_factory.mktemp("data")
    for artist in ("Ada", "Bruno", "Carla"):
        for number in range(4):
            picture(root / "folder" / artist / f"{number}.png", (20 + number, 30))
    for number in range(5):
        picture(root / "photographs" / "val" / f"n{number}" / f"{number}.png", (40, 30 + number))
    archive = make_archive(root / "archive", np.random.default_rng(1))
    films = make_films(root / "films", np.random.default_rng(2))
    tracker = Tracker(f"sqlite:///{root}/mlflow.db", "any")
    models = {name: variant("backbone", name)["model"] for name in CHEAP}
    layers = {
        name: [layer.name for layer in list_layers(model=model, image_size=32)[:12]]
        for name, model in models.items()
    }
    start = root / "folder" / "Ada" / "0.png"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMDB_CACHE", str(films / "tmdb"))
        yield Data(root / "folder", archive, films, root / "photographs", start, layers, tracker)


def numbers(least: float, most: float) -> st.SearchStrategy[float]:
    """Positive numbers of every size between two."""
    return st.floats(math.log10(least), math.log10(most)).map(lambda e: float(f"{10**e:.3g}"))


def variant(group: str, name: str) -> Mapping[str, Any]:
    """A YAML of `conf/`, with those that it builds on."""
    found = yaml.safe_load((ROOT / "conf" / group / f"{name}.yaml").read_text())
    for base in found.pop("defaults", []):
        found = {**variant(group, base), **found}
    return dict(found)


@st.composite
def overrides(draw: st.DrawFn, data: Data) -> Overrides:
    """A valid configuration at tiny size, as options with values."""
    chosen: Overrides = {
        "epochs": draw(st.integers(1, 2)),
        "steps_per_epoch": draw(st.integers(1, 2)),
        "seed": draw(st.integers(0, 2**31 - 1)),
        "snapshots": draw(st.lists(st.integers(0, 3), max_size=3)),
        "batch": draw(st.sampled_from([1, 2, 3, 4, 100, "auto"])),
        "divergence_factor": draw(st.sampled_from([1.0, 100.0, 1e6, 1e30])),
        "early_stopping.min_improvement": draw(st.sampled_from([0, 1e-3, 1])),
        "early_stopping.patience": draw(st.sampled_from([None, 1, 2])),
        "tracking.sweep": "any",
        "checkpoint.folder": None,
        "cache": None,
    }
    if chosen["batch"] == "auto":
        chosen["memory_gb"] = draw(st.sampled_from([None, 0.001, 1]))
    for option, hint in get_type_hints(Config).items():
        kinds = [kind for kind in (hint, *get_args(hint)) if isinstance(kind, type)]
        if option in SETTLED or option in chosen:
            continue
        if hint is bool:
            chosen[option] = draw(st.booleans())
        for kind in kinds:
            if issubclass(kind, Enum):
                optional = [None] if type(None) in kinds else []
                chosen[option] = draw(st.sampled_from([*optional, *(one.value for one in kind)]))
    chosen["init"] = draw(st.sampled_from(["content", "noise", "blend", str(data.picture)]))
    chosen["init_noise"] = draw(st.sampled_from([0, 0.3, 1]))
    any_size = chosen["shape"] == "native"
    chosen["style_scale"] = draw(st.sampled_from([1, 1.5])) if any_size else 1
    chosen |= draw(network(data, any_size)) | draw(optimizer()) | draw(aggregation()) | draw(loss())
    chosen |= draw(pictures(data, chosen.get("split"))) | draw(metrics())
    return chosen | {"total_epochs": draw(st.sampled_from([None, 1, 2]))}


@st.composite
def network(draw: st.DrawFn, data: Data, any_size: bool) -> Overrides:
    cheap = draw(st.integers(0, 9)) < 9
    name = draw(st.sampled_from(CHEAP if cheap else variants("backbone")))
    size = SMALLEST.get(name, 32)
    chosen: Overrides = {
        "backbone": name,
        "image_size": size + draw(st.integers(1 if any_size else 0, 3)),
        "backbone.weights": "random",
        "backbone.random_scale": draw(numbers(0.1, 1e3)),
        "backbone.pooling": draw(st.sampled_from(["max", "avg"])),
    }
    if any_size:
        chosen["scales"] = draw(st.sampled_from([[1], [0.99, 1], "auto"]))
    else:
        chosen["backbone.smoothing"] = draw(st.sampled_from(["none", "softmax", "scale"]))
    if cheap and draw(st.booleans()):
        known = data.layers[name]
        few = st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True)
        chosen["backbone.style_layers"] = draw(few)
        layers = len(chosen["backbone.style_layers"])
        weights = st.lists(st.sampled_from([0, 0.5, 3]), min_size=layers, max_size=layers)
        chosen["backbone.layer_weights"] = draw(st.none() | weights.filter(any))
        chosen["backbone.content_layer"] = draw(st.sampled_from(known) | few)
    return chosen


@st.composite
def optimizer(draw: st.DrawFn) -> Overrides:
    """Any of them, each of its arguments as it is or drawn: switches, shares, other numbers."""
    name = draw(st.sampled_from(variants("optimizer")))
    chosen: Overrides = {"optimizer": name}
    for key, default in variant("optimizer", name).items():
        if isinstance(default, bool):
            chosen[f"optimizer.{key}"] = draw(st.booleans())
        elif key == "learning_rate":
            chosen[f"optimizer.{key}"] = draw(numbers(1e-9, 0.1))
        elif key == "epsilon":
            chosen[f"optimizer.{key}"] = draw(numbers(1e-9, 1))
        elif isinstance(default, float):
            chosen[f"optimizer.{key}"] = draw(st.sampled_from([default, 0.0, 0.5, 0.99]))
    return chosen


@st.composite
def aggregation(draw: st.DrawFn) -> Overrides:
    name = draw(st.sampled_from(variants("agg")))
    chosen: Overrides = {"agg": name}
    if name == "power":
        any_order = st.sampled_from([-math.inf, -1e30, 0.0, 1e-9, 1.0, math.inf])
        chosen["agg.p"] = draw(any_order | st.floats(-20, 20))
    if draw(st.booleans()):
        weights = st.lists(numbers(1e-6, 1e6), min_size=PAINTINGS, max_size=PAINTINGS)
        chosen["agg.weights"] = draw(weights)
    return chosen


@st.composite
def loss(draw: st.DrawFn) -> Overrides:
    chosen: Overrides = {"loss": draw(st.sampled_from(variants("loss")))}
    for part in ("content", "style", "variation"):
        if draw(st.booleans()):
            weight = draw(st.just(0.0) | numbers(1e-9, 1e9))
            # One of them must not be 0.
            chosen[f"loss.{part}_weight"] = weight or (1.0 if part == "style" else 0.0)
    return chosen


@st.composite
def pictures(draw: st.DrawFn, data: Data, split: str | None) -> Overrides:
    dataset = draw(st.sampled_from(variants("dataset")))
    content = draw(st.sampled_from(variants("content")))
    chosen: Overrides = {
        "dataset": dataset,
        "dataset.paintings": PAINTINGS,
        "dataset.selection": draw(st.sampled_from(UNAIDED)),
        "dataset.clusters": draw(st.integers(1, 2)),
        "content": content,
        "content.count": draw(st.integers(1, 3)),
        "content.train": draw(st.integers(1, 3)),
        "content.test": draw(st.integers(1, 2)),
    }
    if chosen["dataset.selection"] == "cluster":
        chosen["agg.weights"] = None  # clusters have different numbers of paintings
    if dataset == "folder":
        chosen["dataset.root"] = str(data.folder)
        chosen["dataset.artists"] = draw(st.sampled_from([None, ["ada"], ["*"], ["Bruno", "ada"]]))
    elif "best_artworks" in dataset:
        chosen["dataset.root"] = str(data.archive)
    elif dataset == "movies":
        chosen |= {"dataset.root": str(data.films), "dataset.films": draw(st.integers(2, 5))}
        chosen["dataset.genres"] = draw(st.sampled_from([None, ["horror", "dra*"], ["*"]]))
        chosen["dataset.several_genres"] = draw(st.sampled_from(["first", "left_out"]))
    else:
        chosen["dataset.artists"] = draw(st.sampled_from([None, ["amber nocturne"]]))
    if dataset == "sample" and chosen["dataset.selection"] != "cluster" and draw(st.booleans()):
        chosen |= {"dataset.artists": None, "agg.weights": None}
        chosen["dataset.blend"] = {"amber_nocturne": draw(numbers(0.1, 9)), "misty_inkstone": 1}
    if dataset == "best_artworks":
        chosen["dataset.genre"] = draw(st.sampled_from([None, "impressionism"]))
        chosen["dataset.nationality"] = draw(st.sampled_from([None, ["French", "Dutch"]]))
        chosen["dataset.born"] = draw(st.sampled_from([None, [1800, 1899]]))
        chosen["dataset.group_by"] = draw(st.sampled_from([None, "artist", "genre", "nationality"]))
    if dataset == "styles":
        del chosen["dataset.artists"]
        chosen["dataset.styles"] = [str(data.folder / "Ada"), ["sample"]]
        blends = st.sampled_from([None, [2, 1]])
        clusters = chosen["dataset.selection"] == "cluster"
        chosen["dataset.blend"] = None if clusters else draw(blends)
        chosen |= {"agg.weights": None} if chosen["dataset.blend"] else {}
    if dataset == "files":
        del chosen["dataset.artists"]
        chosen["dataset.paths"] = [str(data.folder / "Ada")]
    if content == "files":
        chosen["content.paths"] = [str(data.folder / "Carla")]
        chosen |= {"content.train": 2, "content.test": 1}
    if content == "folder":
        chosen["content.root"] = str(data.folder / "Carla")
        chosen |= {"content.train": 2, "content.names": ["3", "0"] if split is None else None}
    elif content == "imagenet_mini":
        chosen["content.root"] = str(data.photographs)
    if content in ("files", "folder"):
        # Paintings as masks, which are called like the contents and have their sizes.
        of_artists = dataset == "folder" and chosen["dataset.selection"] != "cluster"
        places = [data.folder] if of_artists else [data.folder / "Carla"]
        chosen["content.masks"] = draw(st.sampled_from([None, *map(str, places)]))
    return chosen


@st.composite
def metrics(draw: st.DrawFn) -> Overrides:
    """Some metrics that need no classifier; seldom an evaluator, which is one more network."""
    known = [name for name in variants("metrics") if not name.startswith("genre_")]
    names = draw(st.lists(st.sampled_from(known), max_size=4, unique=True))
    seen = draw(st.integers(0, 5)) == 5
    return {
        "metrics": names,
        "evaluation.evaluators": ["mobilenet_shallow"] if seen else [],
        "evaluation.weights": draw(st.sampled_from(["random", "auto"])) if not seen else "random",
        "evaluation.held_out": draw(st.integers(0, 2)),
        "evaluation.others": draw(st.integers(0, 1)),
    }


def written(value: Any) -> str:
    """A value as the command line takes it."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{name}:{written(one)}' for name, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(written(one) for one in value)}]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:g}"
    return f"'{value}'" if isinstance(value, str) and not value.isidentifier() else str(value)


def check_runs(data: Data, options: Overrides) -> None:
    """Run it, and look at how it ended."""
    texts = {option: written(value) for option, value in options.items()}
    line = [f"{option}={text}" for option, text in texts.items()]
    note(shlex.join(["python", "-m", "benchmark", *line]))
    config, context = composed(line), RunContext("any", texts)
    outcome = tracked_run(
        config,
        partial(prepare, config, WORKSPACE),
        data.tracker,
        context,
        Checkpoint(None),
        Output(),
    )
    status = outcome.status
    record = data.tracker.all_runs()[-1]
    assert (status, record.status) in {("finished",) * 2, ("diverged",) * 2}
    numbers = [*record.results.model_dump(exclude_none=True).values(), *record.scores.values()]
    assert all(math.isfinite(number) for number in numbers)
    if status == "diverged":
        assert ADVICE in record.reason, outcome.stop_reason
        return
    results = record.results
    for loss in (results.final_total_loss, results.final_style_loss, results.final_content_loss):
        assert loss is not None
        assert loss >= 0
    table = data.tracker.read_table(record.run_id, "examples.json")
    assert np.isfinite(table["total_loss"].to_numpy(float)).all()
    shown = data.tracker.read_picture(record.run_id, table["picture"][0])
    is_square = options["shape"] == "square"
    assert max(shown.shape) == options["image_size"]
    assert min(shown.shape[:2]) == options["image_size"] or not is_square
    assert not [reason for reason in record.skipped_metrics.values() if "failed" in reason]


PRINTED = settings(
    deadline=None,
    derandomize=True,
    print_blob=False,
    # To shrink would take an hour; the command that is printed is enough.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@given(st.data())
@settings(PRINTED, max_examples=2)
def test_any_configuration_runs_to_a_finite_end(data: Data, drawn: st.DataObject) -> None:
    check_runs(data, drawn.draw(overrides(data)))


@pytest.mark.faults
@given(st.data())
@settings(PRINTED, max_examples=150)
def test_many_configurations_run_to_a_finite_end(data: Data, drawn: st.DataObject) -> None:
    check_runs(data, drawn.draw(overrides(data)))


def test_every_part_of_the_schema_is_drawn_or_settled(data: Data) -> None:
    drawn: set[str] = set()

    @given(st.data())
    @settings(PRINTED, max_examples=120)
    def collect(draws: st.DataObject) -> None:
        drawn.update(option.partition(".")[0] for option in draws.draw(overrides(data)))

    collect()
    missing = {one.name for one in fields(schema.Config)} - drawn - SETTLED
    assert not missing, f"draw these options, or say why not: {', '.join(sorted(missing))}"
