"""The only package that knows MLflow: writing runs, reading them back, retrying during outages.

May import runtime and config.
"""

import logging
import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_DISABLE_AGENT_HINT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# Calls are retried in `outage`, where Ctrl-C stops that, and not inside MLflow.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")

import mlflow  # noqa: F401 - it sets the levels of these loggers when it is imported

for _logger in ("mlflow", "alembic"):
    logging.getLogger(_logger).setLevel(logging.CRITICAL)
