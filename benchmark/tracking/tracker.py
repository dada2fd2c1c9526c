"""An MLflow store and an experiment in it: opening runs, finding them, reading their artifacts."""

import json
import os
import ssl
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import urlopen
from uuid import uuid4

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.entities import PagedList
from PIL import Image

from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT, UI_PORT, check_store, local_file, nearest_there
from benchmark.config.schema import SWEEP_NAME
from benchmark.runtime.interrupts import Interrupts
from benchmark.tracking.log import RunLog
from benchmark.tracking.outage import OutageError, access_advice, error_summary
from benchmark.tracking.records import (
    KIND,
    MLFLOW_STATUS,
    STATUS,
    AnyRecord,
    Artifact,
    ClassifierRun,
    Facts,
    PaintingLoss,
    RunRecord,
    SweepRecord,
    first_tags,
    to_record,
)
from benchmark.tracking.store import Store, is_server
from benchmark.tracking.writer import Writer

DEFAULT_URI = f"sqlite:///{ROOT / 'mlruns' / 'mlflow.db'}"

ENDING_SECONDS = 10.0
"""For which an interrupted run writes what is left."""

RunKind = TypeVar("RunKind", RunRecord, SweepRecord, ClassifierRun)


class NotFoundError(ConfigError):
    """A store or an experiment to be read does not exist."""


class Tracker:
    """One MLflow store and one experiment in it."""

    def __init__(
        self,
        uri: str | None,
        experiment: str | None,
        *,
        create: bool = True,
        interrupts: Interrupts | None = None,
    ) -> None:
        """Open the store at `sqlite:///…` or any tracking server; None: `DEFAULT_URI`.

        Without an experiment all there are can be read. A local store, and the experiment, are
        created where they do not exist, if they may be.

        Raises:
            ConfigError: the store cannot be reached or used.
        """
        self.uri = uri or DEFAULT_URI
        self._interrupts = interrupts or Interrupts()
        file = local_file(self.uri)
        if file and not create and nearest_there(file) != file:
            reason = "there is no such store; nothing was run into it yet"
            raise NotFoundError(reason, "tracking.uri", self.uri)
        try:
            self._store = Store(self.uri, self._interrupts, write=create)
            experiments = self._experiments(experiment, file, create=create)
        except ConfigError:
            raise
        except Exception as error:
            reason = f"cannot be used: {access_advice(error) or error_summary(error)}"
            raise ConfigError(reason, option="tracking.uri", value=self.uri) from error
        self._experiment_ids = [e.experiment_id for e in experiments]

    @staticmethod
    def check_reachable(uri: str | None) -> None:
        """Raise ConfigError unless a server answers there: MLflow itself would try for minutes."""
        if uri:
            check_store("tracking.uri", uri)
        if uri and is_server(uri):
            # As MLflow does it, which does not look where Python itself does.
            certificates = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
            context = ssl.create_default_context(cafile=certificates)
            address = f"{uri.rstrip('/')}/health"
            try:
                urlopen(address, timeout=10, context=context).close()
            except HTTPError:
                return  # Something answers, if not as MLflow does without authentication.
            except (OSError, ValueError, HTTPException) as error:
                raise ConfigError(f"no server answers ({error})", "tracking.uri", uri) from error

    def shut_down(self) -> None:
        """From now on wait for no store, because the program is ending."""
        self._store.shut_down()

    def start(self, name: str, facts: Facts) -> RunLog:
        """Open a run or a sweep's parent run; ConfigError if the server denies access."""
        experiment, creation = self._experiment_ids[0], uuid4().hex
        tags = {**first_tags(facts), "creation": creation}

        def find_or_create(client: MlflowClient) -> Run:
            # An earlier attempt, whose answer got lost, may have created it.
            found = client.search_runs([experiment], f"tags.creation = '{creation}'")
            return found[0] if found else client.create_run(experiment, run_name=name, tags=tags)

        try:
            run_id = self._store.call(find_or_create).info.run_id
        except MlflowException as error:
            if advice := access_advice(error):
                raise ConfigError(advice, option="tracking.uri", value=self.uri) from error
            raise
        return RunLog(self._store, run_id)

    def resume(self, earlier: AnyRecord, facts: Facts) -> RunLog:
        """Continue a run, or a sweep's parent run, that was interrupted."""
        log = RunLog(self._store, earlier.run_id, resumed=True)
        log.reopen(facts.model_copy(update={"times_resumed": earlier.times_resumed + 1}))
        return log

    @contextmanager
    def run(
        self,
        name: str,
        facts: Facts,
        earlier: RunRecord | None = None,
        before_end: Callable[[], None] = lambda: None,
    ) -> Iterator[RunLog]:
        """Open or resume a run; an exception in the block ends the run as failed or killed.

        What the block logs is written beside it, in order. Where an exception ends the block,
        `before_end` is called once all of that is written, or never; it must not raise.
        """
        opened = self.resume(earlier, facts) if earlier else self.start(name, facts)
        writer = Writer(self._interrupts.check)
        log = RunLog(self._store, opened.run_id, resumed=opened.resumed, writer=writer)

        def wind_up(seconds: float | None = None) -> None:
            with suppress(Exception):  # An error of the writer's ended the run, or came too late.
                log.then(before_end)
                writer.flush(seconds)
            writer.close()

        def kill() -> None:
            self.shut_down()
            wind_up(ENDING_SECONDS)
            opened.end("killed", "interrupted", "interrupted")

        try:
            with self._interrupts.on_forced_exit(kill):
                yield log
                writer.flush()
        except Exception as error:
            wind_up()
            outage = isinstance(error, OutageError)
            with suppress(Exception), self._store.single_attempts() if outage else nullcontext():
                opened.text(Artifact.ERROR, traceback.format_exc())
                opened.end("failed", "error", error_summary(error))
            raise
        except BaseException:
            self._interrupts.is_shutting_down = True
            with suppress(Exception):
                kill()
            raise
        finally:
            writer.close()

    def delete(self, run_id: str) -> None:
        """Mark a run as deleted; MLflow hides it, and keeps it until somebody runs `mlflow gc`."""
        self._store.call(lambda client: client.delete_run(run_id))

    def log(self, run_id: str) -> RunLog:
        """Write into an existing run."""
        return RunLog(self._store, run_id)

    def sweep_run(self, sweep: str) -> SweepRecord | None:
        """The parent run of a sweep, by the sweep's name."""
        return next(iter(self._search(SweepRecord, f"tags.sweep = '{sweep}'", 1)), None)

    def last_sweep(self) -> str | None:
        """Name of the sweep, or of the single run, that started last."""
        last = self._records(f"tags.sweep != '' AND tags.{KIND} != ''", 1)
        return last[0].sweep if last else None

    def last_resumable(self, *, with_runs: bool = False) -> str | None:
        """Name of the last sweep or run that resumes; pictures and films have no fingerprint."""
        kinds = ["tags.fingerprint != ''", f"tags.{KIND} = '{SweepRecord.kind}'"][: 2 - with_runs]
        last = [record for kind in kinds for record in self._records(kind, 1)]
        return max(last, key=lambda record: record.started).sweep if last else None

    def runs_page(self, sweep: str | None, port: int = UI_PORT) -> str:
        """The address at which MLflow's UI compares a sweep's runs, on a server or opened here.

        MLflow's own address of a run shows its mode for language models, where no run is. Of no
        sweep, the address of the UI; ConfigError if there is none of this name.
        """
        server = self.uri.rstrip("/") if is_server(self.uri) else f"http://127.0.0.1:{port}"
        if sweep is None:
            return server
        condition = f"tags.sweep = '{sweep}'"
        runs = SWEEP_NAME.fullmatch(sweep) and self._store.call(
            lambda client: client.search_runs(self._experiment_ids, condition, max_results=1)
        )
        if not runs:
            raise NotFoundError(f"{self.uri} has no sweep of this name", "tracking.sweep", sweep)
        page = {
            "workflowType": "machine_learning",
            "searchFilter": f"{condition} AND tags.{KIND} = '{RunRecord.kind}'",
            # In the order of time its list would show the parent run alone, folded.
            "orderByKey": "tags.`mlflow.runName`",
            "orderByAsc": "true",
            "compareRunsMode": "CHART",
        }
        query = urlencode(page, quote_via=quote)
        return f"{server}/#/experiments/{runs[0].info.experiment_id}/runs?{query}"

    def runs_of(self, sweep: str) -> list[RunRecord]:
        """The runs of a sweep, in its order."""
        runs = self._search(RunRecord, f"tags.sweep = '{sweep}'")[::-1]
        return sorted(runs, key=lambda run: run.number)

    def run_of(self, sweep: str, number: int) -> RunRecord | None:
        """A run of a sweep by its number there, from 0."""
        condition = f"tags.sweep = '{sweep}' AND tags.number = '{number}'"
        return next(iter(self._search(RunRecord, condition, 1)), None)

    def running(self) -> list[AnyRecord]:
        """All runs, and parent runs of sweeps, that have not ended."""
        return self._records(f"attributes.status = '{MLFLOW_STATUS['running']}'")

    def all_runs(self) -> list[RunRecord]:
        """All runs of the experiment, in the order of their start."""
        return self._search(RunRecord)[::-1]

    def record(self, run_id: str) -> RunRecord | SweepRecord:
        """One run, or parent run of a sweep; ConfigError if there is none with this id."""
        record = self._record(run_id, "--run")
        if record is None or isinstance(record, ClassifierRun):
            whose = "a classifier's" if record else "another program's"
            raise ConfigError(f"this run is {whose}", "--run", run_id)
        return record

    def classifier(self, run_id: str | None, option: str) -> ClassifierRun:
        """A classifier's run, None: the last that was fitted; ConfigError if there is none."""
        if run_id is not None:
            record = self._record(run_id, option)
        else:
            finished = f"tags.{STATUS} = 'finished'"
            record = next(iter(self._search(ClassifierRun, finished, 1)), None)
        if not isinstance(record, ClassifierRun) or record.status != "finished":
            reason = "it is no fitted classifier" if run_id else f"{self.uri} has no classifier yet"
            fit = "fit one with python -m benchmark.genre fit"
            raise NotFoundError(f"{reason}: {fit}", option, run_id or "last")
        return record

    def _record(self, run_id: str, option: str) -> AnyRecord | None:
        try:
            return to_record(self._store.call(lambda client: client.get_run(run_id)))
        except MlflowException as error:
            raise ConfigError(f"{self.uri} has no such run", option, run_id) from error

    def loss_history(self, run_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Epochs and mean total losses, in order of the epochs."""
        points = sorted((point.step, point.value) for point in self._loss_points(run_id))
        return np.array([s for s, _ in points], int), np.array([v for _, v in points], float)

    def logged_times(self, run_id: str) -> list[float]:
        """When the epochs were done, in seconds since 1970."""
        return [float(point.timestamp) / 1000 for point in self._loss_points(run_id)]

    def read_picture(self, run_id: str, file: str) -> np.ndarray:
        """A picture artifact as uint8, (H, W, 3)."""
        with Image.open(BytesIO(self._store.read(run_id, file))) as image:
            return np.asarray(image.convert("RGB"))

    def read_bytes(self, run_id: str, file: str) -> bytes:
        """An artifact as it is."""
        return self._store.read(run_id, file)

    def read_text(self, run_id: str, file: str) -> str:
        """A text artifact."""
        return self._store.read(run_id, file).decode()

    def read_json(self, run_id: str, file: str) -> Any:
        """The content of a JSON artifact."""
        return json.loads(self.read_text(run_id, file))

    def read_table(self, run_id: str, file: str) -> pd.DataFrame:
        """A table artifact."""
        # Names that look like numbers stay names.
        return pd.read_json(BytesIO(self._store.read(run_id, file)), orient="split", dtype=False)

    def painting_losses(self, run_id: str) -> list[PaintingLoss]:
        """The results of a run against the paintings of their artists; none where not logged."""
        if not self.has_artifact(run_id, Artifact.PAINTING_LOSSES):
            return []
        rows = self.read_table(run_id, Artifact.PAINTING_LOSSES).to_dict("records")
        return [PaintingLoss.model_validate(row) for row in rows]

    def has_artifact(self, run_id: str, file: str) -> bool:
        """Whether a run has an artifact, by its path."""
        return file in self.artifacts(run_id, file.rpartition("/")[0] or None)

    def artifacts(self, run_id: str, folder: str | None = None) -> set[str]:
        """The files of a run in a folder, or at its top level, and the folders there."""
        return self._store.files(run_id, folder)

    def location(self, run_id: str, file: str) -> str:
        """Where a person finds an artifact: a local path if it is one, else its address."""
        if folder := self._store.folder(run_id):
            return str(folder / file)
        run = self._store.call(lambda client: client.get_run(run_id)).info
        if is_server(self.uri):  # The UI's page on it.
            page = f"#/experiments/{run.experiment_id}/runs/{run_id}/artifacts/{file}"
            return f"{self.uri.rstrip('/')}/{page}"
        return f"{run.artifact_uri}/{file}"

    def _experiments(
        self, name: str | None, file: Path | None, *, create: bool
    ) -> list[Experiment]:
        """The experiment of this name; all if it was opened without a name."""
        if name is None:
            return list(self._store.call(lambda client: client.search_experiments()))
        if create:
            location = (file.parent / "artifacts").as_uri() if file else None
            return [self._store.call(partial(_find_or_create, name, location))]
        experiment = self._store.call(lambda client: client.get_experiment_by_name(name))
        if experiment is None:
            known = self._store.call(lambda client: client.search_experiments())
            names = ", ".join(e.name for e in known)
            raise NotFoundError(f"{self.uri} has no experiment '{name}'. It has: {names}")
        return [experiment]

    def _loss_points(self, run_id: str) -> list[Metric]:
        """The total losses by epoch, in the order in which they were logged."""
        name = "total_loss"
        return list(self._store.call(lambda client: client.get_metric_history(run_id, name)))

    def _search(
        self, kind: type[RunKind], condition: str = "", most: int | None = None
    ) -> list[RunKind]:
        conditions = [f"tags.{KIND} = '{kind.kind}'", *([condition] if condition else [])]
        records = self._records(" AND ".join(conditions), most)
        return [record for record in records if isinstance(record, kind)]

    def _records(self, condition: str, most: int | None = None) -> list[AnyRecord]:
        """The runs under a condition, the last first; so many at most."""
        records: list[AnyRecord] = []
        token: str | None = None

        def search(client: MlflowClient) -> PagedList[Run]:
            return client.search_runs(
                self._experiment_ids,
                condition,
                ViewType.ACTIVE_ONLY,
                # Each takes a server 4 ms and more, and a page must come in time.
                max_results=most or 100,
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )

        while True:
            page = self._store.call(search)
            records += [record for run in page if (record := to_record(run))]
            token = page.token
            if not token or most:
                return records


def _find_or_create(name: str, location: str | None, client: MlflowClient) -> Experiment:
    existing: Experiment | None = client.get_experiment_by_name(name)
    if existing is None:
        try:
            return client.get_experiment(client.create_experiment(name, location))
        except MlflowException:
            existing = client.get_experiment_by_name(name)
            if existing is None:  # Else another process created it meanwhile.
                raise
    return existing
