"""Exports are read back by others: the same spans, to the frame."""

import csv
import io
import itertools
import json
from fractions import Fraction

import duckdb
import opentimelineio as otio
import polars
import pytest
import webvtt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, VersionRecord
from mediafm.cli.main import main
from mediafm.errors import MediaFMError, MissingExtraError
from mediafm.export import Mark, editing, marks_of_scenes, marks_of_shots, write_marks
from mediafm.export.frames import Frames, number_of
from mediafm.export.write import COLUMNS
from mediafm.suggest import find_scenes
from mediafm.timeline import US, Clip, Cue, Shot, Span, parse_time

SOURCES = {
    "23.976": ("24000/1001", "01:00:00:00"),
    "24": ("24/1", "10:00:00:00"),
    "25": ("25/1", "09:59:58:12"),
    "29.97 DF": ("30000/1001", "00:59:59;28"),
    "29.97 NDF": ("30000/1001", "01:00:00:00"),
    "30": ("30/1", "00:00:00:00"),
    "25, no timecode": ("25/1", None),
    "29.97, no timecode": ("30000/1001", None),
}
CUTS = [0, 31, 32, 95, 1800, 1801, 3599, 17982, 18000, 18011]  # frames; minutes and ten minutes


def times(rate, cuts=CUTS):
    return [round(cut * US / Fraction(rate)) for cut in cuts]


def make(folder, rate, timecode, cuts=CUTS, name="film"):
    catalog = Catalog.open_or_create(folder)
    at = times(rate, cuts)
    with catalog.writer(name) as writer:
        spans = [Span(a, b) for a, b in itertools.pairwise(at)]
        writer.add_shots([Shot(i, span) for i, span in enumerate(spans)])
        writer.add_cues([Cue(Span(at[1], at[2] + US), "A <b>line</b> & --> more")])
        writer.commit(
            TitleRecord(
                name,
                "",
                path=f"/media/{name}.mov",
                frame_rate=rate,
                timecode=timecode,
                duration=at[-1],
            )
        )
    return Catalog.open(folder)


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    rate, timecode = SOURCES[request.param]
    return make(tmp_path / "c", rate, timecode), rate, timecode


def first_frame(rate, timecode):
    """By OpenTimelineIO's own arithmetic."""
    if timecode is None:
        return 0
    value = float(Fraction(rate)) if ";" in timecode else float(round(Fraction(rate)))
    return otio.opentime.from_timecode(timecode, value).to_frames()


@pytest.mark.parametrize("suffix", [".otio", ".edl", ".xml"])
def test_edit_lists_come_back_to_the_frame(source, tmp_path, suffix):
    catalog, rate, timecode = source
    out = write_marks(catalog, marks_of_shots(catalog, "film"), tmp_path / f"shots{suffix}")
    frames = Frames.of(catalog.title("film"))
    if suffix == ".otio":
        timeline = otio.adapters.read_from_file(str(out))
    elif suffix == ".edl":
        timeline = otio.adapters.read_from_string(out.read_text(), "cmx_3600", rate=frames.labels)
    else:
        timeline = otio.adapters.read_from_string(out.read_text(), "fcp_xml")
    zero = first_frame(rate, timecode)
    found = []
    for clip in timeline.find_clips():
        span = clip.source_range
        found.append((span.start_time.to_frames(), span.duration.to_frames()))
    assert found == [(zero + a, b - a) for a, b in itertools.pairwise(CUTS)]
    # And from frames back to the catalog's own times.
    for (start, count), shot in zip(found, catalog.shots("film"), strict=True):
        assert Span(frames.time(start), frames.time(start + count)) == shot.span


def test_an_edl_says_the_source_timecode(tmp_path):
    for number, (name, expected) in enumerate(
        {
            "25": "09:59:58:12",
            "29.97 DF": "00:59:59;28",
            "29.97 NDF": "01:00:00:00",
            "29.97, no timecode": "00:00:00;00",
        }.items()
    ):
        rate, timecode = SOURCES[name]
        catalog = make(tmp_path / f"c{number}", rate, timecode)
        text = write_marks(
            catalog, marks_of_shots(catalog, "film"), tmp_path / f"{number}.edl"
        ).read_text()
        line = next(line for line in text.splitlines() if line.startswith("001"))
        assert line.split()[4] == expected, text


def test_otio_knows_the_file_and_why(tmp_path):
    catalog = make(tmp_path / "c", "25/1", "01:00:00:00")
    mark = Mark(Clip("film", Span(*times("25/1")[2:4])), "good", 0.5, ("it is", "it was"), {"a": 1})
    out = write_marks(catalog, [mark], tmp_path / "a.otio", "basket")
    timeline = otio.adapters.read_from_file(str(out))
    [clip] = timeline.find_clips()
    assert (timeline.name, clip.name) == ("basket", "good")
    assert clip.media_reference.target_url == "file:///media/film.mov"
    assert clip.media_reference.available_range.start_time.to_timecode() == "01:00:00:00"
    assert clip.media_reference.available_range.duration.to_frames() == CUTS[-1]
    told = dict(clip.metadata["mediafm"])
    assert (told["title_id"], told["score"], list(told["reasons"]), told["a"]) == (
        "film",
        0.5,
        ["it is", "it was"],
        1,
    )
    assert (told["start_us"], told["end_us"]) == tuple(times("25/1")[2:4])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["24000/1001", "24/1", "25/1", "30000/1001", "30/1", "60000/1001", "50/1"]),
    st.booleans(),
    st.integers(0, 3_000_000),
    st.integers(0, 2_000_000),
)
def test_frames_and_times_agree(rate, drop, start, frame):
    exact = Fraction(rate)
    drop = drop and exact.denominator == 1001 and round(exact) % 30 == 0
    value = float(exact) if drop else float(round(exact))
    day = round(24 * 3600 * float(exact))
    label = otio.opentime.to_timecode(otio.opentime.RationalTime(start % day, value), value)
    assert (";" in label) == drop
    assert number_of(label, exact, drop) == start % day
    frames = Frames(exact, start, drop)
    assert frames.at(frames.time(start + frame)) == start + frame


def test_rates_that_are_none(tmp_path):
    steady = Frames.of(TitleRecord("t", "", frame_rate="2997/100"))
    assert (steady.rate, steady.steady, steady.drop) == (Fraction(30000, 1001), True, True)
    assert not Frames.of(TitleRecord("t", "", frame_rate="27/2")).steady
    with pytest.raises(MediaFMError, match=r"t: has no frame rate.*write times instead"):
        Frames.of(TitleRecord("t", ""))
    with pytest.raises(MediaFMError, match="'soon' is not a timecode"):
        Frames.of(TitleRecord("t", "", frame_rate="25/1", timecode="soon"))
    make(tmp_path / "c", "25/1", None, name="one")
    catalog = make(tmp_path / "c", "24/1", None, name="two")
    marks = [*marks_of_shots(catalog, "one"), *marks_of_shots(catalog, "two")]
    with pytest.raises(
        MediaFMError, match=r"an EDL has one frame rate, these titles have 24 and 25"
    ):
        write_marks(catalog, marks, tmp_path / "both.edl")
    timeline = otio.adapters.read_from_file(str(write_marks(catalog, marks, tmp_path / "b.otio")))
    assert {clip.source_range.start_time.rate for clip in timeline.find_clips()} == {24, 25}


def test_chapters_are_parsed_by_another(tmp_path):
    catalog = make(tmp_path / "c", "25/1", None)
    marks = marks_of_shots(catalog, "film")
    out = write_marks(catalog, marks, tmp_path / "chapters.vtt")
    found = webvtt.read(str(out))
    assert len(found) == len(marks)
    for caption, mark in zip(found, marks, strict=True):
        assert abs(parse_time(caption.start) - mark.clip.span.start) < 1000
        assert abs(parse_time(caption.end) - mark.clip.span.end) < 1000
    assert "A &lt;b&gt;line&lt;/b&gt; &amp; --&gt; more" in out.read_text()
    make(tmp_path / "c", "25/1", None, name="other")
    both = [*marks, Mark(Clip("other", Span(0, US)), "x")]
    with pytest.raises(MediaFMError, match="a WebVTT file is of one title"):
        write_marks(Catalog.open(tmp_path / "c"), both, tmp_path / "both.vtt")


def test_tables_open_elsewhere_with_their_columns(tmp_path):
    catalog = make(tmp_path / "c", "25/1", None)
    marks = marks_of_shots(catalog, "film")
    marks[0] = Mark(marks[0].clip, "ünïcode, “quotes”\nand lines", 0.25, ("one", "two"), {"k": [1]})
    files = {
        s: write_marks(catalog, marks, tmp_path / f"t{s}") for s in (".csv", ".jsonl", ".parquet")
    }
    frame = polars.read_parquet(files[".parquet"])
    assert tuple(frame.columns) == COLUMNS
    assert frame["start_us"].to_list() == [m.clip.span.start for m in marks]
    count, score = duckdb.sql(
        f"select count(*), max(score) from '{files['.parquet']}' where end_us > start_us"
    ).fetchall()[0]
    assert (count, score) == (len(marks), 0.25)
    rows = list(csv.DictReader(io.StringIO(files[".csv"].read_text())))
    assert rows[0]["name"] == marks[0].name
    assert [int(row["end_us"]) for row in rows] == [m.clip.span.end for m in marks]
    told = [json.loads(line) for line in files[".jsonl"].read_text().splitlines()]
    assert (told[0]["reasons"], told[0]["about"]) == (["one", "two"], {"k": [1]})
    assert parse_time(told[1]["start"]) // 1000 == marks[1].clip.span.start // 1000


def test_what_cannot_be_written(tmp_path):
    catalog = make(tmp_path / "c", "25/1", None)
    marks = marks_of_shots(catalog, "film")
    with pytest.raises(MediaFMError, match=r"cannot be written as \.doc; name a \.otio, \.edl"):
        write_marks(catalog, marks, tmp_path / "a.doc")
    with pytest.raises(MediaFMError, match="nothing to write"):
        write_marks(catalog, [], tmp_path / "a.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaFMError, match="cannot be written"):
        write_marks(catalog, marks, tmp_path / "file" / "a.csv")
    empty = [Mark(Clip("film", Span(US, US)), "a break")]
    with pytest.raises(MediaFMError, match="no clip to write"):
        write_marks(catalog, empty, tmp_path / "a.edl")


def test_an_adapter_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(editing.ADAPTERS, ".edl", "none_of_that_name")
    catalog = make(tmp_path / "c", "25/1", None)
    with pytest.raises(MissingExtraError, match=r"writing .edl needs .*mediafm\[otio\]"):
        write_marks(catalog, marks_of_shots(catalog, "film"), tmp_path / "a.edl")


def test_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDIAFM_CATALOG", str(tmp_path / "c"))
    catalog = make(tmp_path / "c", "25/1", None, [0, 200, 420, 600, 800, 1000, 1300])
    catalog.create_version(VersionRecord("v", "f", 4))
    x_NH = [
        [1, 0, 0, 0],
        [0.9, 0.1, 0, 0],
        [0, 1, 0, 0],
        [0, 1, 0.1, 0],
        [0, 0, 1, 0],
        [0, 0, 0.9, 0.1],
    ]
    catalog.append_embeddings("v", [("film", catalog.title("film").ingest_id, x_NH)])
    catalog.promote("v")
    assert main(["export", "shots", "film", "-o", "shots.edl"]) == 0
    assert "6 shots in shots.edl" in capsys.readouterr().out
    assert main(["export", "scenes", "film", "-o", "chapters.vtt", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    held = Catalog.open(tmp_path / "c")
    assert any("no probe" in note for note in told["notes"])
    assert told["scenes"] == len(marks_of_scenes(held, find_scenes(held, "film")))
    assert main(["export", "clips", "film", "-o", "clips.otio"]) == 0
    (tmp_path / "mine.csv").write_text("title_id,start,end\nfilm,8,16.8\nfilme,1,2\n")
    assert main(["export", "clips", "--clips", "mine.csv", "-o", "mine.edl"]) == 1
    shown = capsys.readouterr().out
    assert "1 clip in mine.edl" in shown
    assert "row 3: no title 'filme'" in shown
    before = (tmp_path / "mine.csv").read_text()
    assert main(["export", "clips", "--clips", "mine.csv", "-o", "./mine.csv"]) == 1
    assert "is the file of the clips" in capsys.readouterr().err
    assert (tmp_path / "mine.csv").read_text() == before
    make(tmp_path / "c", "27/2", None, name="phone")
    assert main(["export", "shots", "phone", "-o", "phone.edl"]) == 0
    assert "27/2 frames/s is no rate of timecode" in capsys.readouterr().out
    assert main(["export", "shots", "phone", "-o", "phone.csv"]) == 0
    assert "no rate" not in capsys.readouterr().out
    for wrong in (["export", "clips"], ["export", "clips", "film", "--clips", "mine.csv"]):
        assert main(wrong) == 1
        assert "the suggested clips of a title, or those of a file" in capsys.readouterr().err


def test_edits_have_sound_where_their_titles_do(tmp_path):
    catalog = make(tmp_path / "catalog", "24/1", None, name="silent")
    spans = [Span(0, 2 * US), Span(2 * US, 5 * US)]
    with catalog.writer("heard", {"audio": EncoderRecord("audio", "ear", "e1", 2)}) as writer:
        writer.add_shots([Shot(i, span) for i, span in enumerate(spans)])
        writer.add_features("audio", 0, [[1.0, 0.0], [0.0, 1.0]])
        writer.commit(TitleRecord("heard", "", frame_rate="24/1", duration=5 * US))
    catalog = Catalog.open(tmp_path / "catalog")
    marks = [Mark(Clip(name, Span(0, 2 * US)), name) for name in ("heard", "silent", "heard")]
    for suffix in (".otio", ".xml"):
        out = write_marks(catalog, marks, tmp_path / f"edit{suffix}")
        timeline = otio.adapters.read_from_file(str(out), editing.ADAPTERS[suffix])
        if not isinstance(timeline, otio.schema.Timeline):  # a project holds it
            [timeline] = timeline.find_children(descended_from_type=otio.schema.Timeline)
        [sound] = timeline.audio_tracks()
        assert [clip.name for clip in sound.find_clips()] == ["heard", "heard"]
        at = [clip.range_in_parent().start_time.value for clip in sound.find_clips()]
        assert at == [0, 96]  # a gap of two seconds between them
    alone = write_marks(catalog, marks[1:2], tmp_path / "silent.otio")
    assert otio.adapters.read_from_file(str(alone)).audio_tracks() == []


def test_clips_of_a_file_keep_their_names_and_order(tmp_path, capsys):
    catalog = make(tmp_path / "catalog", "25/1", None)
    own = tmp_path / "mine.csv"
    own.write_text("title_id,start,end,name\nfilm,5,8,Second act\nfilm,1,2,\nfilm,3,4,Teaser\n")
    out = tmp_path / "mine.jsonl"
    command = ["export", "clips", "--clips", str(own), "-c", catalog.uri, "-o", str(out)]
    assert main(command) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["start_us"] // US, row["name"].split(" 0")[0]) for row in rows] == [
        (5, "Second act"), (1, "film"), (3, "Teaser"),
    ]  # fmt: skip
