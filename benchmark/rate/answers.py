"""The files of answers that the page exports, read and checked."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import BaseModel, Field, StringConstraints, TypeAdapter

from benchmark.config.errors import ConfigError, validated
from benchmark.rate.pictures import RatedPicture

LOWEST, HIGHEST = 1, 10
"""The scores."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"\S")]

Score = Annotated[int, Field(strict=True, ge=LOWEST, le=HIGHEST)]


class Answers(BaseModel, frozen=True):
    """One person's scores of some pictures, by their ids."""

    question: Text
    rater: Text
    scores: dict[str, Score]


ANSWERS = TypeAdapter(Answers)


def read_answers(file: str) -> Answers:
    """A file of answers.

    Raises:
        ConfigError: it cannot be read, is damaged or no such file, has no answer, or a wrong one.
    """
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", "--read", file) from error
    except ValueError as error:  # Neither UTF-8 nor JSON.
        reason = f"is damaged ({error}): export it from the page again"
        raise ConfigError(reason, "--read", file) from error
    fields = Answers.model_fields.keys()
    if not isinstance(content, dict) or not fields <= content.keys():
        reason = f"has no answers that the page exported: there is no {', '.join(fields)} in it"
        raise ConfigError(reason, "--read", file)
    answers = validated(ANSWERS, content, file)
    if not answers.scores:
        raise ConfigError("has no answers yet", "--read", file)
    return answers


def read_all_answers(files: Sequence[str]) -> dict[str, Answers]:
    """The answers of several people, by file.

    Raises:
        ConfigError: see `read_answers`; or two are of one person, or to different questions.
    """
    read: dict[str, Answers] = {}
    for file in files:
        answers = read_answers(file)
        for other, earlier in read.items():
            if earlier.rater == answers.rater:
                reason = f"is by the same person as {other}, '{answers.rater}': leave one out"
                raise ConfigError(reason, "--read", file)
            if earlier.question != answers.question:
                reason = f"answers another question than {other}: read them apart"
                raise ConfigError(reason, "--read", file)
        read[file] = answers
    return read


def answers_table(
    by_file: dict[str, Answers], pictures: Sequence[RatedPicture], title: str
) -> pd.DataFrame:
    """A row per answer: rater, score, picture (its id), and the fields of `RatedPicture`.

    Raises:
        ConfigError: an answer is about no picture of these runs.
    """
    known = {picture.id: picture for picture in pictures}
    for file, answers in by_file.items():
        unknown = [picture for picture in answers.scores if picture not in known]
        if len(unknown) == len(answers.scores):
            reason = f"is about no picture of {title}: name the sweep of its page with --sweep"
            raise ConfigError(reason, "--read", file)
        if unknown:
            raise ConfigError(f"{title} has no such picture", f"{file}.scores.{unknown[0]}")
    return pd.DataFrame(
        {"rater": answers.rater, "score": score, "picture": picture, **known[picture]._asdict()}
        for answers in by_file.values()
        for picture, score in answers.scores.items()
    )
