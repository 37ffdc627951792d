"""Finds training runs and reads their folders.

The files are those that ``mediafm.pretrain`` writes; they are read as what they are, JSON that a
kill may have cut off or a hand may have edited, so nothing in them is taken for granted.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mediafm.errors import ModelError, describe_os_error
from mediafm.report.runs import Curve, Run, State, Validation, flat, over

RUN, LOG, TRAINING, WEIGHTS = "run.json", "log.jsonl", "training.json", "model.safetensors"
_CHECKPOINTS = "checkpoints"
_DEPTH = 4
_EVENTS = ("start", "step", "validate", "verdict")
_CURVES = ("loss", "seconds", "shots", "shots_per_s", "waiting", "memory_gb")
_MASKS = ("mask_ratio", "mask_span", "window")
_MOST = 1e15  # beyond, a number in a log is an accident, and no axis holds it
_BETTER = 1e-4  # by how much training wants a validation to be better, to keep its weights


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in some folders.

    Args:
        runs: The runs that can be read, in the order of their names.
        left_out: A line for each folder that cannot, and why.
    """

    runs: list[Run]
    left_out: list[str]


def read_runs(folders: Sequence[Path], now: float | None = None) -> Found:
    """Reads the runs in some folders.

    Args:
        folders: Folders of runs, files in them, or folders that hold such folders.
        now: The time, in seconds since the epoch, for telling what is still going on.

    Raises:
        ModelError: A folder is not there, or no run can be read in any of them.
    """
    places, left_out = _find(folders)
    names, runs = _names(places), []
    for place in places:
        try:
            runs.append(_read(place, names[place], time.time() if now is None else now))
        except ModelError as error:
            left_out.append(str(error))
    if not runs:
        if places:
            more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
            raise ModelError(f"{left_out[-1]}{more}")
        raise ModelError(
            "holds no training run",
            where=", ".join(map(str, folders)),
            do="name the folder that mediafm pretrain --out was given, or one above it",
        )
    return Found(sorted(runs, key=lambda run: run.name), left_out)


def _find(folders: Sequence[Path]) -> tuple[list[Path], list[str]]:
    places: dict[Path, Path] = {}  # by the resolved path: links may lead to a run twice
    without = []
    for folder in folders:
        if not folder.exists():
            raise ModelError("no such file or folder", where=folder)
        start = folder if folder.is_dir() else folder.parent
        known = folder.is_dir() or folder.name in (RUN, LOG, TRAINING, WEIGHTS)
        found = list(_below(start, _DEPTH if folder.is_dir() else 0)) if known else []
        for place in found:
            places.setdefault(place.resolve(), place)
        if not found:
            without.append(f"{folder}: holds no training run")
    return list(places.values()), without


def _below(folder: Path, depth: int) -> Iterable[Path]:
    """Folders of runs; what lies inside a run, a catalog's table or a hidden folder is not."""
    try:
        if (folder / RUN).exists() or (folder / LOG).exists():
            yield folder
            return
        inner = sorted(p for p in folder.iterdir() if _is_folder(p)) if depth else []
    except OSError:  # somebody else's folder under the one that was named
        return
    for path in inner:
        if not path.name.startswith(".") and path.suffix != ".lance":
            yield from _below(path, depth - 1)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _names(places: Sequence[Path]) -> dict[Path, str]:
    # Not resolve(): a link keeps the name that the user gave it.
    whole = {place: Path(os.path.abspath(place)) for place in places}  # noqa: PTH100
    if not whole:
        return {}
    above = Path(os.path.commonpath([path.parent for path in whole.values()]))
    return {place: path.relative_to(above).as_posix() for place, path in whole.items()}


def _read(folder: Path, name: str, now: float) -> Run:
    notes: list[str] = []
    events = _events(folder / LOG, name, notes)
    start = events["start"].get(0, {})
    chosen = _object(folder / RUN, name, notes)
    training = _object(folder / TRAINING, name, notes)
    settings = _dict(chosen.get("settings")) or _dict(start.get("settings"))
    validations = [
        Validation(
            step,
            cosine,
            _number(line.get("reciprocal_rank")),
            _number(line.get("effective_rank")),
            _numbers(line.get("modality")),
        )
        for step, line in sorted(events["validate"].items())
        if (cosine := _number(line.get("cosine"))) is not None
    ]
    lines = sorted(events["step"].items())
    steps = max((step for by in events.values() for step in by), default=0)
    ended = next(iter(events["verdict"].values()), None) or _dict(training.get("verdict"))
    finished = "outcome" in ended or ((folder / TRAINING).exists() and (folder / WEIGHTS).exists())
    checkpoint = _newest_checkpoint(folder)
    curves = {
        "step": np.array([float(step) for step, _ in lines]),
        **{key: _curve(line.get(key) for _, line in lines) for key in _CURVES},
    }
    told, derived, blocks = _told(settings, _dict(chosen.get("model")), _dict(chosen.get("data")))
    kept = _number(training.get("best_step"))
    held_out = [_dict(start.get("data")).get("val_title_ids"), *map(settings.get, _MASKS)]
    total = _number(settings.get("steps"))
    return Run(
        folder=folder,
        name=name,
        state="finished" if finished else _alive(folder, steps, checkpoint, curves, now),
        steps=steps,
        of_steps=None if total is None else int(total),
        checkpoint=checkpoint,
        best_step=_best_step(validations) if kept is None else int(kept),
        settings=told,
        derived=derived,
        blocks=blocks,
        held_out=json.dumps(held_out),
        start={k: start.get(k) for k in ("parameters", "device", "precision", "processes")},
        curves=curves,
        validations=validations,
        baselines={
            key: _numbers(value)
            for key, value in _dict(events["validate"].get(0, {}).get("baselines")).items()
        },
        verdict={k: v for k, v in ended.items() if k not in ("event", "step")},
        notes=notes,
    )


def _events(path: Path, name: str, notes: list[str]) -> dict[str, dict[int, dict[str, Any]]]:
    """The lines of a log, by event and step; of two for one step the later one counts.

    A run that begins anew, since it has no checkpoint yet, leaves two at step 0.
    """
    events: dict[str, dict[int, dict[str, Any]]] = {event: {} for event in _EVENTS}
    damaged, other, whole = 0, 0, True
    try:
        # Line by line: the log of a long run is large.
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                whole = text.endswith("\n")
                try:
                    line = json.loads(text)
                    event, step = str(line["event"]), int(line["step"])
                    if not 0 <= step <= _MOST:
                        raise ValueError
                except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
                    damaged += 1
                    continue
                if event in events:
                    events[event][step] = line
                else:  # of a newer version, or of another program
                    other += 1
    except FileNotFoundError:  # begun, and nothing logged yet
        return events
    except OSError as error:
        raise ModelError(f"cannot be read ({describe_os_error(error)})", where=path) from None
    if (damaged or other) and not any(events.values()):
        raise ModelError("is damaged, none of its lines is of a training run", where=path)
    damaged -= not whole and damaged > 0  # the last line of a run that writes it right now
    if damaged:
        lines = "line of its log is" if damaged == 1 else "lines of its log are"
        notes.append(f"{name}: {damaged} {lines} damaged and left out")
    return events


def _object(path: Path, name: str, notes: list[str]) -> dict[str, Any]:
    try:
        return _dict(json.loads(path.read_text("utf-8")), strict=True)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        notes.append(f"{name}: {path.name} is damaged and left out")
        return {}


def _told(
    settings: Mapping[str, Any], model: Mapping[str, Any], data: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """What was chosen or came with the data; what follows from it; and the fused embedding."""
    told, derived = flat(settings), flat(model)
    blocks: dict[str, Any] = {}
    for kind in ("modalities", "metadata"):
        held = _dict(model.get(kind))
        if held:
            told[kind] = list(held)  # in the settings, nothing stands for all there is
        for block, values in held.items():
            for key in ("dim", "encoder"):
                value = derived.pop(f"{kind}.{block}.{key}", None)
                told[f"{block}.{key}"] = value
            if kind == "modalities":
                blocks[block] = values
    told |= {f"data.{key}": value for key, value in flat(data).items()}
    return told, derived, json.dumps(blocks or [settings.get("treatment"), told.get("modalities")])


def _alive(
    folder: Path, steps: int, checkpoint: int | None, curves: dict[str, Curve], now: float
) -> State:
    """Whether a run that has not ended goes on.

    While it does, it holds a lock on its ``run.json``. Other machines may not see that; so a run
    without a lock has stopped if there is a checkpoint of its last step, as whoever stops it gets,
    or if it has written nothing for long: a validation or a compiler may be at work.
    """
    try:
        with (folder / RUN).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return "going on"
    except OSError:
        pass  # no file, or no locks
    if checkpoint == steps:
        return "stopped"
    try:
        quiet = now - max(p.stat().st_mtime for p in (folder / LOG, folder / RUN) if p.exists())
    except (OSError, ValueError):
        return "stopped"
    slowest = over(np.max, curves["seconds"][-50:]) or 0.0
    return "stopped" if quiet > max(300.0, 20 * slowest) else "going on"


def _newest_checkpoint(folder: Path) -> int | None:
    steps = [p.name.removeprefix("step-") for p in (folder / _CHECKPOINTS).glob("step-*")]
    return max((int(step) for step in steps if step.isdecimal()), default=None)


def _best_step(validations: Sequence[Validation]) -> int | None:
    best: Validation | None = None
    for validation in validations:
        if best is None or validation.cosine > best.cosine + _BETTER:
            best = validation
    return best.step if best else None


def _dict(value: Any, strict: bool = False) -> dict[str, Any]:
    if strict and not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= _MOST else None  # NaN is not


def _numbers(value: Any) -> dict[str, float]:
    return {k: n for k, v in _dict(value).items() if (n := _number(v)) is not None}


def _curve(values: Iterable[Any]) -> Curve:
    numbers = (_number(value) for value in values)
    return np.array([math.nan if n is None else n for n in numbers], np.float64)
