"""The content pictures of a run."""

from typing import Literal

from pydantic import BaseModel, PositiveInt

from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, Text
from benchmark.config.signatures import arguments_of, function_of
from benchmark.runs.variants import keys_of
from benchmark.runs.workspace import Workspace, disk_cache
from datasets import ImageSet, LoadedImages, selection


class ContentChoice(BaseModel):
    """The keys of `content` that say which pictures are taken of those it has.

    By `names`, or the first `count`; with split=train or test so many of each, drawn. And the
    place of the `masks` that say where in them styles act.
    """

    names: list[str] | None = None
    count: PositiveInt = 2
    train: PositiveInt = 10
    test: PositiveInt = 5
    masks: Text | None = None


def load_content(config: Config, workspace: Workspace) -> LoadedImages:
    """The content pictures of a run."""
    wanted = keys_of("content", config.content, ContentChoice)
    function = function_of("content", config.content)
    available: ImageSet = function(
        **arguments_of("content", config.content, without=ContentChoice.model_fields)
    )
    if not isinstance(available, ImageSet):
        raise ConfigError("must return an ImageSet", "content._target_", config.content["_target_"])
    if config.split is None:
        found = selection.named_or_first(available, wanted.names, wanted.count)
    elif wanted.names is not None:
        raise ConfigError(
            "draws the content images, content.names names them: leave one out",
            "split",
            config.split,
        )
    else:
        split: Literal["train", "test"] = config.split.value
        found = selection.random_split(available, split, wanted.train, wanted.test, config.seed)
    return workspace.kept.images(found, config.image_size, disk_cache(config))
