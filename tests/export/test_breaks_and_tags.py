"""Tags and ad breaks for other programs: metadata tracks, tables, OpenRTB content objects."""

import json

import pyarrow.parquet as pq
import pytest
import webvtt

from mediafm.catalog import Catalog, TitleRecord, VersionRecord
from mediafm.cli.main import main
from mediafm.errors import MediaFMError
from mediafm.export import marks_of_suggestions, write_breaks, write_marks
from mediafm.export.adcom import content
from mediafm.probes.iab import is_id
from mediafm.suggest import Suggestions
from mediafm.suggest.breaks import Break
from mediafm.suggest.tags import Tagged
from mediafm.timeline import US, Cue, Shot, Span

TYPES = {  # OpenRTB 2.6, 3.2.16
    "id": str, "title": str, "series": str, "season": str, "episode": int, "genre": str,
    "cattax": int, "cat": list, "kwarray": list, "context": int, "len": int,
}  # fmt: skip


@pytest.fixture
def catalog(tmp_path):
    made = Catalog.create(tmp_path / "catalog")
    with made.writer("film") as writer:
        spans = [Span(i * 10 * US, (i + 1) * 10 * US) for i in range(12)]
        writer.add_shots([Shot(i, span) for i, span in enumerate(spans)])
        writer.add_cues([Cue(Span(41 * US, 44 * US), "Is this --> it?\n\nYes")])
        record = writer.commit(
            TitleRecord(
                "film",
                "",
                title="The Film",
                series_id="saga",
                season=2,
                episode=3,
                genres=("drama", "war"),
                tags=("rain",),
                width=640,
                height=360,
                duration=120 * US,
            )
        )
    made.create_version(VersionRecord("v", "f", 2))
    turn = [(1, 0)] * 4 + [(0, 1)] * 4 + [(-1, 0)] * 4
    made.append_embeddings("v", [("film", record.ingest_id, turn)])
    made.promote("v")
    return made


def breaks():
    at = Span(40 * US, 40 * US)
    reasons = ("a new scene begins (probe 0.90)",)
    sides = (("Sedan",), ("Hiking",))
    first = Break("film", at, 0.9, reasons, {"scene": 0.9}, *sides, ("24", "338"), ("noir",))
    return Suggestions("film", "ad-breaks", [first], ("probe", "ad-relevancy"), ("a note",))


def test_content_objects_have_the_fields_of_the_standard(catalog, tmp_path):
    file = write_breaks(catalog, breaks(), tmp_path / "breaks.json")
    found = json.loads(file.read_text())
    [one] = found["breaks"]
    assert (one["at"], one["at_us"], one["before"]) == (40.0, 40 * US, ["Sedan"])
    assert found["notes"] == ["a note"]
    assert one["content"] == {
        "id": "film",
        "title": "The Film",
        "series": "saga",
        "season": "2",
        "episode": 3,
        "genre": "drama",
        "cattax": 9,
        "cat": ["24", "338"],
        "kwarray": ["rain", "noir"],
        "context": 1,
        "len": 120,
    }
    assert all(type(value) is TYPES[name] for name, value in one["content"].items())


def test_what_is_not_known_is_left_out():
    assert content(TitleRecord("bare", "", duration=1_400_000)) == {"id": "bare", "len": 1}
    words = content(TitleRecord("bare", ""), words=["grim"])
    assert words == {"id": "bare", "kwarray": ["grim"], "len": 0}


@pytest.mark.shared
def test_ids_of_the_taxonomy_are_known_as_such(shared):
    from mediafm.probes.iab import load_taxonomy

    ids = load_taxonomy(shared / "data" / "iab-content-taxonomy-3.1.tsv").ids
    assert len(ids) > 600
    assert all(map(is_id, ids))


def test_words_are_no_ids():
    assert not any(
        map(is_id, ("tense", "dark", "action", "Action", "Sedan", "", "1-1", "IAB1", "12345"))
    )


def test_metadata_is_parsed_by_another(catalog, tmp_path):
    scene = Span(40 * US, 80 * US)
    evidence = {"tense --> dark": 0.7, "calm": 0.2}
    named = ("tense --> dark",)
    tagged = Tagged("film", scene, 0.7, (), evidence, "clip-tone", named, named)
    found = Suggestions("film", "tags", [tagged], ("novelty", "clip-tone"))
    file = tmp_path / "tags.vtt"
    write_marks(catalog, marks_of_suggestions(catalog, found), file, metadata=True)
    [cue] = webvtt.read(str(file))
    assert (cue.start, cue.end) == ("00:00:40.000", "00:01:20.000")
    said = json.loads(cue.raw_text)
    assert said["probe"] == "clip-tone"
    assert said["tags"] == ["tense --> dark"]
    assert said["probabilities"] == {"tense --> dark": 0.7, "calm": 0.2}
    write_marks(catalog, marks_of_suggestions(catalog, found), file)
    assert webvtt.read(str(file))[0].text == "clip-tone: tense --&gt; dark"


def test_the_commands(catalog, tmp_path, capsys):
    where = ["-c", catalog.uri, "--probes", str(tmp_path / "none"), "--spacing", "10"]
    for name in ("breaks.json", "breaks.vtt", "breaks.csv", "breaks.parquet"):
        assert main(["export", "ad-breaks", "film", *where, "-o", str(tmp_path / name)]) == 0
        said = capsys.readouterr().out
        assert f"2 ad breaks in {tmp_path / name}" in said
        assert "no probe 'ad-relevancy' is fitted" in said
    found = json.loads((tmp_path / "breaks.json").read_text())
    assert [one["at"] for one in found["breaks"]] == [40.0, 80.0]
    table = pq.read_table(tmp_path / "breaks.parquet").to_pylist()
    assert [row["start_us"] for row in table] == [40 * US, 80 * US]
    cues = webvtt.read(str(tmp_path / "breaks.vtt"))
    assert [json.loads(cue.raw_text)["kind"] for cue in cues] == ["ad-breaks"] * 2
    assert main(["export", "ad-breaks", "film", *where, "-o", str(tmp_path / "b.edl")]) == 1
    assert "ad breaks cannot be written as .edl" in capsys.readouterr().err
    where[-1] = "99:00"
    out = tmp_path / "nothing.json"
    assert main(["export", "ad-breaks", "film", *where, "-o", str(out)]) == 1
    err = capsys.readouterr().err
    assert "there is no ad break to write" in err
    assert err.count("\n") == 1
    assert not out.exists()
    tags = ["export", "tags", "film", *where[:4], "-o", str(tmp_path / "tags.csv")]
    assert main(tags) == 1  # no probe, and no other title to ask
    assert "no probe that gives classes is fitted" in capsys.readouterr().err


def test_breaks_that_are_none_are_not_written(catalog, tmp_path):
    found = Suggestions("film", "ad-breaks", [], ("probe",), ("no scene begins there",))
    with pytest.raises(MediaFMError, match="no ad break to write; no scene begins there"):
        write_breaks(catalog, found, tmp_path / "breaks.json")
