"""Writing one run to MLflow."""

import re
import time
import unicodedata
import zlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    Param,
    RunTag,
)
from PIL import Image

from benchmark.tracking.store import Store

PARAM_LIMIT = 6000
"""Characters of a parameter's value that MLflow stores."""

DIGEST_LIMIT = 36
"""Characters of a data digest that MLflow stores."""

LONGEST_KEY = 100
"""Characters of a name in keys; MLflow makes names of files of them and adds as many of its own."""

SNAPSHOT = re.compile(r"images/[^%+]*[%+]step[%+](\d+)[%+]")
"""How MLflow names the pictures of a series."""


class RunLog:
    """Writes one run; what it is given appears in the MLflow UI at once."""

    def __init__(self, client: Store, run_id: str) -> None:
        """For a run that exists."""
        self._client = client
        self.run_id = run_id

    def params(self, params: Mapping[str, Any]) -> None:
        """Log the configuration, flat."""
        self._client.log_batch(
            self.run_id, params=[Param(k, str(v)[:PARAM_LIMIT]) for k, v in params.items()]
        )

    def tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace tags."""
        self._client.log_batch(self.run_id, tags=[RunTag(k, str(v)) for k, v in tags.items()])

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log the finite ones of some metrics; MLflow stores others as something else."""
        now = int(time.time() * 1000)
        points = [Metric(k, float(v), now, step) for k, v in metrics.items() if np.isfinite(v)]
        self._client.log_batch(self.run_id, metrics=points)

    def data(self, name: str, context: str, source: str, digest: str, pictures: int) -> None:
        """Log a set of pictures as an input, with its digest."""
        dataset = Dataset(
            name,
            digest[:DIGEST_LIMIT],
            "local",
            source,
            profile=f'{{"pictures": {pictures}}}',
        )
        self._client.add_input(
            self.run_id, DatasetInput(dataset, [InputTag("mlflow.data.context", context)])
        )

    def snapshot(self, key: str, picture: np.ndarray, step: int) -> None:
        """Add a uint8 picture (H, W, 3) to the series that the UI's slider runs through."""
        self._client.add_picture(self.run_id, Image.fromarray(picture), image_key(key), step)

    def picture(self, file: str, picture: np.ndarray | Image.Image) -> None:
        """Save a picture (uint8 where it is an array) as an artifact."""
        self._client.log_image(self.run_id, picture, artifact_file=file)

    def figure(self, file: str, figure: Figure) -> None:
        """Save a figure as an artifact."""
        self._client.log_figure(self.run_id, figure, file)

    def table(self, file: str, table: pd.DataFrame) -> None:
        """Save a table as an artifact that the UI shows as one."""
        self._client.replace_table(self.run_id, table, file)

    def text(self, file: str, text: str) -> None:
        """Save a text as an artifact."""
        self._client.log_text(self.run_id, text, file)

    def json(self, file: str, content: dict[str, Any]) -> None:
        """Save a dictionary as an artifact."""
        self._client.log_dict(self.run_id, content, file)

    def end(self, status: str, stopped_by: str, reason: str) -> None:
        """Record how the run ended and close it.

        Args:
            status: "finished", "diverged", "failed" or "killed".
            stopped_by: "epochs", "converged", "diverged", "error", "interrupted" or "lost".
            reason: a sentence.
        """
        self.tags({"status": status, "stopped_by": stopped_by, "reason": reason})
        states = {"finished": "FINISHED", "killed": "KILLED"}
        self._client.set_terminated(self.run_id, states.get(status, "FAILED"))


class ContinuedLog(RunLog):
    """Goes on writing a run that was ended before its time; nothing of it is there twice.

    What a run computes again, from its last checkpoint on, comes out the same. So of metrics only
    the points that are missing are added, and files are written again, whole.
    """

    def __init__(self, client: Store, run_id: str) -> None:
        """For a run that exists."""
        super().__init__(client, run_id)
        self._steps: dict[str, set[int]] = {}

    def reopen(self, tags: Mapping[str, str]) -> None:
        """Set it running again, under these tags."""
        self._client.update_run(self.run_id, status="RUNNING")
        begun = {"status": "running", "stopped_by": "", "reason": ""}
        self.tags({**tags, **begun})
        self._client.remove(self.run_id, "error.txt")

    def keep_snapshots(self, steps: Collection[int]) -> None:
        """Remove the pictures of other epochs than these; they will be logged again."""
        for item in self._client.list_artifacts(self.run_id, "images"):
            found = SNAPSHOT.match(item.path)
            if found and int(found[1]) not in steps:
                self._client.remove(self.run_id, item.path)

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log the finite metrics that have no point at this step yet."""
        super().metrics({k: v for k, v in metrics.items() if step not in self._known(k)}, step)

    def data(self, name: str, context: str, source: str, digest: str, pictures: int) -> None:
        """Log a set of pictures as an input, if it is not there yet."""
        there = self._client.get_run(self.run_id).inputs.dataset_inputs
        known = {(one.dataset.name, one.dataset.digest) for one in there}
        if (name, digest[:DIGEST_LIMIT]) not in known:
            super().data(name, context, source, digest, pictures)

    def _known(self, metric: str) -> set[int]:
        if metric not in self._steps:
            points = self._client.get_metric_history(self.run_id, metric)
            self._steps[metric] = {point.step for point in points}
        return self._steps[metric]


def image_key(name: str) -> str:
    """A name in the letters that MLflow allows in keys; others leave a mark of what they were."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    allowed = "".join(c if c.isalnum() or c in "_-./ " else "_" for c in folded)
    allowed = allowed[:LONGEST_KEY].strip(" .")
    return name if allowed == name else f"{allowed}-{zlib.crc32(name.encode()):08x}"
