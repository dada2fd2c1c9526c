"""What the tests of one process share, as the runs of one process do."""

from benchmark.config.compose import composed
from benchmark.runs.prepare import Prepared, prepare
from benchmark.runs.workspace import Workspace

WORKSPACE = Workspace()


def prepared_run(*overrides: str) -> Prepared:
    """A run as the command line's overrides mean it."""
    return prepare(composed(overrides), WORKSPACE)
