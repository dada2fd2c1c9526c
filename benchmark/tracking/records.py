"""What MLflow holds of a run: typed records, and every name of a tag, a metric and an artifact."""

import json
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, ClassVar, Literal, TypeVar

from mlflow.entities import Run
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.runtime.processes import Owner

Status = Literal["running", "finished", "diverged", "failed", "killed"]

MLFLOW_STATUS: Mapping[Status, str] = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "diverged": "FAILED",
    "failed": "FAILED",
    "killed": "KILLED",
}

KIND, STATUS = "kind", "status"

TAGS = {"commit": "mlflow.source.git.commit", "parent": "mlflow.parentRunId"}
"""Names of the tags that are not called like their field."""

TAG_GROUPS = {"owner": "process.", "versions": "version.", "hardware": "hardware."}
"""Fields of which each entry has a tag of its own, so that MLflow's UI compares them one by one."""

TAG_LIMIT = 8000
"""Characters of a tag that MLflow stores; longer values continue in NAME.2, NAME.3, …"""

MADE_ELSEWHERE = "pictures"
"""The aggregation of a run whose pictures another program made."""

SCORE_PREFIX = "metrics/"
"""Prefix of the MLflow metrics that hold a run's mean scores."""


class Artifact(StrEnum):
    """The files and folders of a run or sweep in MLflow."""

    CONFIG = "config.json"
    DATA = "data.json"
    EXAMPLES = "examples.json"
    PAINTING_LOSSES = "painting_losses.json"
    SCORES = "scores.csv"
    METRICS = "metrics.json"
    PEOPLE = "people.csv"
    CONTACT_SHEET = "contact_sheet.png"
    LOSS_CURVES = "loss_curves.png"
    FIT_CURVES = "curves.png"
    CONFUSION = "confusion.png"
    KERAS_MODEL = "model"
    CHOICE = "choice.json"
    ERROR = "error.txt"
    PLAN = "sweep.json"
    SWEEP_SHEET = "sheet.png"
    SWEEP_TABLE = "results.json"
    RESULTS = "results"
    RESULTS_ORIGINAL_SIZE = "results_original_size"


class Record(BaseModel):
    """A typed record: cannot be changed, and has no other fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Facts(Record):
    """What is recorded of a run or a sweep in tags; a field that is not set is not written."""

    kind: ClassVar[str]
    sweep: str = ""
    command: str = ""
    owner: Owner | None = None
    # "epochs", "converged", "not converged", "diverged", "error", "interrupted", "lost" or
    # "complete".
    stopped_by: str = ""
    reason: str = ""  # the same in a sentence
    times_resumed: int = 0
    times_lost: int = 0  # how often its process ended without recording that


class Evaluator(Record):
    """A pretrained network, or one of a fitted classifier, by which a run was scored."""

    weights: str = "?"  # "imagenet", "random" or a file
    digest: str = ""
    optimised: bool = False  # whether the run's pictures were optimised with the same network
    chose: bool = False  # whether it chose the run's style sets


class RunFacts(Facts):
    """What is recorded of a run in tags."""

    kind = "run"
    parent: str = ""  # MLflow's id of the sweep's run; empty for a single run
    number: int = 0  # position in the sweep, from 0
    # Hash of all that shapes its losses but its data; empty where `benchmark.resume` cannot do it.
    fingerprint: str = ""
    backbone: str = ""
    agg: str = ""
    optimizer: str = ""
    overrides: Mapping[str, str] = {}  # value by option, from the command line
    commit: str = ""
    versions: Mapping[str, str] = {}
    hardware: Mapping[str, str] = {}
    weights: str = ""  # "imagenet", "random" or a file; empty until they are loaded
    weights_note: str = ""  # why ImageNet weights were replaced by random ones
    weights_digest: str = ""
    artists: tuple[str, ...] = ()  # names; empty until the images are loaded
    contents: tuple[str, ...] = ()  # likewise
    style_digest: str = ""
    content_digest: str = ""
    masks_digest: str = ""  # of those of content pictures and of paintings; empty: none
    reference_digest: str = ""  # of the paintings that metrics compare with
    batch: int | None = None  # most examples that are optimised together
    evaluators: Mapping[str, Evaluator] = {}
    skipped_metrics: Mapping[str, str] = {}  # reason by metric


class SweepFacts(Facts):
    """What is recorded of a sweep of so many `runs` in the tags of its parent run.

    Their `swept` options differ, besides backbone, aggregation and optimiser.
    """

    kind = "sweep"
    runs: int = 0
    swept: tuple[str, ...] = ()


class ClassifierFacts(Facts):
    """What is recorded of a fitted classifier in the tags of its run."""

    kind = "classifier"
    groups: tuple[str, ...] = ()
    dataset: str = ""
    backbones: Mapping[str, str] = {}  # its networks' backbones and weights
    digest: str = ""  # of its files


class Results(Record, extra="ignore"):
    """A run's final numbers, as MLflow metrics: means over the examples of the pictures kept."""

    final_total_loss: float | None = None
    final_style_loss: float | None = None
    final_content_loss: float | None = None
    loss_ratio: float | None = None
    examples: int | None = None
    epochs_done: int | None = None
    seconds: float | None = None


class PaintingLoss(Record):
    """A result against one painting of its artist: a row of `Artifact.PAINTING_LOSSES`."""

    artist: str
    content: str
    painting: str
    style_loss: float  # before it is aggregated with the others'; NaN where it was not finite
    gradient_share: float  # see `transfer.painting_losses`; NaN where it is unknown
    nearest: bool  # whether the painting of this result's lowest style loss


class ChosenPainting(Record):
    """A painting of a style set, as the run's classifier sees it: a row of `Artifact.CHOICE`."""

    artist: str
    painting: str
    source: str
    probability: float  # of its group, in [0, 1]
    distance: float  # from the first painting of its set, in the classifier's 128-vector
    fitted: bool  # whether the classifier was fitted on it


class DataFiles(Record):
    """The images that a run used: `Artifact.DATA`.

    Digest by file, of style images for each artist; by artist the files that metrics compare with.
    """

    style: Mapping[str, Mapping[str, str]]
    content: Mapping[str, str]
    references: Mapping[str, Sequence[str]]


class Stored(Record):
    """What a store has of each run."""

    run_id: str
    name: str
    status: Status  # MLflow's, where "diverged" is told from "failed"
    started: float  # seconds since 1970


class RunRecord(RunFacts, Stored):
    """A run as the store has it."""

    params: Mapping[str, str]  # the resolved configuration, flat, as text
    results: Results
    scores: Mapping[str, float]  # mean of each metric, "NAME" or "NAME.EVALUATOR"

    @property
    def is_ours(self) -> bool:
        """Whether it was painted here, and not by a program whose pictures were scored."""
        return self.agg != MADE_ELSEWHERE

    @property
    def seconds_each(self) -> float:
        """Seconds that a picture took; NaN where they are unknown."""
        seconds, examples = self.results.seconds, self.results.examples
        return seconds / examples if seconds is not None and examples else float("nan")


class SweepRecord(SweepFacts, Stored):
    """The parent run of a sweep as the store has it."""


class ClassifierRun(ClassifierFacts, Stored):
    """The run of a fitted classifier as the store has it."""


AnyRecord = RunRecord | SweepRecord | ClassifierRun

RecordType = TypeVar("RecordType", bound=Record)


def to_tags(facts: Facts) -> dict[str, str]:
    """The tags of the fields that are set: text as it is, all else as JSON."""
    tags: dict[str, str] = {}
    for field in facts.model_fields_set:
        value = getattr(facts, field)
        if field == "parent" and not value:
            continue  # MLflow's UI shows no run at all where one's parent is empty.
        if field in TAG_GROUPS:
            entries = value._asdict() if isinstance(value, Owner) else value
            tags |= {f"{TAG_GROUPS[field]}{key}": str(entry) for key, entry in entries.items()}
        else:
            plain = facts.model_dump(mode="json", include={field})[field]
            whole = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
            parts = [whole[at : at + TAG_LIMIT] for at in range(0, len(whole), TAG_LIMIT)] or [""]
            name = TAGS.get(field, field)
            tags |= {_part(name, number): part for number, part in enumerate(parts, start=1)}
    return tags


def first_tags(facts: Facts) -> dict[str, str]:
    """The tags with which a run or sweep begins."""
    fixed = {KIND: facts.kind, STATUS: "running", "mlflow.source.name": "python -m benchmark"}
    return fixed | to_tags(facts)


def to_record(run: Run) -> AnyRecord | None:
    """The record of an MLflow run; None if it is no run of this program, sweep or classifier.

    A tag that cannot be read, because someone edited it, counts as not set.
    """
    tags, metrics = run.data.tags, run.data.metrics
    possible = [s for s, name in MLFLOW_STATUS.items() if name == run.info.status] or ["running"]
    stored = {
        "run_id": run.info.run_id,
        "name": run.info.run_name or "",
        "status": tags.get(STATUS) if tags.get(STATUS) in possible else possible[-1],
        "started": (run.info.start_time or 0) / 1000,
    }
    if tags.get(KIND) == SweepFacts.kind:
        return _validated(SweepRecord, stored | _from_tags(SweepFacts, tags))
    if tags.get(KIND) == ClassifierFacts.kind:
        return _validated(ClassifierRun, stored | _from_tags(ClassifierFacts, tags))
    if tags.get(KIND) != RunFacts.kind:
        return None
    stored |= {
        "params": run.data.params,
        "results": _validated(Results, metrics),
        "scores": {
            name.removeprefix(SCORE_PREFIX): v
            for name, v in metrics.items()
            if name.startswith(SCORE_PREFIX)
        },
    }
    return _validated(RunRecord, stored | _from_tags(RunFacts, tags))


def result_file(artist: str, content: str, folder: str = Artifact.RESULTS) -> str:
    """The artifact that holds the result of an example."""
    return f"{folder}/{image_key(artist)}/{image_key(content)}.png"


def content_file(content: str) -> str:
    """The artifact that holds a content picture."""
    return f"contents/{image_key(content)}.png"


def mask_file(content: str, artist: str = "") -> str:
    """The artifact that shows where all artists' styles, or one's, act in a content picture."""
    return "/".join(["masks", *map(image_key, filter(None, (artist, content)))]) + ".png"


def style_set_file(artist: str) -> str:
    """The artifact that shows an artist's style set."""
    return f"sets/{image_key(artist)}.jpg"


def painting_file(artist: str, painting: str) -> str:
    """The artifact that holds a painting that is some result's nearest."""
    return f"paintings/{image_key(artist)}/{image_key(painting)}.jpg"


def image_key(name: str) -> str:
    """A name in the characters that MLflow allows in keys, with a checksum if that changes it."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    allowed = "".join(c if c.isalnum() or c in "_-./ " else "_" for c in folded)
    allowed = allowed[:100].strip(" .")  # MLflow adds as many to make a file name of it.
    return name if allowed == name else f"{allowed}-{zlib.crc32(name.encode()):08x}"


def _part(name: str, number: int) -> str:
    return name if number == 1 else f"{name}.{number}"


def _from_tags(kind: type[Facts], tags: Mapping[str, str]) -> dict[str, Any]:
    """The fields that tags set, not validated yet."""
    values: dict[str, Any] = {}
    for field, described in kind.model_fields.items():
        prefix = TAG_GROUPS.get(field)
        if prefix:
            entries = {k.removeprefix(prefix): v for k, v in tags.items() if k.startswith(prefix)}
            values |= {field: entries} if entries else {}
        elif (name := TAGS.get(field, field)) in tags:
            whole, number = tags[name], 1
            # A part that is not full is the last: what follows is of a longer value before.
            while len(whole) == number * TAG_LIMIT and _part(name, number + 1) in tags:
                number += 1
                whole += tags[_part(name, number)]
            with suppress(ValueError):
                values[field] = whole if described.annotation is str else json.loads(whole)
    return values


def _validated(kind: type[RecordType], values: Mapping[str, Any]) -> RecordType:
    """A record of these values, without those that cannot be."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors()}
        return kind.model_validate({k: v for k, v in values.items() if k not in wrong})
