"""Writing one run to MLflow."""

import re
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from PIL import Image

from benchmark.tracking.records import (
    MLFLOW_STATUS,
    STATUS,
    Artifact,
    Facts,
    Status,
    first_tags,
    image_key,
    to_tags,
)
from benchmark.tracking.store import Store, remove_artifact
from benchmark.tracking.writer import Write, Writer

Picture = np.ndarray | Image.Image

if TYPE_CHECKING:  # What only reads a store draws nothing.
    from matplotlib.figure import Figure

DIGEST_LIMIT = 36
"""Characters of a data digest that MLflow stores."""

BATCH_LIMIT = 1000
"""Points of metrics that MLflow takes in one call."""

POINT_BYTES = 500
"""Of a point in memory."""


class RunLog:
    """Writes one run; what it is given appears in the MLflow UI at once.

    With a writer it is written beside the work, within a second: what is given belongs to the log
    from then on, pictures and figures may be given as functions that draw them there, and errors
    come with a later call. `end`, and reading, wait for what was given before.

    In a resumed run nothing is logged twice. What it computes again, from its last checkpoint on,
    comes out the same: only points that are missing are added, and artifacts are replaced.
    """

    def __init__(
        self, store: Store, run_id: str, *, resumed: bool = False, writer: Writer | None = None
    ) -> None:
        self._store, self._writer = store, writer
        self.run_id = run_id
        self.resumed = resumed
        self._steps: dict[str, set[int]] = {}

    def reopen(self, facts: Facts) -> None:
        """Set it running again, with these facts."""
        running = MLFLOW_STATUS["running"]
        self._store.call(lambda client: client.update_run(self.run_id, status=running))
        self._set_tags({**to_tags(Facts(stopped_by="", reason="")), **first_tags(facts)})
        self._store.call(lambda client: remove_artifact(client, self.run_id, Artifact.ERROR))

    def params(self, params: Mapping[str, Any]) -> None:
        """Log the configuration, flat."""
        entities = [Param(k, str(v)[:6000]) for k, v in params.items()]  # MLflow's own limit.
        self._call(lambda client: client.log_batch(self.run_id, params=entities))

    def update(self, facts: Facts) -> None:
        """Set or replace the facts that are set in `facts`."""
        self._set_tags(to_tags(facts))

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log the finite ones of some metrics; MLflow stores others as something else."""
        now = int(time.time() * 1000)
        finite = {name: float(value) for name, value in metrics.items() if np.isfinite(value)}
        points = [Metric(name, value, now, step) for name, value in finite.items()]
        self._put(self._log_points, points, size=POINT_BYTES * len(points))

    def data(self, name: str, context: str, source: str, digest: str, pictures: int) -> None:
        """Log a set of pictures as an input, with its digest."""
        profile = f'{{"pictures": {pictures}}}'
        dataset = Dataset(name, digest[:DIGEST_LIMIT], "local", source, profile=profile)
        added = [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])]

        def add(client: MlflowClient) -> None:
            if self.resumed:
                run = client.get_run(self.run_id)
                known = [one.dataset for one in (run.inputs.dataset_inputs if run.inputs else [])]
                if any((d.name, d.digest) == (dataset.name, dataset.digest) for d in known):
                    return
            try:
                client.log_inputs(self.run_id, added)
            except MlflowException:
                # Another process was first to add it to the experiment, for another run.
                client.log_inputs(self.run_id, added)

        self._call(add)

    def snapshot(self, key: str, picture: np.ndarray, step: int) -> None:
        """Add a uint8 picture (H, W, 3) to the series that the UI's slider runs through."""
        name, image = image_key(key), Image.fromarray(picture)
        attempted = False

        def add(client: MlflowClient) -> None:
            nonlocal attempted
            if attempted:
                prefix = f"images/{name.replace('/', '~')}+step+{step}+"
                for item in client.list_artifacts(self.run_id, "images"):
                    if item.path.startswith(prefix):
                        remove_artifact(client, self.run_id, item.path)
            attempted = True
            client.log_image(self.run_id, image, key=name, step=step, synchronous=True)

        self._call(add, size=picture.nbytes)

    def keep_snapshots(self, steps: Collection[int]) -> None:
        """Remove the pictures of other epochs than these; they will be logged again."""

        def remove_others(client: MlflowClient) -> None:
            for item in client.list_artifacts(self.run_id, "images"):
                # How MLflow names the pictures of a series.
                match = re.match(r"images/[^%+]*[%+]step[%+](\d+)[%+]", item.path)
                if match and int(match[1]) not in steps:
                    remove_artifact(client, self.run_id, item.path)

        self._call(remove_others)

    def picture(self, file: str, picture: Picture | Callable[[], Picture]) -> None:
        """Save a picture (uint8 where it is an array) as an artifact."""

        def write(_: Sequence[Any]) -> None:
            drawn = picture() if callable(picture) else picture
            self._store.call(lambda client: client.log_image(self.run_id, drawn, file))

        self._put(write, size=picture.nbytes if isinstance(picture, np.ndarray) else 0)

    def figure(self, file: str, draw: Callable[[], "Figure"]) -> None:
        """Save a figure as an artifact."""

        def write(_: Sequence[Any]) -> None:
            drawn = draw()
            self._store.call(lambda client: client.log_figure(self.run_id, drawn, file))

        self._put(write)

    def table(self, file: str, table: pd.DataFrame) -> None:
        """Save a table as an artifact that the UI shows as one."""

        def replace(client: MlflowClient) -> None:
            remove_artifact(client, self.run_id, file)  # MLflow would add the rows to its own.
            client.log_table(self.run_id, table, file)

        self._call(replace)

    def text(self, file: str, text: str) -> None:
        """Save a text as an artifact."""
        self._call(lambda client: client.log_text(self.run_id, text, file))

    def json(self, file: str, content: dict[str, Any]) -> None:
        """Save a dictionary as an artifact."""
        self._call(lambda client: client.log_dict(self.run_id, content, file))

    def file(self, file: str, content: bytes) -> None:
        """Save bytes as an artifact at the top level."""

        def write(client: MlflowClient) -> None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, file)
                path.write_bytes(content)
                client.log_artifact(self.run_id, str(path))

        self._call(write, size=len(content))

    def keras_model(
        self, folder: str, model: Any, labels: Sequence[str], requirements: Sequence[str]
    ) -> None:
        """Save a Keras model in MLflow's form, with the names of its outputs, for other programs.

        This one never loads it.
        """
        from mlflow.keras import save_model  # It takes a second.

        def write(client: MlflowClient) -> None:
            with tempfile.TemporaryDirectory() as place:
                save_model(
                    model,
                    f"{place}/{folder}",
                    pip_requirements=list(requirements),
                    metadata={"labels": list(labels)},
                )
                client.log_artifacts(self.run_id, f"{place}/{folder}", folder)

        self._call(write)

    def then(self, action: Callable[[], None]) -> None:
        """Do something when all that was logged so far is written."""
        self._put(lambda _: action())

    def end(self, status: Status, stopped_by: str, reason: str) -> None:
        """Record how the run ended and close it; for `stopped_by` see `Facts`."""
        self._set_tags({STATUS: status, **to_tags(Facts(stopped_by=stopped_by, reason=reason))})
        state = MLFLOW_STATUS[status]
        self._call(lambda client: client.set_terminated(self.run_id, state))
        if self._writer:
            self._writer.flush()

    def _set_tags(self, tags: Mapping[str, str]) -> None:
        entities = [RunTag(k, v) for k, v in tags.items()]
        self._call(lambda client: client.log_batch(self.run_id, tags=entities))

    def _log_points(self, points: Sequence[Metric]) -> None:
        if self.resumed:
            points = [point for point in points if point.step not in self._logged_steps(point.key)]
        for first in range(0, len(points), BATCH_LIMIT):
            batch = points[first : first + BATCH_LIMIT]
            self._store.call(partial(MlflowClient.log_batch, run_id=self.run_id, metrics=batch))

    def _logged_steps(self, metric: str) -> set[int]:
        if metric not in self._steps:
            points = self._store.call(lambda client: client.get_metric_history(self.run_id, metric))
            self._steps[metric] = {point.step for point in points}
        return self._steps[metric]

    def _call(self, operation: Callable[[MlflowClient], object], size: int = 0) -> None:
        def write(_: Sequence[Any]) -> None:
            self._store.call(operation)

        self._put(write, size=size)

    def _put(self, write: Write, items: Sequence[Any] = (), size: int = 0) -> None:
        if self._writer:
            self._writer.put(write, items, size)
        else:
            write(items)
