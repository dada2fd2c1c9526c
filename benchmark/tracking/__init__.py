"""The only package that knows MLflow: writing runs, reading them back, waiting out outages.

May import runtime and config.
"""

import logging
import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_DISABLE_AGENT_HINT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# Outages are waited out in `outage`, where Ctrl-C is heard, and not inside MLflow.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")

for _noisy in ("mlflow", "alembic"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)
