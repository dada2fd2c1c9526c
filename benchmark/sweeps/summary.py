"""The end of a sweep: the result table, the sheet of all cells, where to look next."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmark.analysis.comparison import read_runs, results_table
from benchmark.analysis.pages import as_text
from benchmark.config.paths import ROOT
from benchmark.images import sheets
from benchmark.runs.progress import announce_weights
from benchmark.tracking.records import Artifact, RunRecord
from benchmark.tracking.store import is_server
from benchmark.tracking.tracker import DEFAULT_URI, Tracker

MOST_PATHS = 12
"""Most runs whose pictures' paths the summary prints; the sweep's sheet shows them all."""


def sweep_sheet(tracker: Tracker, runs: Sequence[RunRecord]) -> Image.Image | None:
    """All cells side by side: backbones (and what else was swept) down, aggregations across.

    Of one aggregation with several options, the last of these is across.
    """
    cells: dict[tuple[str, str], np.ndarray] = {}
    legends: dict[str, None] = {}  # one, unless runs have different artists or contents
    places = read_runs(tracker, runs).places
    one_column = len({place.column for place in places}) == 1
    for place, run in places.items():
        if tracker.has_artifact(run.run_id, Artifact.EXAMPLES):
            row, _, last = place.row.rpartition(" ")
            at = (row, last) if one_column and " " in row else (place.row, place.column)
            cells[at], names = _cell_picture(tracker, run)
            legends[", ".join(names)] = None
    if not cells:
        return None
    kinds = sorted({run.weights or "?" for run in runs})
    warning = " - RANDOM WEIGHTS, NOT TRAINED" if "random" in kinds else ""
    caption = f"{runs[0].sweep} · weights: {', '.join(kinds)}{warning}"
    legend = "\nor: ".join(legends)
    return sheets.named_grid(cells, f"{caption}\nin each cell: {legend}")


def summarise(
    output: Console, tracker: Tracker, runs: Sequence[RunRecord], sweep: str | None = None
) -> None:
    """Print the result table, where the pictures are, and how to open the MLflow UI."""
    table = Table(title=f"sweep {sweep}" if sweep else None, title_justify="left")
    table.add_column("run", overflow="fold")  # Its end may be all that tells it from another.
    columns = ["stopped_by", "epochs", "total_loss", "loss_ratio", "seconds", "weights"]
    shown = results_table(runs)[columns] if runs else pd.DataFrame()
    known = dict.fromkeys(name for run in runs for name in sorted(run.scores))
    for wanted in ("ssim", "grain", "held_out_distance."):
        # By the first evaluator that has it.
        if metric := next((name for name in known if name.startswith(wanted)), None):
            scores = [run.scores.get(metric) for run in runs]
            shown.insert(len(shown.columns) - 1, metric, scores)
    for column in shown.columns:
        table.add_column(column, justify="left" if column in ("stopped_by", "weights") else "right")
    for run, row in zip(runs, as_text(shown).itertuples(index=False), strict=True):
        table.add_row(run.name, *row)
    output.print(table)
    parent = tracker.sweep_run(sweep) if sweep else None
    print_unfinished(output, tracker, runs, parent.runs if parent else 1)
    for what, run_id, file in [
        *([("all runs", parent.run_id, Artifact.SWEEP_SHEET)] if parent else []),
        *((run.name, run.run_id, Artifact.CONTACT_SHEET) for run in runs[:MOST_PATHS]),
    ]:
        if tracker.has_artifact(run_id, file):
            output.print(f"picture of {what}: {tracker.location(run_id, file)}", soft_wrap=True)
    if len(runs) > MOST_PATHS:
        output.print(f"and of {len(runs) - MOST_PATHS} more runs, each in its artifacts")
    fallbacks = {run.backbone: run.weights_note for run in runs if run.weights_note}
    announce_weights(output, fallbacks)
    print_skipped_metrics(output, runs)
    if runs:
        command = f"python -m benchmark.report --sweep {runs[0].sweep}{store_argument(tracker)}"
        output.print(f"report: {command}", soft_wrap=True)
        page = tracker.runs_page(runs[0].sweep)
        output.print(f"MLflow UI: {ui_command(tracker)}", soft_wrap=True)
        output.print(f"then open: {page}", soft_wrap=True)


def print_unfinished(
    output: Console, tracker: Tracker, runs: Sequence[RunRecord], planned: int
) -> None:
    """Print each run that did not finish with its reason, and the command that resumes those."""
    unfinished = [run for run in runs if run.status != "finished"]
    for run in unfinished:
        output.print(f"{run.name}: {run.status} - {run.reason}", style="red", soft_wrap=True)
        if run.status == "diverged":
            output.print(f"  try other options: {run.command}", soft_wrap=True)
    left = [run for run in unfinished if run.status != "diverged"]
    never = planned - len(runs)
    if never > 0:
        output.print(f"never started: {never} of {planned} runs", style="red")
    if runs and (left or never > 0):
        command = resume_command(tracker, runs[0].sweep)
        output.print(f"resume just these: {command}", soft_wrap=True)


def print_skipped_metrics(output: Console, runs: Sequence[RunRecord]) -> None:
    """Print the metrics that were skipped, a line per reason, if not announced at the start."""
    reasons: dict[str, dict[str, None]] = {}
    for run in runs:
        missing = run.skipped_metrics
        announced = {reason for name, reason in missing.items() if name.startswith("metrics by ")}
        for metric, reason in missing.items():
            if reason not in announced:
                reasons.setdefault(reason, {})[metric] = None
    for reason, metrics in reasons.items():
        output.print(f"skipped metrics: {', '.join(metrics)} ({reason})", soft_wrap=True)


def resume_command(tracker: Tracker, sweep: str) -> str:
    """The command that resumes a sweep."""
    return f"python -m benchmark.resume {sweep}{store_argument(tracker)}"


def ui_command(tracker: Tracker) -> str:
    """What serves the MLflow UI on a store; of a server its address."""
    if is_server(tracker.uri):
        return tracker.uri
    if Path(sys.prefix) != ROOT / ".venv":
        return f"python -m benchmark.ui{store_argument(tracker)}"
    return "make ui" + ("" if tracker.uri == DEFAULT_URI else f" URI={shlex.quote(tracker.uri)}")


def store_argument(tracker: Tracker) -> str:
    """The argument that names a store, unless it is the default one."""
    return "" if tracker.uri == DEFAULT_URI else f" --tracking-uri {shlex.quote(tracker.uri)}"


def _cell_picture(tracker: Tracker, run: RunRecord) -> tuple[np.ndarray, list[str]]:
    """Four examples of a run at most, spread over its artists, in one square; and their names."""
    table = tracker.read_table(run.run_id, Artifact.EXAMPLES)
    chosen = np.unique(np.linspace(0, len(table) - 1, 4).round().astype(int))
    pictures = [tracker.read_picture(run.run_id, table["picture"][i]) for i in chosen]
    square = sheets.mosaic(pictures, columns=2 if len(pictures) > 1 else 1, size=320)
    return square, [f"{table['artist'][i]}/{table['content'][i]}" for i in chosen]
