"""The checks of a configuration that its schema cannot express: files, stores, other options."""

from benchmark.config.errors import ConfigError
from benchmark.config.paths import check_folder, check_store, local_file, may_write
from benchmark.config.registry import check_variant
from benchmark.config.schema import Config, flat


def check_config(config: Config) -> None:
    """Check what depends on other options, on `conf/`, or on what is on the disk.

    Raises:
        ConfigError: names the first option that is wrong, and why.
    """
    check_encoding(config)
    if config.memory_gb is not None and config.batch != "auto":
        raise ConfigError(
            f"needs batch=auto, not batch={config.batch}", "memory_gb", config.memory_gb
        )
    weights = config.loss
    if weights.content_weight == weights.style_weight == weights.variation_weight == 0:
        raise ConfigError("all loss weights are 0: raise loss.style_weight or loss.content_weight")
    for name in config.evaluation.evaluators:
        check_variant("evaluation.evaluators", name, "backbone")
    for name in config.best_optimizer.optimizers:
        check_variant("best_optimizer.optimizers", name, "optimizer")
    if config.best_optimizer.overlay is not None:
        check_variant("best_optimizer.overlay", config.best_optimizer.overlay, "experiment")
    uri = config.tracking.uri
    if uri is not None:
        check_store("tracking.uri", uri)
        file = local_file(uri)
        if file and not may_write(file):
            raise ConfigError(f"no permission to write to {file}", "tracking.uri", uri)
    check_folder("checkpoint.folder", config.checkpoint.folder)
    check_folder("cache", config.cache)


def check_encoding(config: Config) -> None:
    """Check that every text is UTF-8: a variant's arguments, of any type, the schema lets through.

    Raises:
        ConfigError: Python could not decode an argument or file name; MLflow refuses such texts.
    """
    for option, value in flat(config).items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and any("\ud800" <= c <= "\udfff" for c in text):
                raise ConfigError(
                    "is not UTF-8, and MLflow stores nothing else: rename it, or give a link to it",
                    option,
                    text,
                )
