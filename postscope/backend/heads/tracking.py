"""Trainings in MLflow, for those who keep all their experiments there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

log = structlog.get_logger(__name__)

VARIABLE = "MLFLOW_TRACKING_URI"
EXPERIMENT = "postscope"
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""Variables of the library: how often it asks again, and seconds that it waits for each answer."""
MOST_TOLD = 500
_CREDENTIALS = re.compile(r"//[^/\s@]*@")


def log_training(head: str, number: int, report: dict[str, Any], model: bytes) -> bool:
    """Log a version where ``MLFLOW_TRACKING_URI`` says. A server that does not answer stops no training.

    Returns:
        Whether it was logged.
    """
    uri = os.environ.get(VARIABLE)
    if not uri:
        return False
    try:
        with _patience():
            _log(uri, head, number, report, model)
    except ImportError:
        log.warning("mlflow_missing", install="postscope[mlflow]")
        return False
    except Exception as error:  # the library raises whatever its store raises
        told = _CREDENTIALS.sub("//", f"{type(error).__name__}: {error}")[:MOST_TOLD]
        log.warning("mlflow_failed", head=head, version=number, reason=told)
        return False
    return True


@contextmanager
def _patience() -> Iterator[None]:
    """The library would ask a server that does not answer again for a quarter of an hour, unless the operator says
    how long."""
    ours = {name: value for name, value in PATIENCE.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def _log(uri: str, head: str, number: int, report: dict[str, Any], model: bytes) -> None:
    import tempfile
    from pathlib import Path

    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    run = client.create_run(experiment_id, run_name=f"{head}-{number}", tags={"head": head, "version": str(number)})
    run_id = run.info.run_id
    client.log_param(run_id, "recipe", report["recipe"])
    client.log_param(run_id, "posts", report["posts"])
    for name, value in report["held_out"].items():
        if isinstance(value, (int, float)):
            client.log_metric(run_id, f"held_out.{name}", float(value))
    client.log_dict(run_id, report, "report.json")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "head.skops")
        path.write_bytes(model)
        client.log_artifact(run_id, str(path))
    client.set_terminated(run_id)
