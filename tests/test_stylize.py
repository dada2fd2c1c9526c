"""The optimisation loop on a tiny backbone: exactness, stopping, divergence, what is kept."""

import importlib
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import backbones
from backbones import Backbone
from benchmark.config.compose import composed
from benchmark.config.paths import ROOT
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.variants import optimizer_choice
from benchmark.transfer import backend, loop, losses
from benchmark.transfer.aggregation import Aggregation, power_mean
from benchmark.transfer.batch import Batch, BatchOptimization, make_batches
from benchmark.transfer.features import extract_features, extract_targets
from benchmark.transfer.lbfgs import LBFGSStylization
from benchmark.transfer.loop import Epoch, LoopState, Result, optimize
from benchmark.transfer.losses import STUDY_LOSS, Loss, LossWeights
from benchmark.transfer.step import KerasStylization, Optimizer, StepInputs, Stylization
from benchmark.transfer.stopping import Stopping, stopping_reason
from benchmark.transfer.style_transfer import Session, StyleTransfer

SIZE = 32
OPTIMIZERS: dict[str, Any] = {
    path.stem: optimizer_choice(composed([f"optimizer={path.stem}"]).optimizer)
    for path in sorted((ROOT / "conf" / "optimizer").glob("*.yaml"))
}
# Its rate suits the losses of the default backbones; those of the tiny one are smaller.
OPTIMIZERS["sgd"] = replace(OPTIMIZERS["sgd"], learning_rate=0.05)
SIX_EPOCHS = Stopping(6, patience=None)
LOSS = STUDY_LOSS._replace(weights=LossWeights(1e-4, 100.0, 1e-3))


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone()


def tiny_backbone(
    precision: str = "float32", content_layer: str | tuple[str, ...] = "block2_conv1"
) -> Backbone:
    return backbones.load(
        name="vgg",
        model="keras.applications.vgg19.VGG19",
        preprocessing="keras.applications.vgg19.preprocess_input",
        style_layers=("block1_conv1", "block1_conv2"),
        content_layer=content_layer,
        weights="random",
        image_size=SIZE,
        precision=precision,
    )


@pytest.fixture(scope="module")
def session() -> Session:
    return Session()


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Four paintings and three content pictures."""
    random = np.random.default_rng(5)
    return (
        random.random((4, SIZE, SIZE, 3), dtype=np.float32),
        random.random((3, SIZE, SIZE, 3), dtype=np.float32),
    )


@pytest.fixture(scope="module")
def transfer(
    backbone: Backbone, session: Session, pictures: tuple[np.ndarray, np.ndarray]
) -> Callable[..., Result]:
    """Runs a small transfer, its examples split into batches as asked."""
    paintings, contents = pictures
    *_, activations = extract_features(backbone, contents)

    def run(
        parts: Sequence[Sequence[int]] = ((0, 1, 2),),
        optimizer: Optimizer = OPTIMIZERS["adam"],
        stopping: Stopping = SIX_EPOCHS,
        p: float = 2.0,
        start: np.ndarray = contents,
        loss: Loss = LOSS,
        **options: Any,
    ) -> Result:
        batches = [
            Batch(
                [extract_targets(backbone, paintings)], [activations[list(part)]], start[list(part)]
            )
            for part in parts
        ]
        transfer = StyleTransfer(
            backbone, Aggregation(power_mean, {"p": p}), loss, optimizer, session
        )
        return optimize(transfer, batches, stopping, **options)

    return run


@pytest.fixture(scope="module")
def stylized(backbone: Backbone, session: Session) -> Callable[..., Result]:
    """Stylises batches as given."""

    def run(
        batches: Sequence[Batch],
        optimizer: Optimizer = OPTIMIZERS["adam"],
        stopping: Stopping = SIX_EPOCHS,
        **options: Any,
    ) -> Result:
        aggregation = Aggregation(power_mean, {"p": 2.0})
        transfer = StyleTransfer(backbone, aggregation, LOSS, optimizer, session)
        return optimize(transfer, batches, stopping, **options)

    return run


@pytest.mark.backends
@pytest.mark.parametrize(
    "name",
    [
        "adam",
        "lbfgs",
        pytest.param("sgd", marks=pytest.mark.faults),
        pytest.param("rmsprop", marks=pytest.mark.faults),
    ],
)
def test_batches_change_no_result(transfer: Callable[..., Result], name: str) -> None:
    together = transfer(optimizer=OPTIMIZERS[name])
    apart = transfer([[0], [1, 2]], optimizer=OPTIMIZERS[name])
    np.testing.assert_allclose(together.losses, apart.losses, rtol=1e-4)
    assert np.abs(together.images - apart.images).mean() < 1e-4
    assert together.losses[0].mean() < together.first_losses[0].mean()


def test_several_artists_together_change_no_result(
    backbone: Backbone, pictures: tuple[np.ndarray, np.ndarray], stylized: Callable[..., Result]
) -> None:
    paintings, contents = pictures
    artists = [extract_targets(backbone, part) for part in (paintings[:2], paintings[2:])]
    *_, activations = extract_features(backbone, contents)
    both = Batch(artists, [np.concatenate([activations] * 2)], np.concatenate([contents] * 2))
    together = stylized([both])
    apart = stylized([Batch([one], [activations], contents) for one in artists])
    np.testing.assert_allclose(together.losses, apart.losses, rtol=1e-4)
    assert np.abs(together.images - apart.images).mean() < 1e-4
    assert np.abs(apart.losses[1, :3] / apart.losses[1, 3:] - 1).min() > 0.01


@pytest.mark.parametrize(
    ("name", "done_before", "steps_per_epoch"),
    [
        pytest.param("rmsprop", 0, 1, marks=pytest.mark.faults),
        pytest.param("adam", 1, 3, marks=pytest.mark.backends),
        ("sgd", 3, 1),
        ("lbfgs", 1, 3),
    ],
)
def test_without_memory_batches_are_halved_and_go_on(
    backbone: Backbone,
    pictures: tuple[np.ndarray, np.ndarray],
    stylized: Callable[..., Result],
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    done_before: int,
    steps_per_epoch: int,
) -> None:
    """After some steps with all six examples there is room for two, and they go on from there."""
    paintings, contents = pictures
    artists = [extract_targets(backbone, part) for part in (paintings[:2], paintings[2:])]
    *_, activations = extract_features(backbone, contents)
    batch = Batch(artists, [np.concatenate([activations] * 2)], np.concatenate([contents] * 2))
    optimizer, kind = OPTIMIZERS[name], LBFGSStylization if name == "lbfgs" else KerasStylization
    if name == "sgd":
        optimizer = replace(optimizer, arguments=(("momentum", 0.9),))
    options: dict[str, Any] = {
        "optimizer": optimizer,
        "stopping": Stopping(4, steps_per_epoch=steps_per_epoch, patience=None),
        "keep_best": True,
    }
    undisturbed = stylized([batch], **options)
    session.compiled_step.cache_clear()
    done: list[int] = []
    told: list[int] = []
    held: weakref.WeakSet[BatchOptimization] = weakref.WeakSet()
    begin, whole = BatchOptimization.__init__, kind.run

    def recorded(self: BatchOptimization, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **options)
        held.add(self)

    def scarce(self: Any, steps: int, inputs: StepInputs) -> Any:
        examples = self.images.shape[0]
        done.append(examples)
        if examples > 2 and len(done) > done_before:
            # As a step leaves it that failed halfway.
            self.restore([np.zeros_like(part) for part in self.state()])
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
        assert examples < 2 or max(batch.examples for batch in held) <= examples, (
            "what was halved is still in memory"
        )
        return whole(self, steps, inputs)

    monkeypatch.setattr(BatchOptimization, "__init__", recorded)
    monkeypatch.setattr(kind, "run", scarce)
    halved = stylized([batch], on_smaller_batch=told.append, **options)
    assert told == [3, 2]
    assert set(done) == {1, 2, 3, 6}
    np.testing.assert_allclose(halved.losses, undisturbed.losses, rtol=1e-4)
    assert np.abs(halved.images - undisturbed.images).mean() < 1e-4


def test_without_memory_for_one_picture_the_run_says_so(
    transfer: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(self: Stylization, steps: int, inputs: StepInputs) -> Any:
        raise MemoryError

    monkeypatch.setattr(KerasStylization, "run", none)
    with pytest.raises(MemoryError, match="single image: lower image_size"):
        transfer()


@pytest.mark.backends
@pytest.mark.parametrize(
    ("stopping", "rate", "stopped_by"),
    [
        (Stopping(9, steps_per_epoch=2, patience=None), 0.02, "epochs"),
        (Stopping(9, min_improvement=0.5, patience=4), 0.02, "converged"),
        (Stopping(9, divergence_factor=1.5), 30.0, "diverged"),
    ],
)
def test_many_steps_at_once_are_the_same_as_one_by_one(
    transfer: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    stopping: Stopping,
    rate: float,
    stopped_by: str,
) -> None:
    """To the bit, where a block ends by itself, at an epoch that is wanted, or within."""
    monkeypatch.setattr(loop, "BLOCK_SECONDS", 1e9)
    optimizer = replace(OPTIMIZERS["adam"], learning_rate=rate)

    def done(begins_block: Callable[[int], bool]) -> tuple[Result, list[Any], list[LoopState]]:
        epochs: list[tuple[int, np.ndarray]] = []
        states: list[LoopState] = []
        result = transfer(
            optimizer=optimizer,
            stopping=stopping,
            begins_block=begins_block,
            on_epoch=lambda epoch: epochs.append((epoch.number, epoch.images())),
            on_state=states.append,
        )
        return result, epochs, states

    one_by_one, all_epochs, all_states = done(lambda epoch: True)
    at_once, epochs, states = done(lambda epoch: epoch == 2)
    assert at_once.stop_reason == one_by_one.stop_reason
    assert at_once.stop_reason.stopped_by == stopped_by
    np.testing.assert_array_equal(at_once.history, one_by_one.history)
    np.testing.assert_array_equal(at_once.images, one_by_one.images)
    np.testing.assert_array_equal(at_once.kept_epochs, one_by_one.kept_epochs)
    for (number, images), (expected_number, expected) in zip(epochs, all_epochs, strict=True):
        assert number == expected_number
        np.testing.assert_array_equal(images, expected)
    assert len(states) < len(all_states) or stopped_by == "diverged"
    by_length = {len(state.history): state for state in all_states}
    for state in states:
        expected_state = by_length[len(state.history)]
        np.testing.assert_array_equal(state.kept.images(), expected_state.kept.images())
        for ours, theirs in zip(state.batches[0], expected_state.batches[0], strict=True):
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.backends
def test_steps_are_the_same_on_an_accelerator_in_one_dispatch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against the numbers by hand: x ← c·x + a, whose value before is the row."""

    def rows(count: int, *, accelerated: bool) -> tuple[np.ndarray, np.ndarray]:
        devices = ["gpu:0"] if accelerated else []
        monkeypatch.setattr(backend, "accelerators", lambda: devices)
        changed, constant = keras.Variable([1.0, 2.0]), keras.Variable([3.0, 2.0])

        def step(addend: Any) -> Any:
            before = ops.copy(changed.value)
            changed.assign(constant * changed + addend)
            return before

        loop = backend.compiled_loop(step, [changed], [constant], (8, 2))
        found = loop(count, ops.convert_to_tensor([0.0, -1.0]))
        return ops.convert_to_numpy(found)[:count], ops.convert_to_numpy(changed.value)

    for accelerated in (False, True):
        before, after = rows(3, accelerated=accelerated)
        np.testing.assert_array_equal(before, [[1, 2], [3, 3], [9, 5]])
        np.testing.assert_array_equal(after, [27, 9])
        _, untouched = rows(0, accelerated=accelerated)
        np.testing.assert_array_equal(untouched, [1, 2])


@pytest.mark.backends
def test_a_run_repeats_to_the_bit_and_is_left_alone_by_others(
    transfer: Callable[..., Result],
) -> None:
    first = transfer()
    transfer(p=0.0, optimizer=replace(OPTIMIZERS["adam"], learning_rate=0.05))
    again = transfer()
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.losses, again.losses)


@pytest.mark.backends
def test_runs_of_one_shape_share_the_compiled_step(
    transfer: Callable[..., Result], session: Session
) -> None:
    transfer()
    before = session.compiled_step.cache_info().misses
    transfer(p=0.0)
    transfer(p=1.0, optimizer=replace(OPTIMIZERS["adam"], learning_rate=0.02))
    assert session.compiled_step.cache_info().misses == before


def scaled(losses: Any, weights: Any, scale: float, which: str, paintings: int) -> Any:
    """An aggregation with arguments of several types."""
    reduce = {"mean": ops.mean, "max": ops.max}[which]
    return scale * reduce(losses[:, :paintings], axis=1)


@pytest.mark.backends
def test_floats_of_an_aggregation_are_inputs_of_the_step_and_others_constants(
    backbone: Backbone, pictures: tuple[np.ndarray, np.ndarray], session: Session
) -> None:
    paintings, contents = pictures
    batches = make_batches(backbone, contents, [extract_targets(backbone, paintings)], 4)

    def style_losses(scale: float, which: str, number: int) -> np.ndarray:
        arguments = {"scale": scale, "which": which, "paintings": number}
        transfer = StyleTransfer(backbone, Aggregation(scaled, arguments), LOSS, session=session)
        result = optimize(transfer, batches, Stopping(1, patience=None))
        return np.asarray(result.first_losses[1])

    def compiled() -> int:
        return session.compiled_step.cache_info().misses

    first, both = style_losses(1.0, "mean", 1), style_losses(1.0, "mean", 2)
    before = compiled()
    np.testing.assert_allclose(style_losses(3.0, "mean", 2), 3 * both, rtol=1e-6)
    assert compiled() == before
    np.testing.assert_allclose(
        style_losses(1.0, "max", 2), np.maximum(first, 2 * both - first), rtol=1e-5
    )
    assert compiled() == before + 1


@pytest.mark.backends
def test_weights_of_style_layers_are_inputs_of_the_step(
    transfer: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With p = 1 the style loss is their mean of what each layer alone gives, a run of its own."""
    traced = []
    losses_of = Stylization.losses

    def counted(step: Stylization, images: Any, inputs: StepInputs) -> Any:
        traced.append(step)
        return losses_of(step, images, inputs)

    monkeypatch.setattr(Stylization, "losses", counted)

    def style_loss(*weights: float) -> np.ndarray:
        result = transfer(loss=LOSS._replace(layer_weights=weights or None), p=1.0)
        return np.asarray(result.first_losses[1], "float64")

    plain, first, second = style_loss(), style_loss(1, 0), style_loss(0, 5)
    before = len(traced)
    np.testing.assert_allclose(plain, (first + second) / 2, rtol=1e-6)
    np.testing.assert_allclose(style_loss(3, 1), 0.75 * first + 0.25 * second, rtol=1e-6)
    assert not np.allclose(first, second, rtol=0.1)
    assert len(traced) == before > 0


@pytest.mark.backends
@pytest.mark.parametrize(("weights", "shares"), [(None, (0.5, 0.5)), ((3.0, 1.0), (0.75, 0.25))])
def test_the_content_loss_of_several_layers_is_their_mean(
    pictures: tuple[np.ndarray, np.ndarray],
    session: Session,
    weights: tuple[float, ...] | None,
    shares: tuple[float, float],
) -> None:
    """½ Σ (F − P)² of each layer in float64; the same from halves of the batch."""
    backbone = tiny_backbone(content_layer=("block1_conv2", "block2_conv1"))
    assert backbone.content_layers == ("block1_conv2", "block2_conv1")
    paintings, contents = pictures
    loss = LOSS._replace(content_weights=weights)
    transfer = StyleTransfer(backbone, loss=loss, session=session)
    targets = [extract_targets(backbone, paintings)]
    [batch] = make_batches(backbone, contents[:2], targets, 2, paintings[:2])
    features = zip(*(extract_features(backbone, p[:2])[2:] for p in pictures), strict=True)
    layers = [
        0.5 * np.square(one.astype("float64") - other).sum(axis=(1, 2, 3))
        for one, other in features
    ]
    result = optimize(transfer, [batch], SIX_EPOCHS)
    expected = shares[0] * layers[0] + shares[1] * layers[1]
    np.testing.assert_allclose(result.first_losses[2], expected, rtol=1e-5)
    halves = BatchOptimization(transfer, batch).halves()
    found = [half.run()[0, 2] for half in halves]
    np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-5)


@pytest.mark.backends
def test_the_loss_is_the_one_asked_for(
    transfer: Callable[..., Result],
    backbone: Backbone,
    pictures: tuple[np.ndarray, np.ndarray],
) -> None:
    """The normalised one: all parts in their range, and descended."""
    paintings, contents = pictures
    style, content = losses.normalised_style_losses, losses.normalised_content_loss
    before = transfer()
    found = transfer(loss=Loss(style, content, LossWeights(1.0, 2.0, 0.0)))
    *grams, _ = extract_features(backbone, contents)
    layers = [
        style(gram, target)
        for gram, target in zip(grams, extract_targets(backbone, paintings), strict=True)
    ]
    expected = np.sqrt(np.mean(np.square(np.mean(layers, axis=0)), axis=1))  # p = 2
    np.testing.assert_allclose(found.first_losses[1], expected, rtol=1e-4)
    np.testing.assert_allclose(found.losses[0], found.losses[2] + 2 * found.losses[1], rtol=1e-5)
    assert ((found.losses[1:] > 0) & (found.losses[1:] < 1)).all()
    assert (found.losses[0] < found.first_losses[0]).all()
    np.testing.assert_array_equal(transfer().losses, before.losses)


def test_an_epoch_is_so_many_steps(transfer: Callable[..., Result]) -> None:
    six = transfer([[0, 1], [2]], stopping=Stopping(6, patience=None))
    three = transfer([[0, 1], [2]], stopping=Stopping(3, steps_per_epoch=2, patience=None))
    assert (six.epochs, three.epochs) == (6, 3)
    np.testing.assert_array_equal(six.images, three.images)


def test_epoch_0_is_the_start_and_losses_belong_to_their_pictures(
    transfer: Callable[..., Result], pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    seen: list[tuple[Epoch, np.ndarray]] = []
    outcome = transfer(on_epoch=lambda epoch: seen.append((epoch, epoch.images())))
    assert [epoch.number for epoch, _ in seen] == list(range(7))
    np.testing.assert_array_equal(seen[0][1], pictures[1])
    np.testing.assert_allclose(seen[0][0].losses[2], 0.0)  # content loss at the content picture
    np.testing.assert_array_equal(seen[-1][1], outcome.images)
    # A run that starts where another was after 4 epochs has that one's losses first.
    resumed = transfer(start=seen[4][1], stopping=Stopping(1, patience=None))
    np.testing.assert_allclose(resumed.first_losses, seen[4][0].losses, rtol=1e-5)


def test_pictures_stay_in_range(transfer: Callable[..., Result]) -> None:
    violent = replace(OPTIMIZERS["adam"], learning_rate=0.5)
    pictures = transfer(optimizer=violent, stopping=Stopping(3, patience=None)).images
    assert pictures.min() == 0.0
    assert pictures.max() == 1.0


@pytest.mark.backends
def test_divergence_keeps_the_last_finite_pictures(transfer: Callable[..., Result]) -> None:
    wild = replace(OPTIMIZERS["sgd"], learning_rate=float("1e38"))
    outcome = transfer(
        optimizer=wild,
        start=np.full((3, SIZE, SIZE, 3), 0.5, "float32"),
        stopping=Stopping(9, patience=None, divergence_factor=1.0),
    )
    assert outcome.stop_reason.stopped_by == "diverged"
    assert "lower optimizer.learning_rate" in outcome.stop_reason.message
    assert outcome.epochs < 9
    assert np.isfinite(outcome.losses).all()
    assert np.isfinite(outcome.images).all()
    assert (outcome.kept_epochs == outcome.epochs - 1).all()


def test_keep_best_keeps_each_examples_lowest_total(transfer: Callable[..., Result]) -> None:
    jumpy = replace(OPTIMIZERS["adam"], learning_rate=0.2)
    history: list[np.ndarray] = []
    outcome = transfer(
        optimizer=jumpy, keep_best=True, on_epoch=lambda epoch: history.append(epoch.losses[0])
    )
    totals = np.stack(history)
    np.testing.assert_array_equal(outcome.losses[0], totals.min(axis=0))
    np.testing.assert_array_equal(outcome.kept_epochs, totals.argmin(axis=0))


@pytest.mark.backends
def test_lbfgs_first_steps_as_far_as_adam_whatever_the_losss_unit(
    transfer: Callable[..., Result], pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    """And no later step raises a loss."""
    start = 0.3 + 0.4 * pictures[1]  # No value comes near its bounds.
    content, style, variation = LOSS.weights
    larger = LOSS._replace(weights=LossWeights(1e4 * content, 1e4 * style, 1e4 * variation))
    optimizer = OPTIMIZERS["lbfgs"]
    one = transfer(optimizer=optimizer, start=start, stopping=Stopping(1, patience=None))
    change = np.sqrt(np.square(one.images - start).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(change, optimizer.learning_rate, rtol=1e-3)
    six = transfer(optimizer=optimizer, start=start)
    assert (np.diff(six.history[:, 0], axis=0) < 0).all()
    scaled = transfer(optimizer=optimizer, start=start, loss=larger)
    np.testing.assert_allclose(scaled.history[:, 0], 1e4 * six.history[:, 0], rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "keep_best"),
    [
        *(("adam", False), ("rmsprop", True), ("sgd", False), ("sgd", True)),
        pytest.param("adam", True, marks=pytest.mark.backends),
        pytest.param("lbfgs", True, marks=pytest.mark.backends),
    ],
)
def test_going_on_from_a_checkpoint_leads_to_the_same_end(
    transfer: Callable[..., Result], name: str, keep_best: bool, tmp_path: Path
) -> None:
    options = {
        "parts": [[0, 1], [2]],
        "optimizer": OPTIMIZERS[name],
        "stopping": Stopping(4, steps_per_epoch=2, patience=None),
        "keep_best": keep_best,
    }
    checkpoint = Checkpoint(tmp_path, "these options", every_epochs=2)
    checkpoint.open()
    whole = transfer(**options, on_state=partial(checkpoint.save, batch=2))
    saved = Checkpoint(tmp_path, "these options").open()
    assert saved is not None
    state = saved.state
    assert (len(state.history), saved.batch) == (3, 2)
    epochs: list[int] = []
    second = transfer(**options, resume=state, on_epoch=lambda epoch: epochs.append(epoch.number))
    assert epochs == [3, 4]
    np.testing.assert_array_equal(second.images, whole.images)
    np.testing.assert_array_equal(second.losses, whole.losses)
    np.testing.assert_array_equal(second.history, whole.history)
    np.testing.assert_array_equal(second.kept_epochs, whole.kept_epochs)
    assert second.stop_reason == whole.stop_reason


def test_a_checkpoint_of_halved_batches_goes_on_in_halves(
    transfer: Callable[..., Result],
) -> None:
    seen: list[LoopState] = []
    transfer([[0], [1], [2]], on_state=seen.append)
    # The other way into the same parts: a batch of three in halves of one, and of two in ones.
    second = transfer([[0, 1, 2]], resume=seen[2])
    np.testing.assert_array_equal(second.images, transfer([[0], [1], [2]], resume=seen[2]).images)
    with pytest.raises(ValueError, match="of other batches"):
        transfer([[0, 1]], resume=seen[2])


@pytest.mark.parametrize(
    ("history", "stopping", "expected"),
    [
        ([100, 90], Stopping(10), None),
        ([100, 99.95], Stopping(10), "converged"),
        ([100, 101], Stopping(10), "not converged"),
        ([100, 102, 101.95, 103, 104], Stopping(10, patience=4), "not converged"),
        ([100, 101, 102, 103], Stopping(10, patience=3), "diverged"),
        ([100, 90, 101, 102, 103], Stopping(4, patience=None), "diverged"),
        ([100, 101, 102], Stopping(2, patience=None), "epochs"),
        ([100, 80, 81], Stopping(10), "converged"),
        ([100, 90, 101], Stopping(2, patience=None), "epochs"),
        ([100, 99.95], Stopping(10, patience=2), None),
        ([100, 99.95, 99.93], Stopping(10, patience=2), "converged"),
        ([100, 99.95, 90], Stopping(10, patience=2), None),
        ([100, 100], Stopping(10, patience=None), None),
        ([100, 100], Stopping(1, patience=None), "epochs"),
        ([100, 99.8], Stopping(10, min_improvement=0.01), "converged"),
        ([100, float("nan")], Stopping(10, patience=None), "diverged"),
        ([float("inf")], Stopping(10), "diverged"),
        ([100, 10001], Stopping(10, patience=None), "diverged"),
        ([100, 75], Stopping(10, min_improvement=0.25), None),
    ],
)
def test_when_a_run_ends(history: list[float], stopping: Stopping, expected: str | None) -> None:
    ending = stopping_reason(history, stopping)
    assert (ending.stopped_by if ending else None) == expected


@pytest.mark.backends
def test_bfloat16_comes_close_to_float32(
    backbone: Backbone, pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    exact = extract_features(backbone, pictures[1])
    rough = extract_features(tiny_backbone("bfloat16"), pictures[1])
    for gram, rough_gram in zip(exact[:-1], rough[:-1], strict=True):
        error = np.linalg.norm(gram - rough_gram.astype("float32"))
        assert 0 < error < 0.02 * np.linalg.norm(gram)
    assert str(rough[-1].dtype) == "bfloat16"


@pytest.mark.backends
def test_strict_float32_forbids_tf32_and_changes_nothing_on_a_processor(
    backbone: Backbone, pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    module = importlib.import_module(backend.name())

    def allowed() -> bool:
        if backend.name() == "jax":
            return bool(module.config.jax_default_matmul_precision != "highest")
        return bool(module.config.experimental.tensor_float_32_execution_enabled())

    plain = extract_features(backbone, pictures[0])
    assert allowed()
    strict = extract_features(tiny_backbone("float32_strict"), pictures[0])
    assert not allowed()
    for ours, theirs in zip(strict, plain, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    extract_features(backbone, pictures[0])
    assert allowed()


@pytest.mark.backends
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="others keep nothing")
def test_jax_keeps_what_it_compiles(tmp_path: Path) -> None:
    jax: Any = importlib.import_module("jax")

    # Else it keeps only what takes a second.
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    backend.keep_compiled(tmp_path)
    try:
        jax.jit(lambda x: x * 17.0 + 3.0)(np.ones(7, "float32"))
        assert any(path.is_file() for path in tmp_path.rglob("*"))
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
