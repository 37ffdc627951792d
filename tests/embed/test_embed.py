"""Embedding a catalog: fingerprints, versions, resuming."""

import dataclasses

import numpy as np
import pytest
import torch
from shot_kit import DIMS, make_titles

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord
from mediafm.embed import embed
from mediafm.embed.run import default_name
from mediafm.errors import CatalogError, FingerprintError
from mediafm.model import MediaFM, Modality, ModelConfig
from mediafm.timeline import Shot, Span

ENCODERS = {m: EncoderRecord(m, f"{m} encoder", f"print-{m}", d) for m, d in DIMS.items()}


def ingest(catalog, title, encoders=ENCODERS):
    spans = [Span(int(a), int(b)) for a, b in title.times_N2]
    with catalog.writer(title.title_id, encoders) as writer:
        writer.add_shots([Shot(i, span) for i, span in enumerate(spans)])
        for modality in encoders:
            writer.add_features(
                modality, 0, title.features[modality], np.asarray(title.present[modality])
            )
        if "text" in encoders:
            writer.set_metadata("synopsis", title.metadata["synopsis"])
        return writer.commit(TitleRecord(title.title_id, ""))


def make_model(**prints):
    torch.manual_seed(0)
    model = MediaFM(
        ModelConfig(
            {m: Modality(d, prints.get(m, f"print-{m}")) for m, d in DIMS.items()},
            {"synopsis": Modality(DIMS["text"], prints.get("synopsis", "print-text"))},
            hidden=32,
            layers=1,
            heads=2,
            max_shots=16,
            overlap=8,
        )
    )
    model.fusion.fit(make_titles())
    return model.eval()


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "catalog")
    for title in make_titles(3):
        ingest(catalog, title)
    return catalog


def test_embeddings_are_the_model_s(catalog):
    model = make_model()
    result = embed(catalog, model, "v1")
    assert (result.titles, result.skipped, result.missing) == (3, 0, ())
    assert result.version.fingerprint == model.fingerprint
    for title in catalog.title_features():
        e = np.asarray(catalog.embeddings("v1", title.title_id), np.float32)
        assert np.allclose(e, model.contextual(title), atol=2e-3)


def test_again_skips_and_new_titles_follow(catalog):
    model = make_model()
    embed(catalog, model, "v1")
    assert embed(catalog, model, "v1").titles == 0
    ingest(catalog, make_titles(4)[3])
    result = embed(catalog, model, "v1")
    assert (result.titles, result.skipped) == (1, 3)


def test_an_interrupted_run_goes_on(catalog, monkeypatch):
    model = make_model()
    monkeypatch.setattr("mediafm.embed.run._BATCH_SHOTS", 1)
    append, left = Catalog.append_embeddings, [2]

    def failing(self, name, batch):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return append(self, name, batch)

    monkeypatch.setattr(Catalog, "append_embeddings", failing)
    with pytest.raises(KeyboardInterrupt):
        embed(catalog, model, "v1")
    monkeypatch.setattr(Catalog, "append_embeddings", append)
    result = embed(catalog, model, "v1")
    assert (result.titles, result.skipped) == (1, 2)


def test_a_folder_names_its_version(catalog, tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path / "my model")
    result = embed(catalog, tmp_path / "my model")
    assert result.version.name == f"my-model-{model.fingerprint[:8]}"
    assert result.version.model.endswith("my model")
    assert default_name("", "0123456789") == "model-01234567"
    assert default_name("owner/..", "0123456789") == "model-01234567"


def test_other_encoders_are_refused(catalog):
    for prints in ({"video": "other"}, {"synopsis": "other"}):
        with pytest.raises(FingerprintError, match=r"trained on encoder other.*pretrain") as error:
            embed(catalog, make_model(**prints), "v1")
        assert "\n" not in str(error.value)
    assert not catalog.versions()


def test_unknown_encoders_are_checked_for_width(tmp_path):
    catalog = Catalog.create(tmp_path / "catalog")
    narrow = {"video": dataclasses.replace(ENCODERS["video"], dim=5)}
    ingest(catalog, make_titles(1, dims={"video": 5})[0], narrow)
    with pytest.raises(FingerprintError, match="24 wide"):
        embed(catalog, make_model(video=""), "v1")


def test_a_version_of_another_model_is_refused(catalog):
    embed(catalog, make_model(), "v1")
    other = make_model()
    with torch.no_grad():
        other.mask_H[0] = 1
    with pytest.raises(FingerprintError, match="another"):
        embed(catalog, other, "v1")


def test_a_podcast_has_no_video(tmp_path):
    catalog = Catalog.create(tmp_path / "catalog")
    encoders = {m: ENCODERS[m] for m in ("audio", "text")}
    ingest(catalog, make_titles(1)[0], encoders)
    result = embed(catalog, make_model(), "v1")
    assert result.missing == ("video",)
    assert result.titles == 1


def test_nothing_to_read_is_an_error(tmp_path):
    with pytest.raises(CatalogError, match="no video, audio, text features"):
        embed(Catalog.create(tmp_path / "catalog"), make_model(), "v1")


def test_all_layers_are_a_version_of_their_own(catalog):
    model = make_model()
    embed(catalog, model, "last")
    result = embed(catalog, model, "every", layers="all")
    assert result.version.settings["layer"] == "all"
    assert result.version.dim == model.embedding_width("all")
    title = next(catalog.title_features())
    stored = np.asarray(catalog.embeddings("every", title.title_id), np.float32)
    assert np.allclose(stored, model.contextual(title, layers="all"), atol=2e-3)
    with pytest.raises(FingerprintError):
        embed(catalog, model, "last", layers="all")
