"""Features without a model: what the encoders say of a shot, as one vector.

The model has its own fusion, fitted on its training titles. This one serves looking and comparing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mediafm.catalog.catalog import Catalog
from mediafm.catalog.clip import unit
from mediafm.catalog.records import TitleFeatures

Vectors = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_TITLES = 32  # titles of which the mean is taken: it settles after a few
_SHOTS = 20_000
_COUNTED = 512  # shots, about, whose directions are counted: enough to tell few from many
_FEW = 16  # shots below which a mean is more of the film than of the encoder
_ORDER = ("video", "audio", "text")


def fuse(
    features: Mapping[str, npt.NDArray[np.floating]],
    present: Mapping[str, Mask],
    means: Mapping[str, Vectors],
) -> Vectors:
    """The raw vector of every shot: per modality minus a mean, unit; concatenated, unit.

    The mean goes because encoders put all they see into a narrow cone: with it, everything is
    similar to everything.

    Args:
        features: Modality to ``x_ND``.
        present: Modality to a boolean row per shot; where absent, the modality counts as zeros.
        means: Modality to the mean ``m_D`` to take off.

    Returns:
        ``x_NF``; rows of shots without any modality are zero.
    """
    blocks = []
    for modality, x_ND in features.items():
        sound_ND = np.nan_to_num(np.asarray(x_ND, np.float32), posinf=0.0, neginf=0.0)
        block_ND = unit(sound_ND - means[modality])
        blocks.append(np.where(present[modality][:, None], block_ND, np.float32(0)))
    return unit(np.concatenate(blocks, axis=1))


@dataclass(frozen=True, slots=True)
class CatalogFusion:
    """How the titles of one catalog are fused for looking and comparing.

    Args:
        modalities: In the order of concatenation.
        means: Modality to the mean that is taken off.
        spreads: Modality to how far from its mean vectors lie: the root of the mean square.
        directions: Modality to about how many directions vectors spread over, however wide they
            are: the participation ratio of their covariance's eigenvalues, (sum l)^2 / sum l^2
            (Gao et al. 2017).
        over: What the mean was taken over, in words; empty where there is too little for one.
    """

    modalities: tuple[str, ...]
    means: dict[str, Vectors]
    spreads: dict[str, float]
    directions: dict[str, float]
    over: str

    @classmethod
    def of(
        cls, catalog: Catalog, title_id: str, modalities: Sequence[str] | None = None
    ) -> CatalogFusion:
        """Takes the means over a title and an even part of the others.

        Args:
            catalog: The catalog.
            title_id: A title that is among them for certain.
            modalities: Which are fused; all by default.

        Raises:
            CatalogError: There is no such title.
        """
        held = list(catalog.encoders() if modalities is None else modalities)
        order = [m for m in _ORDER if m in held] + [m for m in held if m not in _ORDER]
        ids, shots, rows = _spread(catalog, title_id)
        parts = _parts(catalog, ids, order, rows)
        sums = {m: np.sum([part.sums[m] for part in parts], axis=0) for m in order}
        squares = {m: sum(part.squares[m] for part in parts) for m in order}
        counts = {m: sum(part.counts[m] for part in parts) for m in order}
        some = {m: [part.some[m] for part in parts] for m in order}
        enough = shots >= _FEW
        means = {m: (sums[m] / max(counts[m], 1) * enough).astype(np.float32) for m in order}
        spreads = {
            m: float(np.sqrt(max(squares[m] / max(counts[m], 1) - float(mean @ mean), 0.0))) or 1.0
            for m, mean in means.items()
        }
        directions = {m: _directions(parts) for m, parts in some.items()}
        over = "the catalog" if len(ids) > 1 else "the title"
        return cls(tuple(order), means, spreads, directions, over if enough else "")

    def only(self, modalities: Sequence[str]) -> CatalogFusion:
        """That of some of its modalities; means are the same."""
        return dataclasses.replace(
            self,
            modalities=tuple(m for m in self.modalities if m in modalities),
            means={m: self.means[m] for m in modalities},
            spreads={m: self.spreads[m] for m in modalities},
            directions={m: self.directions[m] for m in modalities},
        )

    def __call__(self, title: TitleFeatures) -> Vectors:
        """The fused vectors ``x_NF`` of a title, unit rows."""
        return fuse(title.features, title.present, self.means)

    def stored(self, x_F: Vectors) -> dict[str, Vectors]:
        """What a typical shot of a fused vector has stored, by the modalities that it has."""
        found, start = {}, 0
        for modality in self.modalities:
            mean_D = self.means[modality]
            x_D = x_F[start : start + len(mean_D)]
            start += len(mean_D)
            if x_D.any():
                found[modality] = mean_D + self.spreads[modality] * unit(x_D[None])[0]
        return found

    @property
    def recipe(self) -> str:
        """How the vectors are made, in words."""
        taken = f"minus the mean of {self.over}, " if self.over else ""
        return f"{' + '.join(self.modalities)}, each {taken}unit length; concatenated, unit length"


@dataclass(frozen=True, slots=True)
class _Part:
    """What the mean takes of one title: sums over its shots, and a few of them."""

    sums: dict[str, npt.NDArray[np.float64]]
    squares: dict[str, float]
    counts: dict[str, int]
    some: dict[str, npt.NDArray[np.float32]]

    @classmethod
    def of(cls, title: TitleFeatures, most: int) -> _Part:
        rows = {
            modality: np.asarray(x_ND[title.present[modality]], np.float64)
            for modality, x_ND in title.features.items()
        }
        return cls(
            {m: x_PD.sum(axis=0) for m, x_PD in rows.items()},
            {m: float((x_PD**2).sum()) for m, x_PD in rows.items()},
            {m: len(x_PD) for m, x_PD in rows.items()},
            {m: x_PD[:: -(-len(x_PD) // most) or 1].astype(np.float32) for m, x_PD in rows.items()},
        )


def _parts(catalog: Catalog, ids: Sequence[str], order: list[str], rows: int) -> list[_Part]:
    """Those of the titles that are still there; most are the same from one query to the next."""
    kind = ("fusion", tuple(order), rows)
    held = {i: part for i in ids if (part := catalog.recent.find((kind, i))) is not None}
    for title in catalog.title_features([i for i in ids if i not in held], order):
        held[title.title_id] = _Part.of(title, rows)
        catalog.recent.put((kind, title.title_id), held[title.title_id])
    return [held[i] for i in ids if i in held]


def _directions(parts: Sequence[npt.NDArray[np.floating]]) -> float:
    x_ND = np.concatenate(parts).astype(np.float64) if parts else np.zeros((0, 1))
    if len(x_ND) < 2:
        return 0.0
    x_ND = x_ND - x_ND.mean(axis=0)
    # It has the eigenvalues of the covariance, and is small where vectors are wide and shots few.
    gram_NN = x_ND @ x_ND.T
    squares = float((gram_NN**2).sum())
    return float(np.trace(gram_NN)) ** 2 / squares if squares else 0.0


def _spread(catalog: Catalog, title_id: str) -> tuple[Sequence[str], int, int]:
    """A title and an even part of all, their shots, and how many shots of each are counted.

    The part is the same for every title, so that what was read of it serves for the next one too.
    """
    title = catalog.title(title_id)
    held = [t for t in catalog.titles() if t.shots]
    others = held[:: max(1, -(-len(held) // (_TITLES - 1)))]
    rows = _COUNTED // (len(others) or 1)
    ids, shots = [title_id], title.shots
    for other in others:
        if other.title_id != title_id and shots + other.shots <= _SHOTS:
            ids.append(other.title_id)
            shots += other.shots
    return ids, shots, rows
