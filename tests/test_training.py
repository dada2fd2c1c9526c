"""Which training runs belong together, and which of them won: on a store of invented runs."""

from pathlib import Path
from unittest.mock import MagicMock

import pytest

from benchmark.analysis import study
from benchmark.analysis.model_selection import with_best_optimizers
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, flat
from benchmark.runs.progress import Output
from benchmark.sweeps.cost import CostEstimate, StepCost, duration, print_estimate
from benchmark.tracking.records import RunFacts, Status
from benchmark.tracking.tracker import Tracker
from benchmark.transfer.batch import BatchPlan
from benchmark.transfer.stopping import Stopping
from tests.commands import store as empty_store

MODEL = ["backbone=mobilenet", "agg=simple"]


class Store:
    """A real store, into which a test writes runs as it likes."""

    def __init__(self, folder: Path) -> None:
        self.uri = empty_store(folder).removeprefix("tracking.uri=")
        self.tracker = Tracker(self.uri, "study")

    def add(
        self,
        optimizer: str,
        loss: float,
        *overrides: str,
        epochs: int = 7,
        status: Status = "finished",
    ) -> None:
        """A training run that ended with a loss after some epochs."""
        config = composed([*MODEL, "split=train", f"optimizer={optimizer}", *overrides])
        facts = RunFacts(
            backbone=config.backbone["name"],
            agg=config.agg["name"],
            optimizer=optimizer,
            style_digest="s",
            weights="imagenet",
        )
        log = self.tracker.start("invented", facts)
        log.params(flat(config))
        log.metrics({"final_total_loss": loss, "epochs_done": epochs}, epochs)
        if status != "running":
            log.end(status, "epochs", "invented")

    def test(self, *overrides: str) -> Config:
        """The configuration of a test of the model, with the best optimizer of its training."""
        given = [
            *MODEL,
            "split=test",
            "best_optimizer.experiment=study",
            "best_optimizer.overlay=study",
        ]
        given += [f"tracking.uri={self.uri}", *overrides]
        [found] = with_best_optimizers([composed(given)], [given])
        return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_the_lowest_loss_wins_with_its_epochs_and_settings(store: Store) -> None:
    store.add("adam", 5.0)
    store.add("sgd", 4.0, "optimizer.learning_rate=1e-7", epochs=3)
    store.add("sgd", 6.0, "optimizer.learning_rate=1e-8")
    store.add("rmsprop", 1.0, status="diverged")
    found = store.test()
    assert (found.optimizer["name"], found.epochs) == ("sgd", 3)
    assert float(found.optimizer["learning_rate"]) == 1e-7
    assert found.early_stopping.patience is None


def test_a_repeated_run_replaces_the_one_before_unless_it_failed(store: Store) -> None:
    for optimizer in ("sgd", "rmsprop"):
        store.add(optimizer, 9.0)
    store.add("adam", 1.0)
    store.add("adam", 20.0)
    store.add("adam", 0.5, status="killed")
    assert store.test().optimizer["name"] == "sgd"


def test_runs_of_other_conditions_do_not_compete(store: Store) -> None:
    for optimizer, loss in (("adam", 3.0), ("sgd", 2.0), ("rmsprop", 1.0)):
        store.add(optimizer, loss, "seed=1")
        store.add(optimizer, 1 / loss, "seed=2")
    assert store.test("seed=1").optimizer["name"] == "rmsprop"
    assert store.test("seed=2").optimizer["name"] == "adam"
    with pytest.raises(ConfigError, match=r"with adam had seed=2, not 3; with sgd had seed=2"):
        store.test("seed=3")
    with pytest.raises(ConfigError, match=r"with adam had loss.name=study, not normalised"):
        store.test("seed=1", "loss=normalised")
    store.add("adam", 0.1, "seed=1", "epochs=1")
    with pytest.raises(ConfigError, match=r"with sgd had epochs=100, not 1; with rmsprop had"):
        store.test("seed=1")


def test_what_is_lacking_is_named_with_a_command_for_all_of_it(store: Store) -> None:
    store.add("adam", 1.0, status="killed")
    store.add("sgd", 1.0, status="running")
    with pytest.raises(ConfigError) as raised:
        store.test("seed=0", "original_size=true")
    assert (
        "training run of mobilenet · simple with adam is unfinished (killed); with sgd is "
        "unfinished (running); with rmsprop is missing. Start the missing runs with: python -m "
        "benchmark -m experiment=study backbone=mobilenet agg=simple optimizer=adam,sgd,rmsprop "
        f"tracking.uri={store.uri} seed=0"
    ) in str(raised.value)
    for optimizer in ("adam", "sgd", "rmsprop"):
        store.add(optimizer, 1.0, "seed=5", status="diverged")
    with pytest.raises(ConfigError, match="diverged with adam and sgd and rmsprop: train again"):
        store.test("seed=5")


def test_all_models_that_lack_runs_are_counted(store: Store) -> None:
    given = ["split=test", "best_optimizer.experiment=study", f"tracking.uri={store.uri}"]
    with pytest.raises(ConfigError, match="is for split=test; add that"):
        with_best_optimizers([composed(given[1:])], [given[1:]])
    overrides = [
        [f"backbone={b}", f"agg={a}", *given]
        for b in ("vgg", "resnet")
        for a in ("simple", "logged")
    ]
    with pytest.raises(ConfigError) as raised:
        with_best_optimizers([composed(one) for one in overrides], overrides)
    assert "and of 1 more models. Start the missing" in str(raised.value)
    told = "split=train tracking.experiment=study backbone=vgg,resnet agg=simple,logged optimizer="
    assert told in str(raised.value)


def test_a_broken_store_is_not_taken_for_an_empty_one(store: Store, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_text("no database")
    with pytest.raises(ConfigError, match=r"tracking.uri=.*broken.db: file is not a database"):
        store.test(f"tracking.uri=sqlite:///{tmp_path / 'broken.db'}")


def test_an_export_with_gaps_says_what_it_lacks(store: Store, tmp_path: Path) -> None:
    store.add("adam", 2.0, "seed=1")
    store.add("adam", 2.0)
    store.add("sgd", 1.0, status="failed")
    found = study.select_study("study", store.tracker.all_runs())
    assert found.left_out == 1
    [row] = study.study_table(found.models).to_dict("records")
    assert (row["optimizer"], row["epochs"], row["incomplete"]) == ("adam", 7, "sgd failed")
    files = study.write_study(store.tracker, found, tmp_path / "export")
    assert all(path.is_file() for path in files)
    page = (tmp_path / "export" / "study.html").read_text()
    assert "1 training runs under other conditions are left out" in page
    assert "No losses were recorded" in page
    assert "No finished test run" in page
    with pytest.raises(ConfigError, match=r"has no training run of a study \(split=train\)"):
        study.select_study("study", [])


def test_the_study_is_what_was_published() -> None:
    config = composed(["experiment=study"])
    assert config.backbone["weights"] == "imagenet"
    assert (config.content["train"], config.content["test"]) == (10, 5)
    assert (config.dataset["paintings"], config.dataset["selection"]) == (30, "first")
    assert len(config.dataset["artists"]) == 6
    assert (config.image_size, config.epochs, config.steps_per_epoch) == (224, 100, 1)
    assert (config.early_stopping.min_improvement, config.early_stopping.patience) == (0.001, 1)


def test_an_estimate_counts_and_then_learns_from_the_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two runs estimated 100 s each; the first took 50 s, so the second is expected to."""
    cost = StepCost("vgg", batch=4, step_seconds=0.8, compile_seconds=5.0)
    monkeypatch.setattr("benchmark.sweeps.cost.measure_step", lambda run: cost)
    monkeypatch.setattr("benchmark.sweeps.cost.backend.peak_memory", lambda: 2**31)
    run = MagicMock(
        examples=range(4), stopping=Stopping(125), epochs=125, sizes=[224], epochs_each=[125]
    )
    run.plans.return_value = [BatchPlan([0], range(4))]
    estimated = print_estimate([run, run], Output())
    text = capsys.readouterr().out
    assert (
        "2 runs, 8 examples, at most 1,000 steps of one example; the steps take about 3 min" in text
    )
    assert "come on top; 2.0 GiB of main memory\n" in text
    assert "  measured per step of one example: vgg 0.2 s\n" in text
    assert estimated.seconds == [100.0, 100.0]
    # At half the size first, a quarter of the pixels.
    scaled = MagicMock(
        examples=range(4),
        stopping=Stopping(125),
        epochs=250,
        sizes=[112, 224],
        epochs_each=[125] * 2,
    )
    scaled.plans.return_value = run.plans.return_value
    assert print_estimate([run, scaled], Output()).seconds[1] == pytest.approx(125.0)
    capsys.readouterr()
    estimated = CostEstimate(estimated.seconds, began=1000.0)
    monkeypatch.setattr("benchmark.sweeps.cost.perf_counter", lambda: 1050.0)
    assert estimated.progress(1) == "1 of 2 runs done in 50 s, about 50 s left"
    monkeypatch.setattr("benchmark.sweeps.cost.perf_counter", lambda: 1120.0)
    assert estimated.progress(2) == "2 of 2 runs done in 2 min, estimated: 3 min for the steps"
    assert [duration(s) for s in (5, 89, 100, 3600, 7260)] == [
        "5 s",
        "89 s",
        "2 min",
        "1 h 00 min",
        "2 h 01 min",
    ]
    monkeypatch.setattr("benchmark.sweeps.cost.backend.peak_memory", lambda: None)
    print_estimate([run, run], Output())
    assert "converges early, pictures and metrics come on top\n" in capsys.readouterr().out
