"""Measurements as files, so that a study that was interrupted goes on."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from mediafm.errors import MediaFMError, describe_os_error
from mediafm.files import whole_file
from mediafm.probes.evaluate import Evaluation
from mediafm.probes.metrics import METRICS, Predictions


class KeepError(MediaFMError):
    """Measurements that cannot be kept: whatever follows would be lost as well."""


def write(path: Path, run: Evaluation) -> None:
    """Writes a measurement, whole or not at all.

    Raises:
        KeepError: It cannot be written, such as on a full disk.
    """
    p = run.predictions
    about = {
        "metric": run.metric,
        "penalties": run.penalties,
        "fitted": run.fitted,
        "seconds": run.seconds,
        "classes": p.classes,
        "groups": p.groups,
    }
    try:
        with whole_file(path) as part, part.open("wb") as file:
            np.savez_compressed(
                file,
                truth=p.truth_NC,
                score=p.score_NC,
                title=p.title_N,
                group=p.group_N,
                about=np.frombuffer(json.dumps(about).encode(), np.uint8),
            )
    except OSError as error:
        raise KeepError(
            f"cannot be written ({describe_os_error(error)})",
            where=path,
            do="make room, or name another folder; what is there is kept",
        ) from None


def make_folder(folder: Path) -> None:
    """Makes a folder for measurements.

    Raises:
        KeepError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KeepError(
            f"measurements cannot be kept there ({describe_os_error(error)})",
            where=folder,
            do="name a folder that you may write to: --work",
        ) from None


def read(path: Path) -> Evaluation | None:
    """A measurement that was kept; ``None`` where the file is damaged: it is measured anew."""
    try:
        with np.load(path, allow_pickle=False) as held:
            about = json.loads(held["about"].tobytes())
            predictions = Predictions(
                held["truth"],
                held["score"],
                held["title"],
                held["group"],
                tuple(about["classes"]),
                tuple(about["groups"]),
            )
        if about["metric"] not in METRICS:
            return None
        return Evaluation(
            predictions,
            about["metric"],
            tuple(about["penalties"]),
            about["fitted"],
            about["seconds"],
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
