"""Titles with recurring scenes, for tests of model, pretrain and embed."""

from __future__ import annotations

import numpy as np

from mediafm.catalog.records import TitleFeatures

DIMS = {"video": 24, "audio": 12, "text": 16}


def make_titles(
    count=8, shots=24, *, seed=0, dims=DIMS, latent=8, noise=1.0, structured=True, series=None
):
    """Each title has four scenes of its own; a shot shows its scene, noise and an offset.

    With ``structured=False`` every shot is independent noise: nothing can be learned from context.
    """
    rng = np.random.default_rng(seed)
    maps = {m: rng.normal(size=(latent, d)) / latent**0.5 for m, d in dims.items()}
    offsets = {m: 2 * rng.normal(size=d) for m, d in dims.items()}
    titles = []
    for i in range(count):
        n = shots + int(rng.integers(-shots // 5, shots // 5 + 1))
        scenes = rng.normal(size=(4, latent))
        scene_N = np.repeat(rng.integers(0, 4, size=n), rng.integers(2, 7, size=n))[:n]
        latent_N = scenes[scene_N] if structured else rng.normal(size=(n, latent))
        features, present = {}, {}
        for m in dims:
            own = latent_N + noise * rng.normal(size=(n, latent))
            features[m] = (own @ maps[m] + offsets[m]).astype(np.float16)
            present[m] = rng.random(n) > (0.3 if m == "text" else 0.0)
            features[m][~present[m]] = 0
        edges = np.arange(n + 1, dtype=np.int64) * 2_000_000
        titles.append(
            TitleFeatures(
                title_id=f"title{i:02}",
                ingest_id=f"ingest{i:02}",
                group=series or f"title{i:02}",
                times_N2=np.stack([edges[:-1], edges[1:]], axis=1),
                features=features,
                present=present,
                metadata={"synopsis": rng.normal(size=dims.get("text", 8)).astype(np.float16)},
            )
        )
    return titles
