"""A small catalog of invented titles, written by the real writer, for the pictures to draw."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, VersionRecord
from mediafm.timeline import US, Cue, Shot, Span

DIMS = {"video": 24, "audio": 12, "text": 8}


def jpeg(shot: int, size=(160, 90)) -> bytes:
    buffer = io.BytesIO()
    colour = (shot * 40 % 256, shot * 90 % 256, shot * 17 % 256)
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


def scenes(shots: int, per_scene: int = 4) -> np.ndarray:
    return np.arange(shots) // per_scene


Add = Callable[..., TitleRecord]


@pytest.fixture
def catalog(tmp_path):
    return Catalog.create(tmp_path / "catalog")


@pytest.fixture
def add(catalog) -> Add:
    """Writes a title of alternating scenes; `have` says where a modality is there."""

    def write(
        title_id="film", shots=12, *, name="", cues=(), pictures=True, have=None, size=(160, 90)
    ):
        have = dict.fromkeys(DIMS, True) if have is None else have
        encoders = {m: EncoderRecord(m, f"{m}-encoder", f"{m}-print", DIMS[m]) for m in have}
        rng = np.random.default_rng(len(title_id))
        with catalog.writer(title_id, encoders) as writer:
            spans = [Span(i * 2 * US, (i + 1) * 2 * US) for i in range(shots)]
            writer.add_shots([Shot(i, span) for i, span in enumerate(spans)])
            writer.add_cues([Cue(Span(i * US, i * US + US), text) for i, text in enumerate(cues)])
            if pictures:
                writer.add_keyframes([(i, jpeg(i, size)) for i in range(shots)])
            for modality, there in have.items():
                scene = rng.normal(size=(shots, DIMS[modality]))[scenes(shots)]
                x = scene + 0.3 * rng.normal(size=scene.shape) + 1
                writer.add_features(modality, 0, x, np.broadcast_to(there, shots))
            writer.commit(TitleRecord(title_id, writer.ingest_id, title=name))
        return catalog.title(title_id)

    return write


@pytest.fixture
def embed(catalog):
    """Gives titles embeddings of a version: one direction per scene, with a little noise."""

    def write(*title_ids, version="v1"):
        catalog.create_version(VersionRecord(version, f"{version}-print", 16))
        rng = np.random.default_rng(5)
        for title_id in title_ids:
            title = catalog.title(title_id)
            x = rng.normal(size=(title.shots, 16))[scenes(title.shots)]
            x += 0.1 * rng.normal(size=x.shape)
            x /= np.linalg.norm(x, axis=1, keepdims=True)
            catalog.append_embeddings(version, [(title_id, title.ingest_id, x)])

    return write
