"""The study's whole compute and a large picture on this machine's accelerator, in one go.

    python -m benchmark.bench --gpu                       with TensorFlow, `.[gpu]`
    KERAS_BACKEND=jax python -m benchmark.bench --gpu     or torch, where their CUDA builds are

Needs only Keras and PyYAML beside the backend (psutil too, without an accelerator). Weights are
random and pictures are noise, for speed does not depend on them. Without an accelerator it takes
hours; `--quick` shows there that it works.
"""

import gc
import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import keras
import numpy as np
from keras import ops
from rich.console import Console
from rich.progress import track

import backbones
from backbones import Backbone
from benchmark.bench.arithmetic import matrix_timer, operations, seconds_of
from benchmark.config.compose import composed
from benchmark.transfer import backend, memory
from benchmark.transfer.aggregation import power_mean
from benchmark.transfer.batch import Batch, BatchOptimization
from benchmark.transfer.features import extract_features
from benchmark.transfer.loop import stylize
from benchmark.transfer.losses import Tensor
from benchmark.transfer.optimizers import OptimizerChoice
from benchmark.transfer.step import (
    STUDY_LOSSES,
    Aggregation,
    Loss,
    LossWeights,
    StepInputs,
    Stylization,
)
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.targets import extract_targets

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "mlruns" / "bench"

POWERS = {"simple": 1.0, "squared": 2.0, "logged": 0.0}
LOSS = Loss(STUDY_LOSSES, LossWeights(0.2, 0.04, 0.0))


@dataclass(frozen=True)
class Plan:
    """How much is done: the published study, and the picture that published tools are timed on."""

    artists: int = 6
    paintings: int = 30
    contents: int = 10
    epochs: int = 100
    pixels: int = 224
    large: int = 512
    large_steps: int = 1000
    matrix: int = 8192
    backbones: tuple[str, ...] = ("vgg", "resnet", "inception", "mobilenet")
    optimizers: tuple[str, ...] = ("adam", "sgd", "rmsprop")
    precisions: tuple[str, ...] = ("float32", "bfloat16")
    steps: int = 10


QUICK = Plan(
    artists=2,
    paintings=2,
    contents=2,
    epochs=2,
    pixels=80,
    large=96,
    large_steps=3,
    matrix=512,
    backbones=("mobilenet",),
    optimizers=("adam", "sgd"),
    precisions=("bfloat16",),
    steps=1,
)
"""For a look at whether everything works; its figures mean nothing."""


def main(quick: bool, output: Path) -> int:
    """Metric, print, and write gpu.json."""
    plan = QUICK if quick else Plan()
    screen = Console(width=120)
    about = {**backend.hardware(), **backend.versions()}
    screen.print(", ".join(f"{key} {value}" for key, value in about.items()), soft_wrap=True)
    if not backend.accelerators():
        screen.print("no accelerator is seen: these are the processor's figures", style="yellow")
    found: dict[str, Any] = {}
    for precision in plan.precisions:
        found[precision] = measured = one_precision(plan, precision, screen)
        screen.print(f"{precision}:", *lines(plan, measured), sep="\n  ", soft_wrap=True)
    output.mkdir(parents=True, exist_ok=True)
    (output / "gpu.json").write_text(json.dumps({**about, "quick": quick, **found}, indent=2))
    screen.print(f"written: {output / 'gpu.json'}", soft_wrap=True)
    return 0


def one_precision(plan: Plan, precision: str, screen: Console) -> dict[str, Any]:
    """All figures in one precision of the activations, in seconds, bytes and operations."""
    runs = {}
    for name in plan.backbones:
        backbone = loaded(name, plan.pixels, precision)
        batches = noise_batches(plan, backbone)
        jobs = [(agg, optimizer) for agg in POWERS for optimizer in plan.optimizers]
        for agg, optimizer in track(jobs, f"{precision} {name}", console=screen):
            runs[f"{name} {agg} {optimizer}"] = study_run(plan, backbone, batches, agg, optimizer)
        gc.collect()
    vgg = loaded("vgg", plan.pixels, precision)
    batch = noise_batches(plan, vgg)[0]
    whole, bare = step_seconds(vgg, batch, plan.steps), bare_seconds(vgg, batch, plan.steps)
    large = loaded("vgg", plan.large, precision)
    seconds = large_picture(plan, large)
    return {
        "study": runs,
        "study_seconds": sum(one["wall"] for one in runs.values()),
        "examples_in_a_step": len(batch.start),
        "step_seconds": whole,
        "bare_step_seconds": bare,
        "operations_of_a_step": operations(vgg) * len(batch.start),
        "matrix_rate": 2 * float(plan.matrix) ** 3 / matrix_timer(plan.matrix, precision)(),
        "large_seconds": seconds,
        "large_rate": operations(large) * plan.large_steps / seconds,
        "host_seconds": host_seconds(precision, plan.steps),
        "logging_seconds": logging_seconds(),
        "foretold_bytes": memory.estimate_bytes(
            vgg, artists=plan.artists, paintings=plan.paintings, examples=len(batch.start)
        ),
        "accelerator_bytes": backend.accelerator_peak(),
        "main_bytes": backend.peak_memory(),
    }


def lines(plan: Plan, found: dict[str, Any]) -> Iterator[str]:
    """The figures for people."""
    runs = len(found["study"])
    rate = found["operations_of_a_step"] / found["step_seconds"]
    losses = found["step_seconds"] / found["bare_step_seconds"] - 1
    yield (
        f"the study's compute, {runs} runs × {plan.artists * plan.contents} examples × "
        f"{plan.epochs} epochs: {found['study_seconds']:.1f} s (aim: 180 s for the whole)"
    )
    yield (
        f"one {plan.large} × {plan.large} picture, {plan.large_steps} steps: "
        f"{found['large_seconds']:.2f} s (aim: 3 s), {found['large_rate'] / 1e12:.2f} TFLOP/s"
    )
    yield (
        f"VGG19 at {plan.pixels}, {found['examples_in_a_step']} examples: {rate / 1e12:.2f} of "
        f"{found['matrix_rate'] / 1e12:.2f} TFLOP/s, {rate / found['matrix_rate']:.0%}"
    )
    yield f"losses and update over the network alone: {losses:.1%} of the step (aim: under 5 %)"
    yield f"host: {found['host_seconds'] * 1e3:.2f} ms a step at most"
    if found["logging_seconds"] is not None:
        share = found["logging_seconds"] / found["step_seconds"]
        yield f"logging: {found['logging_seconds'] * 1e3:.1f} ms an epoch, {share:.1%} of the step"
    yield (
        f"memory: {_gib(found['accelerator_bytes'])} of the accelerator's at the peak until now, "
        f"{_gib(found['foretold_bytes'])} estimated for VGG's step, "
        f"{_gib(found['main_bytes'])} of main memory"
    )


def loaded(name: str, pixels: int, precision: str) -> Backbone:
    """A backbone of `conf/backbone/` with random weights."""
    variant = composed([f"backbone={name}"]).backbone
    return backbones.load(
        name=name,
        model=variant["model"],
        preprocessing=variant["preprocessing"],
        style_layers=tuple(variant["style_layers"]),
        content_layer=variant["content_layer"],
        weights="random",
        random_scale=variant["random_scale"],
        image_size=pixels,
        precision=precision,
    )


def optimizer_of(name: str) -> OptimizerChoice:
    """An optimiser of `conf/optimizer/`."""
    variant = composed([f"optimizer={name}"]).optimizer
    constructor = getattr(keras.optimizers, variant.pop("_target_").rpartition(".")[2])
    rate = variant.pop("learning_rate")
    del variant["name"]
    return OptimizerChoice(constructor, float(rate), tuple(variant.items()))


def noise_batches(plan: Plan, backbone: Backbone) -> list[Batch]:
    """The study's examples on noise, as many artists in a batch as the memory holds."""
    random = np.random.default_rng(0)

    def noise(number: int) -> np.ndarray:
        return random.random((number, plan.pixels, plan.pixels, 3), dtype="float32")

    contents = noise(plan.contents)
    *_, activations = extract_features(backbone, contents)
    most = memory.largest_batch(
        backbone,
        None,
        artists=plan.artists,
        paintings=plan.paintings,
        contents=plan.contents,
    )
    targets = [extract_targets(backbone, noise(plan.paintings)) for _ in range(plan.artists)]
    together = max(most // plan.contents, 1)
    groups = [targets[i : i + together] for i in range(0, plan.artists, together)]
    return [
        Batch(
            group,
            np.concatenate([activations] * len(group)),
            np.concatenate([contents] * len(group)),
        )
        for group in groups
    ]


def study_run(
    plan: Plan, backbone: Backbone, batches: Sequence[Batch], agg: str, optimizer: str
) -> dict[str, float]:
    """One run of the study: seconds in all, compilation included, and without."""
    began = perf_counter()
    outcome = stylize(
        backbone,
        batches,
        Aggregation(power_mean, {"p": POWERS[agg]}),
        LOSS,
        optimizer_of(optimizer),
        # Neither convergence nor divergence ends it: the study at its longest.
        Stopping(plan.epochs, patience=None, divergence_factor=float("inf")),
    )
    if outcome.epochs != plan.epochs:
        raise RuntimeError(f"{backbone.name} {agg} {optimizer}: {outcome.ending.message}")
    return {
        "wall": perf_counter() - began,
        "steps": outcome.seconds,
        "epochs": outcome.epochs,
    }


def large_picture(plan: Plan, backbone: Backbone) -> float:
    """Seconds of one picture at its size, set-up and compilation apart."""
    random = np.random.default_rng(0)
    content = random.random((1, plan.large, plan.large, 3), dtype="float32")
    painting = random.random((1, plan.large, plan.large, 3), dtype="float32")
    *_, activations = extract_features(backbone, content)
    batch = Batch([extract_targets(backbone, painting)], activations, content)
    return _timed(optimization(backbone, batch), plan.large_steps)


def optimization(backbone: Backbone, batch: Batch) -> BatchOptimization:
    """A batch on its way with the study's simple aggregation and Adam."""
    return BatchOptimization(
        backbone, batch, Aggregation(power_mean, {"p": 1.0}), LOSS, optimizer_of("adam")
    )


def step_seconds(backbone: Backbone, batch: Batch, steps: int) -> float:
    """Seconds of a step, a median."""
    one = optimization(backbone, batch)
    return median(_timed(one, steps) / steps for _ in range(5))


def host_seconds(precision: str, steps: int) -> float:
    """Seconds of a step of one tiny picture: what a step costs apart from arithmetic, at most."""
    backbone = loaded("vgg", 32, precision)
    picture = np.full((1, 32, 32, 3), 0.5, "float32")
    *_, activations = extract_features(backbone, picture)
    batch = Batch([extract_targets(backbone, picture)], activations, picture)
    return step_seconds(backbone, batch, steps)


class Bare(Stylization):
    """A step whose loss is next to nothing: the network forward and back, and the update."""

    def call(self, inputs: StepInputs) -> Tensor:
        """The mean of all activations."""
        features = self.feature_extractor(self.pictures, training=False)
        total = sum(ops.mean(ops.cast(layer, "float32")) for layer in features)
        self.add_loss(total)
        return total


def bare_seconds(backbone: Backbone, batch: Batch, steps: int) -> float:
    """Seconds of a step without the style transfer's losses, a median."""
    model = Bare(backbone.network, STUDY_LOSSES, power_mean, len(batch.start))
    model.feature_extractor = backbone.network
    model.compile(optimizer=keras.optimizers.Adam(), jit_compile=backend.compiles_with_xla())
    _, inputs = optimization(backbone, batch).begin()

    def some() -> None:
        for _ in range(steps):
            model.train_on_batch(inputs)
        ops.convert_to_numpy(model.pictures[:1, :1, :1])

    some()
    return median(seconds_of(some) / steps for _ in range(5))


def logging_seconds() -> float | None:
    """Seconds in which an epoch is logged into a local store; None without MLflow."""
    if importlib.util.find_spec("mlflow") is None:
        return None
    from tempfile import TemporaryDirectory

    from benchmark.tracking.records import RunFacts
    from benchmark.tracking.tracker import Tracker
    from benchmark.transfer.step import LOSS_NAMES

    with TemporaryDirectory() as folder:
        tracker = Tracker(f"sqlite:///{Path(folder) / 'mlflow.db'}", "bench", ROOT)
        log = tracker.start("bench", RunFacts())
        losses = dict.fromkeys(LOSS_NAMES, 1.0)
        return median(seconds_of(partial(log.metrics, losses, epoch)) for epoch in range(50))


def _timed(one: BatchOptimization, steps: int) -> float:
    one.run()
    return seconds_of(lambda: one.run(steps))


def _gib(number: float | None) -> str:
    return "unknown" if number is None else f"{number / 2**30:.2f} GiB"
