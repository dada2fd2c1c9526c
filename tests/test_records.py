"""What a run records in MLflow is read back as it was: on a real store."""

import logging
from pathlib import Path

import pytest
from mlflow import MlflowClient

from benchmark.config.compose import composed
from benchmark.report.findings import what_was_run
from benchmark.runs.log import logged_options
from benchmark.runtime.processes import current_process
from benchmark.tracking.records import Evaluator, Results, RunFacts, RunRecord, SweepFacts, to_tags
from benchmark.tracking.tracker import Tracker

OWNER = current_process()

FACTS = RunFacts(
    sweep="s",
    number=11,
    parent="0" * 32,
    command="python -m benchmark 'a=b; c'",
    owner=OWNER,
    overrides={"agg.p": "1", "dataset.artists": "[Gilbert; George]"},
    versions={"keras": "3.1"},
    hardware={"processor": "none; such"},
    artists=("Gilbert; George",),
    contents=("2024", '"quoted"', "größe"),
    batch=4,
    evaluators={"vgg": Evaluator(weights="imagenet", digest="ab", optimised=True)},
    skipped_metrics={"kid": "too few; really"},
)


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    uri = f"sqlite:///{tmp_path_factory.mktemp('records') / 'mlflow.db'}"
    return Tracker(uri, "records")


def read(tracker: Tracker, run_id: str) -> RunRecord:
    record = tracker.record(run_id)
    assert isinstance(record, RunRecord)
    return record


def test_a_run_without_a_parent_has_no_tag_of_one() -> None:
    """MLflow's UI asks for the run that the tag names, and where that fails shows no run at all."""
    assert "mlflow.parentRunId" in to_tags(FACTS)
    assert "mlflow.parentRunId" not in to_tags(FACTS.model_copy(update={"parent": ""}))


def test_a_run_is_read_as_it_was_written(tracker: Tracker) -> None:
    log = tracker.start("one", FACTS)
    log.metrics({"final_total_loss": 0.5, "loss_ratio": float("nan"), "epochs_done": 3}, 3)
    log.metrics({"metrics/ssim": 0.25}, 3)
    record = read(tracker, log.run_id)
    for field in RunFacts.model_fields:
        assert getattr(record, field) == getattr(FACTS, field), field
    assert record.results == Results(final_total_loss=0.5, epochs_done=3)
    assert record.scores == {"ssim": 0.25}
    assert record.status == "running"
    log.end("diverged", "diverged", "the loss exploded")
    record = read(tracker, log.run_id)
    assert (record.status, record.reason) == ("diverged", "the loss exploded")
    assert tracker.run_of("s", 11) == record
    assert "1 artist × 3 content pictures" in what_was_run([record])


def test_a_resumed_run_is_running_again(tracker: Tracker) -> None:
    tracker.start("interrupted", FACTS).end("killed", "interrupted", "interrupted")
    [earlier] = [run for run in tracker.all_runs() if run.name == "interrupted"]
    log = tracker.resume(earlier, RunFacts(owner=OWNER))
    record = read(tracker, log.run_id)
    assert (record.status, record.stopped_by, record.times_resumed) == ("running", "", 1)
    assert record.artists == FACTS.artists


def test_long_lists_stay_whole_and_give_way_to_shorter_ones(tracker: Tracker) -> None:
    names = tuple(f"photograph {number}; of a longer series" for number in range(1000))
    log = tracker.start("long", RunFacts(contents=names, artists=names[:300]))
    log.update(RunFacts(artists=names[:2]))
    record = read(tracker, log.run_id)
    assert (record.contents, record.artists) == (names, names[:2])


def test_a_sweep_is_a_record_of_its_own(tracker: Tracker) -> None:
    facts = SweepFacts(sweep="grid", runs=12, swept=("seed", "loss.style_weight"), owner=OWNER)
    log = tracker.start("grid", facts)
    record = tracker.sweep_run("grid")
    assert record is not None
    assert (record.run_id, record.runs, record.swept) == (log.run_id, 12, facts.swept)
    assert record.owner == OWNER
    assert not tracker.runs_of("grid")
    assert tracker.last_sweep() == "grid"


def test_runs_of_other_programs_and_edited_tags_do_no_harm(tracker: Tracker) -> None:
    client = MlflowClient(tracker.uri)
    log = tracker.start("edited", FACTS)
    for tag, value in {"artists": "Gilbert", "number": "last", "process.process": "?"}.items():
        client.set_tag(log.run_id, tag, value)
    record = read(tracker, log.run_id)
    assert (record.artists, record.number, record.owner) == ((), 0, None)
    assert record.contents == FACTS.contents
    experiment = client.get_experiment_by_name("records")
    assert experiment is not None
    client.create_run(experiment.experiment_id, run_name="foreign")
    assert "foreign" not in {run.name for run in [*tracker.running(), *tracker.all_runs()]}


def test_mlflow_logs_nothing_beside_what_the_program_prints() -> None:
    for name in ("mlflow.store.db.utils", "alembic.runtime.migration"):
        assert not logging.getLogger(name).isEnabledFor(logging.ERROR)


def test_parameters_do_not_tell_where_the_store_is(tmp_path: Path) -> None:
    """A run in the default store is resumed by its address: MLflow refuses a changed parameter."""
    stores = "null", f"sqlite:///{tmp_path}/store.db"
    one, other = (logged_options(composed([f"tracking.uri={uri}"])) for uri in stores)
    assert one == other
