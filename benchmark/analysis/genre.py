"""Whether style sets of several pictures make a genre, from the runs of `experiment=genre`."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import pandas as pd

from benchmark.analysis.answers import Pair, comparisons
from benchmark.analysis.comparison import Place, RunSet
from benchmark.analysis.questions import Answer, Page, Question
from benchmark.config.errors import ConfigError
from benchmark.metrics.classifier import ClassifierRecord
from benchmark.metrics.table import CONTENT
from benchmark.runs.classifiers import read_classifier
from benchmark.tracking.records import Evaluator, RunRecord

RECOGNITION = "genre_recognition"

METRICS = (RECOGNITION, "genre_probability", "change", "ssim", "grain", "content_distance")

USUAL = {
    "dataset.selection": "top_nearest",
    "dataset.paintings": "3",
    "backbone.pooling": "max",
    "agg.weights": "None",
}
"""What runs have in common where a question does not vary it."""

POOLING = {"max": "max pooling", "avg": "average pooling"}

PUBLISHED = (
    "Published, with other groups (docs/genre.md): people gave results of three pictures 5.9 of 10 "
    "and of one 4.2; the classifier that had chosen them recognised 31 % and 23 %."
)


def answer_with(runs: RunSet, pairs: Iterable[tuple[str, str]], first: Sequence[str]) -> Answer:
    """Sentences about pairs of runs in what both judges say, and in grain and content."""
    names = runs.records
    columns = runs.of_metrics(RECOGNITION, "genre_probability", "grain", "content_distance")
    compared: list[Pair] = [
        (one, other, column)
        for one, other in pairs
        if one in names and other in names
        for column in columns
    ]
    shares = "Share of each group's results that the last of the judges recognises."
    tables = {shares: by_group(runs)} if runs.of_metrics(RECOGNITION) else {}
    return Answer([*first, *judges(runs), *comparisons(runs, compared)], tables)


def judges(runs: RunSet) -> list[str]:
    """How good the judges are, and what they take the untouched photographs for."""
    first = next(iter(runs.places.values()))
    value = str(first.params.get("dataset.classifier"))
    sentences = []
    try:
        record = read_classifier("dataset.classifier", value, runs.tracker.uri).record
        sentences = [described(record)]
    except ConfigError as error:
        sentences = [f"The classifier cannot be read any more: {error.reason}."]
    for column in runs.of_metrics(RECOGNITION):
        untouched = runs.of_subject(column, CONTENT)
        chose = [
            n
            for n, run in runs.records.items()
            if run.evaluators.get(column.evaluator, Evaluator()).chose
        ]
        role = f"chose the style sets of {', '.join(chose)}" if chose else "chose no style set"
        found = untouched[untouched > 0].reset_index()
        taken = (found["content"] + " for " + found["artist"]).tolist()
        photographs = f"; it takes the untouched {', '.join(taken)}" if taken else ""
        sentences.append(f"The {column.evaluator} {role}{photographs}.")
    return sentences


def described(record: ClassifierRecord) -> str:
    """The networks of a classifier and their accuracy on test pictures."""
    listed = "; ".join(
        f"{name}: {one.backbone} ({one.layer}), right about {one.accuracy:.0%} "
        f"[{one.accuracy_low:.0%}, {one.accuracy_high:.0%}] of {one.tested} test pictures"
        for name, one in record.networks.items()
    )
    return f"{listed}; by chance {1 / len(record.labels):.0%}."


def by_group(runs: RunSet) -> pd.DataFrame:
    """The share of results recognised of each group, a column a run."""
    [*_, last] = runs.of_metrics(RECOGNITION)
    table = runs.of_runs(last).groupby("artist", sort=False).mean()
    return table.rename_axis("group").rename_axis(None, axis=1).reset_index()


def place_of(
    varied: str, label: Callable[[str], str], fixed: Mapping[str, str] | None = None
) -> Callable[[RunRecord], Place | None]:
    """Where a run belongs in a question that varies one option, the others being as usual."""
    expected = {option: v for option, v in {**USUAL, **(fixed or {})}.items() if option != varied}

    def place(run: RunRecord) -> Place | None:
        if any(run.params.get(option) != value for option, value in expected.items()):
            return None
        column = label(run.params[varied])
        usual = run.backbone == "vgg" and run.agg == "simple"
        row = "" if usual else f"{run.backbone} {run.agg}"
        return Place(f"{row} {column}".strip(), row, column)

    return place


def against(names: Sequence[str], one: str) -> list[tuple[str, str]]:
    """A run with each of some others."""
    return [(one, name) for name in names if name != one]


def answer_paintings(runs: RunSet) -> Answer:
    """Whether several pictures are recognised where one is not."""
    single = "1 picture"
    pairs = [(name, single) for name in runs.records if name != single]
    return answer_with(runs, pairs, [PUBLISHED])


def answer_selection(runs: RunSet) -> Answer:
    """Whether the surest picture and its nearest are better than other sets."""
    claim = "Published: random fives and the five surest failed, the surest and its nearest worked."
    return answer_with(runs, against([*runs.records], "top_nearest"), [claim])


def answer_pooling(runs: RunSet) -> Answer:
    """Whether average pooling is better."""
    claim = "Published: average pooling is slightly better than the maximum."
    return answer_with(runs, [("average pooling", "max pooling")], [claim])


def answer_set_weights(runs: RunSet) -> Answer:
    """Whether unequal weights of the pictures of a set are better."""
    return answer_with(runs, [(n, "even") for n in runs.records if n != "even"], [])


def left_open(answered: Iterable[RunSet]) -> list[str]:
    """What these runs cannot say."""
    runs = [run for of_question in answered for run in of_question.places.values()]
    random = sorted({run.backbone for run in runs if run.weights == "random"})
    points = [
        "Judges are classifiers of photographs. What people see is asked with "
        "`python -m benchmark.rate`.",
        "An interval is over the results of these groups and photographs, not over other ones.",
    ]
    if random:
        points.append(f"{', '.join(random)} had random weights: no answer about trained networks.")
    return points


def question(
    name: str,
    title: str,
    place: Callable[[RunRecord], Place | None],
    answer: Callable[[RunSet], Answer],
) -> Question:
    """A question to the runs of the experiment `genre`."""
    return Question(
        "genre",
        title,
        "groups down, runs across",
        place,
        answer,
        name,
        ("dataset.selection",),
        METRICS,
        every_artist=True,
    )


GENRE_PAGE = Page(
    "Genres: style sets of several pictures",
    "genre.md",
    (
        question(
            "paintings",
            "Does a set of several pictures make the genre, where one does not?",
            place_of("dataset.paintings", lambda n: f"{n} picture{'s' * (n != '1')}"),
            answer_paintings,
        ),
        question(
            "selection",
            "Which five pictures of a group make its style?",
            place_of("dataset.selection", str, {"dataset.paintings": "5"}),
            answer_selection,
        ),
        question(
            "pooling",
            "Is average pooling better than the maximum?",
            place_of("backbone.pooling", lambda kind: POOLING[kind]),
            answer_pooling,
        ),
        question(
            "weights",
            "Is it better to weight the surest picture, or its nearest, more?",
            place_of("agg.weights", lambda w: "even" if w == "None" else w),
            answer_set_weights,
        ),
    ),
    left_open,
)
