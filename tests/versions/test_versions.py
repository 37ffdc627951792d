"""Versions that follow one another: filling in, validating, promoting, rolling back."""

import numpy as np
import pytest
import torch
from probe_kit import make_catalog, write_csv

from mediafm.catalog import Catalog
from mediafm.cli.main import main
from mediafm.embed import embed
from mediafm.errors import CatalogError, FingerprintError, MediaFMError
from mediafm.ingest.importer import import_features
from mediafm.model import MediaFM, Modality, ModelConfig
from mediafm.versions import backfill, keep_complete, validate


def save_model(catalog, folder, seed):
    torch.manual_seed(seed)
    encoders = catalog.encoders()
    model = MediaFM(
        ModelConfig(
            {m: Modality(e.dim, e.fingerprint) for m, e in encoders.items()},
            hidden=16,
            layers=1,
            heads=2,
        )
    )
    model.fusion.fit(list(catalog.title_features()))
    model.eval().save_pretrained(folder)
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    catalog = make_catalog(tmp_path, titles=4, shots=8)
    for seed, name in enumerate(("a", "b")):
        save_model(catalog, tmp_path / f"model-{name}", seed)
    return catalog


def grow(catalog, folder):
    """Two more titles in the same catalog."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "shots.parquet").slice(0, 16)
    names = pa.array([f"new-{name}" for name in table["title_id"].to_pylist()])
    pq.write_table(table.set_column(0, "title_id", names), folder / "more.parquet")
    import_features(folder / "more.parquet", folder / "catalog", source="kit")
    catalog.refresh()


def test_the_first_version_is_current_and_later_ones_wait(place, tmp_path):
    assert place.current_version() is None
    assert embed(place, tmp_path / "model-a", "a").current
    second = embed(place, tmp_path / "model-b", "b")
    assert not second.current
    reader = Catalog.open(place.uri)
    for catalog in (place, reader):
        assert catalog.version().name == "a"
        np.testing.assert_array_equal(catalog.embeddings(None, "t0"), catalog.embeddings("a", "t0"))
    place.promote("b")
    assert place.version().name == "b"
    assert reader.version().name == "a"  # until it looks again
    reader.refresh()
    assert reader.version().name == "b"
    assert place.promote("b") == place.promotions()[-1]  # again is no error, and no entry
    assert [row.version for row in place.promotions()] == ["a", "b"]


def test_rollback_goes_back_and_forth(place, tmp_path):
    with pytest.raises(CatalogError, match=r"no version was current before.*version promote"):
        place.rollback()
    embed(place, tmp_path / "model-a", "a")
    with pytest.raises(CatalogError, match="no version was current before"):
        place.rollback()
    embed(place, tmp_path / "model-b", "b")
    place.promote("b")
    assert place.rollback().version == place.version().name == "a"
    assert place.rollback().version == "b"


def test_a_current_version_is_not_deleted(place, tmp_path):
    embed(place, tmp_path / "model-a", "a")
    embed(place, tmp_path / "model-b", "b")
    with pytest.raises(CatalogError, match=r"'a' is current.*promote"):
        place.delete_version("a")
    place.promote("b")
    place.delete_version("a")
    assert [version.name for version in place.versions()] == ["b"]
    with pytest.raises(CatalogError, match="no version was current before"):
        place.rollback()


def test_versions_in_use_are_kept_complete_and_others_are_not_promoted_half_filled(place, tmp_path):
    for name in ("a", "b"):
        embed(place, tmp_path / f"model-{name}", name)
    grow(place, tmp_path)
    assert keep_complete(place) == (2, [])
    assert not place.lacking("a")
    assert [title.title_id for title in place.lacking("b")] == ["new-t0", "new-t1"]
    with pytest.raises(CatalogError, match=r"lacks 2 of 6 titles \(new-t0, new-t1\).*backfill b"):
        place.promote("b")
    assert backfill(place, "b").titles == 2
    place.promote("b")
    assert keep_complete(place) == (0, [])


def test_promote_sees_titles_that_came_meanwhile(place, tmp_path):
    embed(place, tmp_path / "model-a", "a")
    embed(place, tmp_path / "model-b", "b")
    grow(Catalog.open(place.uri), tmp_path)
    with pytest.raises(CatalogError, match="lacks 2 of 6"):
        place.promote("b")  # its view is older than the titles


def test_a_model_that_is_gone_or_another_one_is_said(place, tmp_path):
    embed(place, tmp_path / "model-a", "a")
    (tmp_path / "model-a").rename(tmp_path / "moved")
    grow(place, tmp_path)
    made, [line] = keep_complete(place)
    assert made == 0 and "version 'a' lacks 2 titles" in line
    with pytest.raises(FingerprintError):
        backfill(place, "a", tmp_path / "model-b")
    assert backfill(place, "a", tmp_path / "moved").titles == 2


@pytest.fixture
def task(tmp_path):
    rows = [
        {"title_id": f"t{t}", "start": 4 * s, "end": 4 * s + 4, "mood": "ab"[(s + t) % 2]}
        for t in range(4)
        for s in range(8)
    ]
    write_csv(tmp_path / "mood.csv", rows)
    path = tmp_path / "mood.toml"
    path.write_text('kind = "multi-class"\ncolumn = "mood"\n[split]\nby = "title"\nfolds = 2\n')
    return path


def test_a_validation_is_noted_and_decides(place, tmp_path, task, capsys):
    from mediafm.probes.bench import Bench
    from mediafm.probes.task import load_task

    for name in ("a", "b"):
        embed(place, tmp_path / f"model-{name}", name)
    with pytest.raises(MediaFMError, match=r"no other version that 'a' would replace.*--against"):
        validate(Bench(place), "a", [load_task(task)])
    noted, [judged], study = validate(Bench(place), "b", [load_task(task)])
    assert (noted.against, noted.tasks, study.skipped) == ("a", {"mood": judged.outcome}, [])
    assert place.validations("b") == Catalog.open(place.uri).validations("b")
    assert place.validations("b")[0].passed == noted.passed
    assert place.validations("a") == []
    # What failed is promoted by force only.
    failed = place.validations("b")[0].__class__(
        "b", noted.fingerprint, "a", False, {"mood": "worse"}
    )
    place.record_validation(failed)
    assert main(["version", "promote", "b", "-c", place.uri]) == 1
    assert "failed the gate against 'a' (mood)" in capsys.readouterr().err
    assert main(["version", "promote", "b", "-c", place.uri, "--force"]) == 0
    assert "b is current, a was" in capsys.readouterr().out


def test_the_commands(place, tmp_path, task, capsys):
    uri = ["-c", place.uri]
    assert main(["version", "list", *uri]) == 0
    assert "no embeddings yet" in capsys.readouterr().out
    for name in ("a", "b"):
        main(["embed", "-m", f"model-{name}", "--version", name, *uri])
    assert "not current yet" in capsys.readouterr().out
    status = main(["version", "validate", "b", str(task), *uri])
    assert "b against a" in capsys.readouterr().out
    assert status in (0, 1)
    assert main(["version", "promote", "b", "--force", *uri]) == 0
    assert main(["version", "list", *uri]) == 0
    shown = capsys.readouterr().out
    assert "current" in shown and "complete" in shown and "against a" in shown
    assert main(["version", "rollback", *uri]) == 0
    assert "a is current, b was" in capsys.readouterr().out
    grow(place, tmp_path)
    assert main(["version", "backfill", "b", *uri]) == 0
    assert "16 shots of 2 titles" in capsys.readouterr().out
    assert main(["version", "backfill", "c", *uri]) == 1
    assert "it has a, b" in capsys.readouterr().err
    assert main(["version", "delete", "b", *uri]) == 0
    assert main(["version", "delete", "a", *uri]) == 1


def test_import_keeps_versions_in_use_complete(place, tmp_path, capsys):
    embed(place, tmp_path / "model-a", "a")
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "shots.parquet")
    pq.write_table(
        table.set_column(0, "title_id", [[f"x-{t}" for t in table["title_id"].to_pylist()]]),
        tmp_path / "x.parquet",
    )
    command = ["import", "x.parquet", "-c", place.uri, "--source", "kit"]
    assert main(command) == 0
    assert "4 embeddings of titles made" in capsys.readouterr().out
    place.refresh()
    assert not place.lacking("a")
