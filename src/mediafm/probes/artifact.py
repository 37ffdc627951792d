"""Fitted probes as files: a small safetensors file and what it belongs to."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from mediafm.errors import FingerprintError, MediaFMError, describe_os_error
from mediafm.files import write_whole
from mediafm.fingerprint import fingerprint
from mediafm.probes.features import FeatureSpec, Part
from mediafm.probes.heads import Head

WEIGHTS, ABOUT = "probe.safetensors", "probe.json"
FORMAT = 1
_ARRAYS = ("mean_D", "std_D", "weight_DC", "bias_C", "slope_C", "offset_C", "threshold_C")


@dataclass(frozen=True, slots=True)
class Probe:
    """A fitted head, and everything that it is bound to.

    Args:
        name: Its name: the task's, unless said otherwise.
        head: The head.
        spec: The features that it reads.
        made_by: What made these features, name to fingerprint: ``model`` where the model is
            involved, and the encoder of each modality that is read as it is.
        titles: Names of the classes for people, where they are ids.
        measured: Metric, value, interval, chance and counts of the measurement by folds.
        version: The version that it was fitted on, for people.
    """

    name: str
    head: Head
    spec: FeatureSpec
    made_by: dict[str, str]
    titles: tuple[str, ...] = ()
    measured: dict[str, Any] = field(default_factory=dict)
    version: str = ""

    @property
    def fingerprint(self) -> str:
        """Of the head's weights and of what it is bound to."""
        weights = {name: getattr(self.head, name).tobytes().hex() for name in _ARRAYS}
        return fingerprint(
            {"weights": weights, "spec": dataclasses.asdict(self.spec), **self.made_by}
        )

    def check(self, made_by: dict[str, str]) -> None:
        """Refuses features that others made than those of the fit.

        Args:
            made_by: As in the class.

        Raises:
            FingerprintError: Says what differs.
        """
        for name, expected in self.made_by.items():
            if made_by.get(name) != expected:
                raise FingerprintError(
                    f"was fitted on {name} {expected}, the catalog has {made_by.get(name, 'none')}",
                    where=f"probe '{self.name}'",
                    do="fit it anew (mediafm probe fit), or name the version it was fitted on",
                )

    def save(self, folder: Path) -> None:
        """Writes the probe's folder; each file appears whole or not at all, the weights last.

        Raises:
            MediaFMError: The folder cannot be written.
        """
        about = {
            "format": FORMAT,
            "name": self.name,
            "kind": self.head.kind,
            "classes": self.head.classes,
            "titles": self.titles,
            "penalty": self.head.penalty,
            "features": dataclasses.asdict(self.spec),
            "made_by": self.made_by,
            "version": self.version,
            "measured": self.measured,
            "fingerprint": self.fingerprint,
        }
        arrays = {name: np.ascontiguousarray(getattr(self.head, name)) for name in _ARRAYS}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(about, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
            write_whole(folder / ABOUT, text.encode())
            write_whole(folder / WEIGHTS, save(arrays))
        except OSError as error:
            raise MediaFMError(
                f"cannot be written ({describe_os_error(error)})", where=folder
            ) from None

    @classmethod
    def load(cls, folder: Path) -> Probe:
        """Reads what :meth:`save` wrote.

        Raises:
            MediaFMError: Nothing is there, or it is damaged.
        """
        try:
            about = json.loads((folder / ABOUT).read_text("utf-8"))
            arrays = load_file(folder / WEIGHTS)
            if about["format"] != FORMAT:
                raise MediaFMError(
                    f"has format {about['format']}, this mediafm knows {FORMAT}",
                    where=folder,
                    do="fit it anew",
                )
            head = Head(
                kind=about["kind"],
                classes=tuple(about["classes"]),
                penalty=about["penalty"],
                **{name: arrays[name] for name in _ARRAYS},
            )
            spec = about["features"]
            probe = cls(
                about["name"],
                head,
                FeatureSpec(
                    tuple(_part(**part) for part in spec["parts"]),
                    spec["alone"],
                    spec["use_metadata"],
                ),
                dict(about["made_by"]),
                tuple(about["titles"]),
                dict(about["measured"]),
                about["version"],
            )
            if probe.fingerprint != about["fingerprint"]:
                raise ValueError("fingerprint")
        except FileNotFoundError:
            raise MediaFMError(
                "there is no probe", where=folder, do="make one with `mediafm probe fit`"
            ) from None
        except OSError as error:
            raise MediaFMError(
                f"cannot be read ({describe_os_error(error)})", where=folder
            ) from None
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError):
            raise MediaFMError("is damaged", where=folder, do="fit it anew") from None
        return probe


def _part(source: str, readouts: list[list[Any]]) -> Part:
    return Part(source, tuple((str(kind), int(reach)) for kind, reach in readouts))


def list_probes(folder: Path) -> tuple[list[Probe], list[str]]:
    """The probes of a folder, sorted by name, and what is wrong with those that cannot be read."""
    found, wrong = [], []
    for path in sorted(folder.glob(f"*/{ABOUT}")):
        try:
            found.append(Probe.load(path.parent))
        except MediaFMError as error:
            wrong.append(str(error))
    return found, wrong
