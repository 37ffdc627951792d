"""The fitted probes that suggestions lean on, as far as they are there and fit the catalog.

Shapes: N shots of a title, C classes of a probe.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mediafm.catalog import Catalog
from mediafm.errors import MediaFMError
from mediafm.probes.artifact import ABOUT, Probe
from mediafm.probes.features import ClipFeatures
from mediafm.probes.sources import Sources
from mediafm.timeline import Clip


class FittedProbes:
    """Probes of a folder, each loaded when it is first asked for.

    Args:
        catalog: The catalog.
        folder: Where the probes are; ``None`` for none.
        version: Version of the embeddings to read; that of each probe's fit by default.
    """

    def __init__(self, catalog: Catalog, folder: Path | None = None, version: str | None = None):
        if folder is not None and folder.is_file():
            raise MediaFMError("is a file, not a folder of probes", where=folder)
        self.catalog, self.folder, self.version = catalog, folder, version
        self._refused: dict[str, str] = {}
        self._sources = Sources(catalog)
        self._held: dict[str, Probe | None] = {}
        self._makers: dict[str, ClipFeatures] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Which probes were asked for, and are there, but cannot be used."""
        return tuple(self._refused.values())

    def missing(self, name: str) -> str:
        """Why there is no such probe, in words."""
        nowhere = self.folder is not None and not self.folder.exists()
        where = f" (there is no folder {self.folder})" if nowhere else ""
        return self._refused.get(name, f"no probe '{name}' is fitted{where}")

    def get(self, name: str) -> Probe | None:
        """A probe; ``None`` where there is none, or where it does not fit, which is noted.

        Args:
            name: Its name, that of its task.
        """
        if name not in self._held:
            self._held[name] = self._load(name)
        return self._held[name]

    def names(self) -> list[str]:
        """The probes that lie in the folder, whether or not they fit."""
        if self.folder is None:
            return []
        return sorted(path.parent.name for path in self.folder.glob(f"*/{ABOUT}"))

    def usable(self) -> list[str]:
        """The probes that fit the catalog."""
        return [name for name in self.names() if self.get(name) is not None]

    def _load(self, name: str) -> Probe | None:
        if self.folder is None or not (self.folder / name / ABOUT).exists():
            return None
        try:
            # By the folder's name: that is what a user sees and types.
            probe = dataclasses.replace(Probe.load(self.folder / name), name=name)
            version = self.version or probe.version_in(self.catalog)
            probe.check(self._sources.made_by(probe.spec, version))
            embedder = self._sources.embedder(version) if probe.spec.needs_model else None
        except MediaFMError as error:
            inside = error.where is not None and Path(error.where).is_relative_to(self.folder)
            why = MediaFMError(error.what, where=None if inside else error.where, do=error.do)
            self._refused[name] = f"probe '{name}' is not used: {why}"
            return None
        self._makers[name] = ClipFeatures(self.catalog, probe.spec, version, embedder)
        return probe

    def scores(self, name: str, clips: list[Clip]) -> npt.NDArray[np.float64]:
        """What a probe says of clips.

        Args:
            name: A probe that :meth:`get` gave.
            clips: Sorted by title.

        Returns:
            ``p_NC``: calibrated probabilities; of a ranking, what orders the clips of a title. NaN
            for a clip that has none of the features that the probe reads: nothing is known of it.

        Raises:
            CatalogError: A title is not there any more.
            MediaFMError: There is no such probe.
        """
        probe = self.get(name)
        if probe is None:
            raise MediaFMError(self.missing(name), do="fit it (mediafm probe fit)")
        for title_id in dict.fromkeys(clip.title_id for clip in clips):
            self.catalog.title(title_id)
        x_ND = self._makers[name].of(clips)
        head = probe.head
        p_NC = head.scores(x_ND) if head.kind == "ranking" else head.probabilities(x_ND)
        p_NC[~x_ND.any(axis=1)] = np.nan
        return p_NC

    def of_shots(self, name: str, title_id: str) -> npt.NDArray[np.float64]:
        """What a probe says of every shot of a title, ``p_NC``."""
        shots = self.catalog.shots(title_id)
        return self.scores(name, [Clip(title_id, shot.span) for shot in shots])


def noted(probes: FittedProbes | None, notes: Sequence[str]) -> tuple[str, ...]:
    """Notes of a suggestion, after those of the probes that could not be used.

    A note that goes on from another one stands for both.
    """
    said = dict.fromkeys((*(probes.notes if probes is not None else ()), *notes))
    return tuple(one for one in said if not any(o != one and o.startswith(one) for o in said))
