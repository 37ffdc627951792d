"""The model card: what a folder with a model says about itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mediafm.model.config import ModelConfig

_TEXT = """---
library_name: mediafm
pipeline_tag: feature-extraction
tags: [mediafm, video, embeddings, masked-shot-modeling]
---

# A MediaFM model

A transformer that gives every shot of a title an embedding in its context. It was trained by
Masked Shot Modeling on features of frozen encoders, as in "MediaFM: The Multimodal AI Foundation
for Media Understanding at Netflix" (2026). It is no use without features from the same encoders.

```python
from mediafm.model import MediaFM

model = MediaFM.from_pretrained("path/or/name")
e_NH = model.contextual(title_features)  # (shots, {hidden}), unit norm
```

## Verdict

{verdict}

## Inputs

| block | width | treatment | encoder fingerprint |
|---|---|---|---|
{blocks}

The blocks are concatenated to {fused} and scaled to unit norm; an absent modality is zeros.
`[GLOBAL]` sees: {fields}. Do not probe this model for a label that derives from such a field.

## Network

{layers} layers of {hidden}, {heads} heads, up to {max_shots} shots; longer titles go through in
windows that share at least {overlap} shots. The embedding is the hidden state after the final norm.

## Training

{training}
"""


def model_card(config: ModelConfig, summary: Mapping[str, Any]) -> str:
    """Writes the card.

    Args:
        config: The model's configuration.
        summary: ``training.json``; empty for a model that was never trained.

    Returns:
        Markdown with the hub's header.
    """
    rows = [
        f"| {name} | {block.dim} | {block.treatment} | {block.encoder or 'unknown'} |"
        for name, block in [*config.modalities.items(), *config.metadata.items()]
    ]
    return _TEXT.format(
        hidden=config.hidden,
        verdict=summary.get("verdict", {}).get("text") or "This model was never validated.",
        blocks="\n".join(rows),
        fused=config.fused,
        fields=", ".join(config.metadata) or "nothing",
        layers=config.layers,
        heads=config.heads,
        max_shots=config.max_shots,
        overlap=config.overlap,
        training=_training(summary),
    )


def _training(summary: Mapping[str, Any]) -> str:
    if not summary:
        return "None is recorded."
    data, lines = summary.get("data", {}), []
    if data:
        lines.append(
            f"{data.get('train_titles', '?')} titles with {data.get('train_shots', '?')} shots, "
            f"validated on {data.get('val_titles', '?')} titles with "
            f"{data.get('val_shots', '?')} shots."
        )
    if "best_step" in summary:
        lines.append(f"{summary.get('steps', '?')} steps; kept: step {summary['best_step']}.")
    scores = summary.get("verdict", {}).get("cosine") or {}
    if scores:
        ranks, blocks = (summary["verdict"].get(k, {}) for k in ("reciprocal_rank", "modality"))
        heads = ["prediction of masked shots", "cosine", "mean reciprocal rank", *blocks]
        lines += ["", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        for name, value in scores.items():
            by = [
                value,
                ranks.get(name, math.nan),
                *(b.get(name, math.nan) for b in blocks.values()),
            ]
            lines.append(f"| {name} | {' | '.join(f'{x:.3f}' for x in by)} |")
    settings = summary.get("settings", {})
    if settings:
        lines.append("\nSettings: " + ", ".join(f"{k} {v}" for k, v in settings.items()) + ".")
    return "\n".join(lines) or "None is recorded."
