"""Steps, a large picture and the study's compute on this machine's accelerator.

    python -m benchmark.bench --gpu                       with TensorFlow, `.[gpu]`
    KERAS_BACKEND=jax python -m benchmark.bench --gpu     or torch, where their CUDA builds are
    python -m benchmark.bench --gpu --study               with the study's whole compute

Needs only Keras, PyYAML and rich beside the backend (psutil too, without an accelerator). Weights
are random and images are noise, for speed does not depend on them. Without an accelerator it
takes hours; `--quick` shows there that it works.
"""

import gc
import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from keras import ops
from rich.console import Console
from rich.progress import track

from benchmark.bench.size import Size
from benchmark.bench.timing import median_step_seconds, seconds_of
from benchmark.bench.workload import matrix_timer, noise_workload, operations, read_variant
from benchmark.transfer import backend
from benchmark.transfer.aggregation import Aggregation, power_mean
from benchmark.transfer.batch import Batch, BatchOptimization, make_batches
from benchmark.transfer.loop import optimize
from benchmark.transfer.losses import Tensor
from benchmark.transfer.step import ADAM, LOSS_NAMES, KerasStylization, OptimizerChoice, StepInputs
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import StyleTransfer, estimate_bytes
from benchmark.user_input import import_callable


def measure_accelerator(
    size: Size, folder: Path, command_seconds: Sequence[float], *, study: bool
) -> int:
    """Measure all figures, print them and write gpu.json; the exit code.

    `command_seconds` are those of `main_command_seconds`, taken before this process had the GPU.
    """
    screen = Console(width=120)
    about = {**backend.hardware(), **backend.versions()}
    screen.print(", ".join(f"{key} {value}" for key, value in about.items()), soft_wrap=True)
    if not backend.accelerators():
        screen.print("no accelerator found: these are the processor's figures", style="yellow")
    measured: dict[str, Any] = {}
    for precision in size.precisions:
        measured[precision] = one_precision(size, precision)
        if study:
            measured[precision]["study"] = study_runs(size, precision, screen)
        lines = figure_lines(size, measured[precision])
        screen.print(f"{precision}:", *lines, sep="\n  ", soft_wrap=True)
    if command_seconds:
        first, second = command_seconds
        line = f"the main command: {first:.0f} s (must be 30 s), again {second:.0f} s (12 s)"
        screen.print(line, soft_wrap=True)
    measured["command_seconds"] = list(command_seconds)
    report = json.dumps({**about, "quick": size.quick, **measured}, indent=2)
    (folder / "gpu.json").write_text(report)
    screen.print(f"written: {folder / 'gpu.json'}", soft_wrap=True)
    return 0


def study_runs(size: Size, precision: str, screen: Console) -> dict[str, dict[str, float]]:
    """The study's runs, without logging: each as `study_run` has it."""
    runs = {}
    powers = {"simple": 1.0, "squared": 2.0, "logged": 0.0}  # the study's, all power means
    for name in size.study_backbones:
        study, batches = study_batches(size, name, precision)
        jobs = list(product(powers, size.optimizers))
        for agg, optimizer in track(jobs, f"{precision} {name}", console=screen):
            mean, choice = Aggregation(power_mean, {"p": powers[agg]}), load_optimizer(optimizer)
            transfer = replace(study, aggregation=mean, optimizer=choice)
            runs[f"{name} {agg} {optimizer}"] = study_run(transfer, batches, size.study_epochs)
        gc.collect()
    return runs


def one_precision(size: Size, precision: str) -> dict[str, Any]:
    """All figures in one precision of the activations, in seconds, bytes and operations."""
    vgg, [batch, *_] = study_batches(size, "vgg", precision)
    examples, side = len(batch.start), size.study_matrix
    large = noise_workload("vgg", size.large, precision)
    optimization = large.optimization(1)
    optimization.run()
    large_seconds = seconds_of(lambda: optimization.run(size.large_steps))
    tiny = noise_workload("vgg", 32, precision)
    return {
        "examples_in_a_step": examples,
        "step_seconds": median_step_seconds(BatchOptimization(vgg, batch).run, size.gpu_steps),
        "bare_step_seconds": bare_step_seconds(vgg, batch, size.gpu_steps),
        "operations_of_a_step": operations(vgg.backbone) * examples,
        "matrix_rate": 2 * float(side) ** 3 / matrix_timer(side, precision)(),
        "large_seconds": large_seconds,
        "large_rate": operations(large.transfer.backbone) * size.large_steps / large_seconds,
        # One tiny picture costs next to no arithmetic.
        "host_seconds": median_step_seconds(tiny.optimization(1).run, size.gpu_steps),
        "logging_seconds": logging_seconds(),
        "estimated_bytes": estimate_bytes(
            vgg.backbone, artists=size.study_artists, paintings=size.paintings, examples=examples
        ),
        "accelerator_bytes": backend.accelerator_memory()[1],
        "main_bytes": backend.peak_memory(),
    }


def figure_lines(size: Size, measured: dict[str, Any]) -> Iterator[str]:
    """The figures for people; bounds are for bfloat16 on one H100."""
    matrix_rate = measured["matrix_rate"]
    rate = measured["operations_of_a_step"] / measured["step_seconds"]
    losses = measured["step_seconds"] / measured["bare_step_seconds"] - 1
    yield (
        f"one {size.large} × {size.large} picture, {size.large_steps} steps: "
        f"{measured['large_seconds']:.2f} s (must be 1.9 s, aim 1.5 s), "
        f"{measured['large_rate'] / 1e12:.2f} TFLOP/s"
    )
    yield (
        f"VGG19 at {size.study_pixels}, {measured['examples_in_a_step']} examples: "
        f"{rate / 1e12:.2f} of {matrix_rate / 1e12:.2f} TFLOP/s, {rate / matrix_rate:.0%} "
        "(must be 38 %, aim 50 %)"
    )
    yield f"losses and update over the network alone: {losses:.1%} of the step (must be 6 %)"
    yield f"host: {measured['host_seconds'] * 1e3:.2f} ms a step at most"
    if "study" in measured:
        seconds = sum(run["wall"] for run in measured["study"].values())
        examples = size.study_artists * size.study_contents
        yield (
            f"the study's compute, {len(measured['study'])} runs × {examples} examples × "
            f"{size.study_epochs} epochs: {seconds:.1f} s (aim: 180 s for the whole)"
        )
    if measured["logging_seconds"] is not None:
        milliseconds = measured["logging_seconds"] * 1e3
        share = measured["logging_seconds"] / measured["step_seconds"]
        yield f"logging: {milliseconds:.1f} ms an epoch, {share:.1%} of the step"
    yield (
        f"memory: {_gib(measured['accelerator_bytes'])} of the accelerator's at the peak until "
        f"now, {_gib(measured['estimated_bytes'])} estimated for VGG's step, "
        f"{_gib(measured['main_bytes'])} of main memory"
    )


def study_batches(size: Size, name: str, precision: str) -> tuple[StyleTransfer, list[Batch]]:
    """As many images of noise as the study has, as many artists in a batch as the memory holds."""
    numbers: dict[str, Any] = {"artists": size.study_artists, "contents": size.study_contents}
    numbers["paintings"] = size.paintings
    workload = noise_workload(name, size.study_pixels, precision, **numbers)
    transfer, backbone = workload.transfer, workload.transfer.backbone
    batch_size = transfer.session.largest_batch(backbone, None, **numbers)
    return transfer, make_batches(backbone, workload.contents, workload.targets, batch_size)


def load_optimizer(name: str) -> OptimizerChoice:
    """An optimiser of `conf/optimizer/`."""
    variant = read_variant("optimizer", name)
    constructor = import_callable(variant.pop("_target_"))
    rate = variant.pop("learning_rate")
    del variant["name"]
    return OptimizerChoice(constructor, rate, tuple(variant.items()))


def study_run(transfer: StyleTransfer, batches: Sequence[Batch], epochs: int) -> dict[str, float]:
    """One run of the study: seconds in all, compilation included, and without."""
    began = perf_counter()
    # Neither convergence nor divergence ends it: the study at its longest.
    stopping = Stopping(epochs, patience=None, divergence_factor=float("inf"))
    result = optimize(transfer, batches, stopping, begins_block=lambda epoch: False)
    if result.epochs != epochs:
        raise RuntimeError(f"{transfer.backbone.name}: {result.stop_reason.message}")
    return {"wall": perf_counter() - began, "steps": result.seconds, "epochs": result.epochs}


class BareStep(KerasStylization):
    """A step whose loss is next to nothing: the network forward and back, and the update."""

    def losses(self, images: Tensor, inputs: StepInputs) -> tuple[Tensor, Tensor]:
        """The mean of all activations."""
        features = self.network(images, training=False)
        total = sum(ops.mean(ops.cast(layer, "float32")) for layer in features)
        return total, ops.zeros((len(LOSS_NAMES), len(images)))


def bare_step_seconds(transfer: StyleTransfer, batch: Batch, steps: int) -> float:
    """Seconds of a step without the style transfer's losses, a median."""
    network, loss, shape = transfer.backbone.network, transfer.loss, batch.start.shape
    model = BareStep(ADAM, network, loss.style, loss.content, power_mean, (), shape, (1, 1))
    _, inputs = BatchOptimization(transfer, batch).begin()
    return median_step_seconds(lambda number: model.run(number, inputs), steps)


def logging_seconds() -> float | None:
    """Seconds in which an epoch is logged into a local store; None without MLflow."""
    if importlib.util.find_spec("mlflow") is None:
        return None
    from benchmark.tracking.records import RunFacts
    from benchmark.tracking.tracker import Tracker

    with TemporaryDirectory() as folder:
        tracker = Tracker(f"sqlite:///{Path(folder) / 'mlflow.db'}", "bench")
        log = tracker.start("bench", RunFacts())
        losses = dict.fromkeys(LOSS_NAMES, 1.0)
        return median(seconds_of(partial(log.metrics, losses, epoch)) for epoch in range(50))


def _gib(number: float | None) -> str:
    return "unknown" if number is None else f"{number / 2**30:.2f} GiB"
