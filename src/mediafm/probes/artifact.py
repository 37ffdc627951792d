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

from mediafm.catalog import Catalog
from mediafm.errors import FingerprintError, MediaFMError, describe_os_error
from mediafm.files import write_whole
from mediafm.fingerprint import fingerprint
from mediafm.probes.features import FeatureSpec, Part
from mediafm.probes.head import Head

ABOUT = "probe.json"
FORMAT = 2
_ATTEMPTS = 20
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
        """Of the head's weights and of everything that is said of it."""
        weights = {name: getattr(self.head, name).tobytes().hex() for name in _ARRAYS}
        return fingerprint({"weights": weights, **json.loads(json.dumps(self._about()))})

    def _about(self) -> dict[str, Any]:
        return {
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
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, for people."""
        return self.titles or self.head.classes

    @property
    def telling(self) -> tuple[int, ...]:
        """The numbers of the classes of which the head can tell something.

        Those that had nothing to be told by have no weights: the same probability everywhere.
        """
        return tuple(np.flatnonzero(np.abs(self.head.weight_DC).max(axis=0) > 0).tolist())

    def find(self, text: str) -> int | None:
        """The number of the class that a text means, by id or by name; ``None`` for none."""
        for known in (self.head.classes, self.names):
            if text in known:
                return known.index(text)
        return None

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

    def version_in(self, catalog: Catalog) -> str | None:
        """The version of the fit, if a catalog still has it; else ``None``, the current one."""
        return self.version if self.version in {v.name for v in catalog.versions()} else None

    def save(self, folder: Path) -> None:
        """Writes the probe's folder.

        ``probe.json`` comes last and names the file of the weights, so that who reads meanwhile,
        and who reads after a kill, finds the old probe or the new one.

        Raises:
            MediaFMError: The folder cannot be written.
        """
        own = self.fingerprint
        about = {**self._about(), "weights": f"{own}.safetensors", "fingerprint": own}
        arrays = {name: np.ascontiguousarray(getattr(self.head, name)) for name in _ARRAYS}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            before = _named_weights(folder)
            text = json.dumps(about, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
            write_whole(folder / about["weights"], save(arrays))
            write_whole(folder / ABOUT, text.encode())
            if before and before != about["weights"]:
                (folder / before).unlink(missing_ok=True)
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
        for _ in range(_ATTEMPTS):
            try:
                return cls._load(folder)
            except FileNotFoundError:
                if not (folder / ABOUT).exists():
                    break  # else it was fitted anew in between, and the old weights went
        else:
            raise MediaFMError("its weights are missing", where=folder, do="fit it anew")
        raise MediaFMError(
            "there is no probe", where=folder, do="make one with `mediafm probe fit`"
        ) from None

    @classmethod
    def _load(cls, folder: Path) -> Probe:
        try:
            about = json.loads((folder / ABOUT).read_text("utf-8"))
            if about["format"] != FORMAT:
                raise MediaFMError(
                    f"has format {about['format']}, this mediafm knows {FORMAT}",
                    where=folder,
                    do="fit it anew",
                )
            arrays = load_file(folder / Path(about["weights"]).name)
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
            if probe.fingerprint != about["fingerprint"] or not _fits(head, probe.titles):
                raise ValueError("fingerprint")
        except FileNotFoundError:
            raise
        except OSError as error:
            raise MediaFMError(
                f"cannot be read ({describe_os_error(error)})", where=folder
            ) from None
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise MediaFMError("is damaged", where=folder, do="fit it anew") from None
        return probe


def check_folder(folder: Path) -> None:
    """Refuses a place where no probe can be kept.

    Raises:
        MediaFMError: A file is in the way, or there is no right to write.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaFMError(
            f"no probe can be kept there ({describe_os_error(error)})",
            where=folder,
            do="name another folder: --probes",
        ) from None


def _named_weights(folder: Path) -> str:
    """The file of weights that a probe's folder names; empty where it holds no probe."""
    try:
        return Path(json.loads((folder / ABOUT).read_text("utf-8"))["weights"]).name
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _fits(head: Head, titles: tuple[str, ...]) -> bool:
    """Whether the parts of a head belong together."""
    width, classes = len(head.mean_D), len(head.classes)
    shapes = [(width,)] * 2 + [(width, classes)] + [(classes,)] * 4
    arrays = [getattr(head, name) for name in _ARRAYS]
    return (
        [array.shape for array in arrays] == shapes
        and all(np.isfinite(array).all() for array in arrays)
        and len(titles) in (0, classes)
    )


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
