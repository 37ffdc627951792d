"""The card of an exported dataset: what its ``README.md`` says, to people and to the hub."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mediafm.catalog import EncoderRecord, VersionRecord

# ``sequence`` and not ``list``: releases of datasets before 4 read it too.
_TEXT = """---
tags: [mediafm, video, embeddings]
size_categories: ["{size}"]
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
dataset_info:
  features:
  - name: title_id
    dtype: string
  - name: shot
    dtype: int32
  - name: start_us
    dtype: int64
  - name: end_us
    dtype: int64
  - name: embedding
    sequence: float32
    length: {dim}
---

# Contextual embeddings of shots, version {name}

A row is a shot of a title (a film, an episode, a podcast, a live recording): when it is, and the
embedding that a MediaFM model gives it in the context of the whole title. The shots of a title
follow one another in the order of time.

- titles: {titles:,}
- shots: {shots:,}

```python
from datasets import load_dataset

shots = load_dataset("path/or/name", split="train").with_format("numpy")
```

| column | type | what it holds |
|---|---|---|
| `title_id` | string | the title, by its id in the catalog that this comes from |
| `shot` | int32 | number of the shot in its title, from 0 |
| `start_us` | int64 | where the shot starts, microseconds from the start of the title |
| `end_us` | int64 | where it ends, likewise; this moment is no longer part of it |
| `embedding` | {dim} x float32 | its embedding: the float16 numbers of the catalog, made wider |

All rows are in the split `train` because a split needs a name; nothing was held out.

## What made it

- version: `{name}`
- fingerprint: `{fingerprint}`, of the model's weights and of how the embedding is taken
- model: {model}
- how the embedding is taken: {settings}

{encoders}

## Rights

The vectors were made from media. Before you publish them, check what the rights in these media
allow. No license is claimed here; add the one that applies.
"""
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
)
_FOLDER = re.compile(r"^([a-z][a-z0-9]*:)?(?:[~./\\]|[A-Za-z]:[/\\]).*[/\\](?=.)")


def dataset_card(
    version: VersionRecord, encoders: Mapping[str, EncoderRecord], titles: int, shots: int
) -> str:
    """Writes the card.

    Args:
        version: What was exported.
        encoders: Modality to the catalog's encoder; one that the version's model was not trained
            on is not named.
        titles: How many.
        shots: How many.

    Returns:
        Markdown with the hub's header.
    """
    size = next((name for end, name in _SIZES if shots < end), "100M<n<1B")
    settings = ", ".join(f"{key} {value}" for key, value in version.settings.items())
    return _TEXT.format(
        size=size,
        dim=version.dim,
        name=version.name,
        shots=shots,
        titles=titles,
        fingerprint=version.fingerprint,
        model=f"`{_public(version.model)}`" if version.model else "not recorded",
        settings=settings or "not recorded",
        encoders=_encoders(version, encoders),
    )


def _encoders(version: VersionRecord, encoders: Mapping[str, EncoderRecord]) -> str:
    if not version.encoders:
        return "Which encoders the model reads is not recorded."
    lines = ["The model reads features of these encoders:", ""]
    lines += ["| modality | encoder | fingerprint |", "|---|---|---|"]
    for modality, fingerprint in version.encoders.items():
        held = encoders.get(modality)
        same = held is not None and held.fingerprint == fingerprint
        name = f"`{_public(held.name)}`" if held is not None and same else "not in the catalog"
        lines.append(f"| {modality} | {name} | {fingerprint or 'unknown'} |")
    return "\n".join(lines)


def _public(name: str) -> str:
    """A name without options and folders: where files lie on this machine is nobody's business."""
    return _FOLDER.sub(lambda found: found[1] or "", name.partition("?")[0].rstrip("/\\"))
