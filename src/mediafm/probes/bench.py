"""The bench: measures contenders by tasks on a catalog.

Every measurement is a file in a folder, so that a study that is interrupted goes on, and one that
is repeated only reads.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mediafm.catalog import Catalog
from mediafm.errors import MediaFMError
from mediafm.fingerprint import file_fingerprint, fingerprint
from mediafm.probes import kept
from mediafm.probes.designs import Designs
from mediafm.probes.evaluate import Evaluation, evaluate
from mediafm.probes.features import SHORT, ClipFeatures, FeatureSpec, Vectors
from mediafm.probes.kept import KeepError
from mediafm.probes.labels import LabelSet, load_labels
from mediafm.probes.sources import Sources
from mediafm.probes.study import Contender, Measurement, Study
from mediafm.probes.task import Task
from mediafm.progress import Progress, Silent
from mediafm.progress import Task as Bar
from mediafm.timeline import Clip

FORMAT = 3
"""Raised when the same settings would give other predictions."""


class Bench(Sources):
    """Measures contenders on a catalog.

    Args:
        catalog: The catalog.
        folder: Where measurements are kept; ``None`` to keep none.
        model: A model instead of the one that a version names.
        progress: Where to report.
        seed: Deals groups into folds, draws random networks.
        device: For models.

    Raises:
        KeepError: The folder cannot be made.
    """

    def __init__(
        self,
        catalog: Catalog,
        folder: Path | None = None,
        *,
        model: str | Path | None = None,
        progress: Progress | None = None,
        seed: int = 0,
        device: str = "auto",
    ):
        super().__init__(catalog, model, device)
        self.folder = folder
        if folder:
            kept.make_folder(folder)
        self.progress, self.seed = progress or Silent(), seed
        self._vectors: tuple[Any, dict[Clip, int], Vectors] | None = None
        self._designs = Designs()
        self._state = fingerprint(
            {
                "ingests": {t.title_id: t.ingest_id for t in catalog.titles()},
                "features": catalog.feature_versions(),
            }
        )

    def run(self, tasks: Sequence[Task], contenders: Sequence[Contender]) -> Study:
        """Measures every contender by every task.

        A task whose labels cannot be used, and a contender that a task refuses, are skipped and
        said.

        Raises:
            KeepError: A measurement cannot be kept, such as on a full disk.
            MediaFMError: Nothing could be measured.
        """
        study = self._with_labels(tasks)
        total = len(study.labels) * sum(len(self._versions(c)) for c in contenders)
        with self.progress.task("measure", total, "probes") as bar:
            for contender in contenders:
                self._contender(study, contender, bar)
        study.measurements.sort(key=lambda m: list(study.labels).index(m.task))
        if not study.measurements:
            raise MediaFMError("nothing could be measured: " + "; ".join(study.skipped[:3]))
        return study

    def _with_labels(self, tasks: Sequence[Task]) -> Study:
        study = Study()
        names = [task.name for task in tasks]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise MediaFMError(
                f"two tasks are called '{twice}'", do="give one of them another name = ..."
            )
        for task in tasks:
            try:
                study.labels[task.name] = load_labels(task, self.catalog)
            except MediaFMError as error:
                if len(tasks) == 1:
                    raise
                study.skipped.append(f"{task.name}: {error}")
        if not study.labels:
            raise MediaFMError("no task can be measured: " + "; ".join(study.skipped[:3]))
        return study

    def _contender(self, study: Study, contender: Contender, bar: Bar) -> None:
        runs: dict[str, list[Evaluation]] = {name: [] for name in study.labels}
        failed: dict[str, str] = {}
        # Tasks inside: those over the same clips share their features and the design.
        for number, _ in enumerate(self._versions(contender)):
            for name, labels in _widest_first(study.labels):
                bar.note(f"{contender.name} by {name}")
                try:
                    if name not in failed:
                        runs[name].append(self._measure(labels, contender, number))
                except KeepError:
                    raise
                except MediaFMError as error:
                    failed[name] = f"{name}, {contender.name}: {error}"
                bar.advance(1)
        study.skipped += failed.values()
        study.measurements += [
            Measurement(name, contender, own) for name, own in runs.items() if name not in failed
        ]

    def measure(
        self, labels: LabelSet, contender: Contender, *, budget: int = 0
    ) -> list[Evaluation]:
        """Measures one contender by one task, once per version.

        Args:
            labels: Of the task.
            contender: What to measure.
            budget: Clips to fit on at most; 0 for all.

        Raises:
            MediaFMError: The features do not exist, or know the answer.
        """
        return [
            self._measure(labels, contender, number, budget)
            for number, _ in enumerate(self._versions(contender))
        ]

    def _measure(
        self, labels: LabelSet, contender: Contender, number: int, budget: int = 0
    ) -> Evaluation:
        spec, version = self.spec(contender), self._versions(contender)[number]
        self.check_leak(labels.task, spec, version)
        key = self._key(labels, spec, version, number, budget)
        path = self.folder / f"{key}.npz" if self.folder else None
        run = kept.read(path) if path and path.exists() else None
        if run is None or run.metric != labels.task.metric:
            x_ND = self.vectors(labels, spec, version, number)
            run = evaluate(labels, x_ND, seed=self.seed, budget=budget, designs=self._designs)
            if path:
                kept.write(path, run)
        return run

    def vectors(
        self, labels: LabelSet, spec: FeatureSpec, version: str | None, number: int = 0
    ) -> Vectors:
        """Features of the clips of a task; the last ones are kept, for tasks over some of them.

        Args:
            labels: Whose clips.
            spec: Which features.
            version: Of contextual embeddings, where they are needed.
            number: Which seed of a random network.
        """
        key = (spec, version, number)
        if self._vectors is None or self._vectors[0] != key:
            self._vectors = None
        held, x_ND = self._vectors[1:] if self._vectors else ({}, None)
        if x_ND is None or not all(clip in held for clip in labels.clips):
            embedder = self.embedder(version) if spec.needs_model else None
            maker = ClipFeatures(self.catalog, spec, version, embedder, seed=self.seed + number)
            x_ND = maker.of(labels.clips)
            self._vectors = (key, {clip: row for row, clip in enumerate(labels.clips)}, x_ND)
            return x_ND
        rows = [held[clip] for clip in labels.clips]
        return x_ND if rows == list(range(len(x_ND))) else x_ND[rows]

    def spec(self, contender: Contender) -> FeatureSpec:
        """What a contender reads.

        Raises:
            MediaFMError: The catalog has no such features.
        """
        return FeatureSpec.parse(
            contender.features,
            list(self.catalog.encoders()),
            alone=contender.alone,
            use_metadata=contender.use_metadata,
        )

    def _versions(self, contender: Contender) -> Sequence[str | None]:
        names = [word.strip() for word in contender.features.split("+")]
        words = {SHORT.get(name, name).split(":", 1)[0] for name in names}
        if not words & {"context", "untrained", "fused"}:
            return [None]
        # Fused features are the same for all seeds of a recipe.
        versions = (
            contender.versions if words & {"context", "untrained"} else contender.versions[:1]
        )
        return versions or [None]

    def check_leak(self, task: Task, spec: FeatureSpec, version: str | None) -> None:
        """Refuses a model whose [GLOBAL] sees what the labels were made from.

        Raises:
            MediaFMError: Names the fields.
        """
        if not task.derived_from or not spec.sees_global:
            return
        if spec.needs_model:
            fields = set(self.embedder(version).metadata)
        else:
            fields = set(self.catalog.version(version).settings.get("global", "").split("+"))
        if leaks := sorted(fields & set(task.derived_from)):
            raise MediaFMError(
                f"the labels come from {', '.join(leaks)}, which [GLOBAL] of the model sees: it "
                "knows the answer",
                where=task.name,
                do="measure without it (--no-global), or pretrain a model without that field",
            )

    def _key(
        self, labels: LabelSet, spec: FeatureSpec, version: str | None, number: int, budget: int
    ) -> str:
        task = dataclasses.asdict(labels.task.replace(about="", labels=Path(), taxonomy=None))
        return fingerprint(
            {
                "format": FORMAT,
                "catalog": self._state,
                "task": json.loads(json.dumps(task, default=str)),
                "labels": file_fingerprint(labels.task.labels),
                "classes": labels.classes,
                "spec": dataclasses.asdict(spec),
                "seed": self.seed,
                "budget": budget,
                "made_by": self.made_by(spec, version),
                "number": number if any(p.source == "untrained" for p in spec.parts) else 0,
            }
        )


def _widest_first(labels: Mapping[str, LabelSet]) -> list[tuple[str, LabelSet]]:
    """Tasks with many clips first: their features serve those with some of the same clips."""
    return sorted(labels.items(), key=lambda item: -len(item[1]))
