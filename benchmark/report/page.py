"""A report as one HTML page that needs no network: its sections, and how to repeat the runs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import vl_convert

from benchmark.analysis.charts import VEGA_LITE, to_png, to_svg
from benchmark.analysis.comparison import DAGGER_NOTE, read_runs
from benchmark.analysis.pages import Content, render, write_files
from benchmark.analysis.run_selection import not_started
from benchmark.report.figures import DIRECTIONS, figures
from benchmark.report.findings import distinct, findings, warnings
from benchmark.report.gallery import Gallery, gallery
from benchmark.report.results import result_table
from benchmark.tracking.records import Artifact, DataFiles, RunRecord
from benchmark.tracking.tracker import Tracker

PAGE_TEMPLATE = Path(__file__).with_name("report.html.jinja")


def write_report(
    tracker: Tracker, title: str, records: Sequence[RunRecord], file: Path
) -> list[Path]:
    """Write the page, and its figures as PNG and SVG beside it; returns the figures' files."""
    runs = read_runs(tracker, records)
    charts = figures(runs)
    # To check each against its schema takes as long as to draw it.
    specifications = [figure.chart.to_dict(validate=False) for figure in charts]
    drawn = list(zip(charts, map(to_svg, specifications), strict=True))
    context = {
        "title": title,
        "started": _date(min(record.started for record in records)),
        "written": _date(datetime.now(UTC).timestamp()),
        "warnings": warnings(runs),
        "findings": findings(runs, not_started(tracker, title, records)),
        "records": records,
        "names": [*runs.records],
        "table": result_table(runs),
        "dagger_note": DAGGER_NOTE,
        "figures": drawn,
        "specifications": [{**one, "width": "container"} for one in specifications],
        "groups": {
            group: [place for place, (figure, _) in enumerate(drawn) if figure.group == group]
            for group in distinct(figure.group for figure, _ in drawn)
        },
        "metrics": runs.metrics,
        "computed": {column.metric for column in runs.columns},
        "directions": DIRECTIONS,
        "evaluators": {n: e for known in runs.evaluators.values() for n, e in known.items()},
        "provenance": provenance(tracker, records),
        # What the page's own script takes from the bundle.
        "vega": vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", vl_version=VEGA_LITE),
    }
    without_pictures = render(PAGE_TEMPLATE, **context, gallery=Gallery())
    # Of the page's 9.5 MB the pictures have what the rest leaves.
    pictures = gallery(runs, 9_500_000 - len(without_pictures.encode()))
    write_files(file.parent, {file.name: render(PAGE_TEMPLATE, **context, gallery=pictures)})
    images: dict[str, Content] = {}
    for figure, svg in drawn:
        images |= {f"{figure.file}.svg": svg, f"{figure.file}.png": to_png(svg)}
    return write_files(file.parent / "figures", images)


def provenance(tracker: Tracker, records: Sequence[RunRecord]) -> dict[str, Any]:
    """What the runs were made from, and by which commands: the sweeps', or else their own.

    Options that differ between the runs have the value in each.
    """
    sweeps = distinct(record.sweep for record in records if record.sweep)
    parents = {sweep: tracker.sweep_run(sweep) for sweep in sweeps}
    started_by = (parents.get(record.sweep) or record for record in records)
    configs = [options_of(tracker, record) for record in records]
    keys = distinct(key for config in configs for key in config)
    options = {key: [config.get(key, "-") for config in configs] for key in keys}
    return {
        "commands": distinct(filter(None, (one.command for one in started_by))),
        "common": {key: values[0] for key, values in options.items() if len(set(values)) == 1},
        "differing": {key: values for key, values in options.items() if len(set(values)) > 1},
        "facts": provenance_facts(records),
        "files": data_files(tracker, records),
    }


def options_of(tracker: Tracker, record: RunRecord) -> dict[str, str]:
    """A run's resolved configuration, flat, without where it was tracked."""
    options: Mapping[Any, Any] = record.params
    if tracker.has_artifact(record.run_id, Artifact.CONFIG):
        config = tracker.read_json(record.run_id, Artifact.CONFIG)
        [options] = pd.json_normalize(config).to_dict("records")
    return {str(k): str(v) for k, v in options.items() if not str(k).startswith("tracking.")}


def provenance_facts(records: Sequence[RunRecord]) -> dict[str, str]:
    """Data, weights, versions, hardware and commit, each with the values that the runs have."""
    facts = [
        {
            "artists": "; ".join(r.artists),
            "contents": "; ".join(r.contents),
            "style digest": r.style_digest,
            "content digest": r.content_digest,
            "weights": r.weights,
            "weights digest": r.weights_digest,
            "commit": r.commit,
            **{f"hardware {part}": value for part, value in sorted(r.hardware.items())},
            **{f"version of {package}": value for package, value in sorted(r.versions.items())},
        }
        for r in records
    ]
    joined = {
        str(fact): " | ".join(distinct(filter(None, values)))
        for fact, values in pd.DataFrame(facts).fillna("").items()
    }
    return {fact: text for fact, text in joined.items() if text}


def data_files(tracker: Tracker, records: Sequence[RunRecord]) -> dict[str, list[tuple[str, str]]]:
    """File and digest of each set, from the first run that recorded them; none if over 400."""
    record = next((r for r in records if tracker.has_artifact(r.run_id, Artifact.DATA)), None)
    if record is None:
        return {}
    data = DataFiles.model_validate(tracker.read_json(record.run_id, Artifact.DATA))
    sets = {**data.style, "content pictures": data.content}
    if sum(map(len, sets.values())) > 400:
        return {}
    return {
        name: [(Path(file).name, digest) for file, digest in files.items()]
        for name, files in sets.items()
    }


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%d %B %Y, %H:%M %Z")
