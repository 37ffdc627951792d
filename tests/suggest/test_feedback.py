"""Answers to suggestions, as labels that `probe fit` reads."""

import csv
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from suggest_kit import answer_often

from mediafm.catalog import Catalog
from mediafm.cli.main import main
from mediafm.errors import CatalogError, MediaFMError
from mediafm.probes.clip_finder import read_clips
from mediafm.probes.labels import load_labels
from mediafm.probes.task import load_task
from mediafm.suggest import suggest_artwork, suggest_breaks, suggest_clips
from mediafm.suggest.feedback import Row, judge, judge_tags, place, record, task_of
from mediafm.suggest.fitted import FittedProbes
from mediafm.timeline import US, Clip, Span, format_time


def rows_of(file):
    with Path(file).open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def answer(*arguments, labels, uri, code=0):
    assert main(["suggest", *arguments, "-c", uri, "-l", str(labels)]) == code


def test_clips_become_rows_that_a_probe_reads(film, tmp_path, capsys):
    labels = tmp_path / "labels"
    shown = suggest_clips(film, "film", 3, shortest=4 * US, longest=12 * US).found
    texts = [f"film@{format_time(one.span.start)}-{format_time(one.span.end)}" for one in shown]
    answer("accept", "clips", texts[0], labels=labels, uri=film.uri)
    answer("reject", "clips", texts[1], labels=labels, uri=film.uri)
    # One series alone cannot be measured on.
    assert "next: answers in other series, too" in capsys.readouterr().out
    clips, wrong = read_clips(labels / "clips.csv", film)
    assert wrong == []
    assert clips == sorted([shown[0].clip, shown[1].clip])  # to the microsecond
    assert [row["worthy"] for row in rows_of(labels / "clips.csv")] == ["1", "0"]
    answer("reject", "clips", texts[0], labels=labels, uri=film.uri)  # a mind that changed
    assert "replaces an earlier answer" in capsys.readouterr().out
    assert [row["worthy"] for row in rows_of(labels / "clips.csv")] == ["0", "0"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 63_000_000), st.integers(1001, 9_000_000), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
def test_rows_come_back_as_they_were(answers):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        task = task_of("clips", Path(folder))
        last: dict[tuple[int, int], tuple[Span, str]] = {}
        for start, lasts, yes in answers:
            span = Span(start, start + lasts)
            record(task, [Row(Clip('a, "b"', span), str(int(yes)), "accepted")])
            key = (span.start // 1000, span.end // 1000)  # told apart to the millisecond
            last[key] = (last.get(key, (span, ""))[0], str(int(yes)))
        rows = rows_of(task.labels)
        assert len(rows) == len(last)
        for row in rows:
            start, end = (round(float(row[name]) * US) for name in ("start", "end"))
            assert last[start // 1000, end // 1000] == (Span(start, end), row["worthy"])
            assert row["title_id"] == 'a, "b"'


def test_a_row_of_the_users_keeps_everything_but_the_label(film, tmp_path, capsys):
    (tmp_path / "clips.csv").write_text(
        "note,title_id,start_us,end_us,worthy,tone\nmine,film,0,2000000,1,sad|dark\n,film,x,y,1,\n"
    )
    answer("reject", "clips", "film@0-2", labels=tmp_path, uri=film.uri)
    assert (tmp_path / "clips.csv").read_text() == (
        "note,title_id,start_us,end_us,worthy,tone\nmine,film,0,2000000,0,sad|dark\n,film,x,y,1,\n"
    )
    # A new row would leave cells empty that mean something to another task.
    answer("reject", "clips", "film@2-5", labels=tmp_path, uri=film.uri, code=1)
    assert "has a column 'note', of which an answer says nothing" in capsys.readouterr().err


def test_label_files_with_marks_of_other_programs(film, tmp_path):
    file = tmp_path / "clips.csv"
    file.write_bytes("\ufefftitle_id,start,end,worthy\r\nfilm,0,2,1\r\n".encode())
    answer("reject", "clips", "film@2-5", labels=tmp_path, uri=film.uri)
    assert [row["worthy"] for row in rows_of(file)] == ["1", "0"]
    clips, wrong = read_clips(file, film)
    assert (len(clips), wrong) == (2, [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("title_id;start;end;worthy\nfilm;0;2;1\n", "has no columns title_id, start, end"),
        ("title_id,start,end,tone\nfilm,0,2,sad\n", "has no columns title_id, start, end"),
        ("title_id,start,end,worthy\nfilm,0,2\n", "line 2 has more or fewer cells than the header"),
        (
            "title_id,start,end,worthy\nfilm,0,2,1,1\n",
            "line 2 has more or fewer cells than the header",
        ),
        ("title_id,start,end,worthy,worthy\nfilm,0,2,1,1\n", "has two columns 'worthy'"),
        ("\0\1PAR1", "has no columns"),
    ],
)
def test_a_file_that_is_none_of_ours_stays_as_it_was(film, tmp_path, capsys, content, said):
    (tmp_path / "clips.csv").write_text(content)
    answer("accept", "clips", "film@0-2", labels=tmp_path, uri=film.uri, code=1)
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert (tmp_path / "clips.csv").read_text() == content


def test_a_correction_of_a_place(film, tmp_path):
    clip = place(film, "clips", "film@0-5")
    assert judge(clip, "corrected", place(film, "clips", "film@2-9")) == [
        Row(Clip("film", Span(2 * US, 9 * US)), "1", "corrected")
    ]
    far = judge(clip, "corrected", place(film, "clips", "film@20-30"))
    assert [(row.clip.span.start // US, row.value) for row in far] == [(0, "0"), (20, "1")]
    with pytest.raises(MediaFMError, match="name it with --to"):
        judge(clip, "corrected", clip)
    answer(
        "correct", "ad-breaks", "film@9.2", "--to", "14", labels=tmp_path, uri=film.uri
    )  # the shots there begin at 9 and at 14
    assert [(row["start"], row["break"]) for row in rows_of(tmp_path / "ad-breaks.csv")] == [
        ("9.000000", "0"),
        ("14.000000", "1"),
    ]


def test_places_as_people_write_them(film):
    shots = film.shots("film")
    assert place(film, "artwork", "film@10.5").span == shots[3].span
    assert place(film, "scenes", "film@8.6").span == shots[3].span  # begins at 9
    assert place(film, "tags", "film").span == Span(0, 64 * US)
    for kind, text, said in (
        ("scenes", "film@10.5", "no shot begins near 00:00:10.500; the nearest begin at 00:00:09"),
        ("clips", "film@10", "has no end"),
        ("clips", "film@10-9", "ends before it starts"),
        ("clips", "film@10-10", "ends where it starts"),
        ("clips", "film@10-9:00", "is after the end"),
        ("clips", "film@-1", "lacks a time"),
        ("scenes", "film@9-14", "told by one time"),
        ("clips", "film@99-120", "no clip"),
        ("artwork", "film@99", "no shot at 00:01:39"),
        ("clips", "film", "names no time"),
        ("clips", "flm@1-2", "no title 'flm'"),
        ("clips", "film@soon", "'soon' is not a time"),
    ):
        with pytest.raises((CatalogError, MediaFMError), match=said):
            place(film, kind, text)


def test_tags_are_all_that_apply(tmp_path):
    many = task_of("tags", tmp_path)
    one = task_of("tags", tmp_path).replace(kind="multi-class", metric="macro AP")
    clip = Clip("film", Span(0, US))
    tags = ("tense", "dark")
    assert judge_tags(clip, "accepted", many, tags, ()).value == "tense|dark"
    assert judge_tags(clip, "rejected", many, tags, ()).value == ""
    assert judge_tags(clip, "rejected", many, tags, ("dark",)).value == "tense"
    assert judge_tags(clip, "corrected", many, (), ("sad", "calm", "sad")).value == "sad|calm"
    assert judge_tags(clip, "corrected", one, (), ("sad",)).value == "sad"
    yes_no = task_of("clips", tmp_path)
    for suggested, said, value in (
        (("worthy",), "accepted", "1"),
        (("worthy",), "rejected", "0"),
        ((), "accepted", "0"),
        ((), "rejected", "1"),
    ):
        assert judge_tags(clip, said, yes_no, suggested, ()).value == value
    for task, said, suggested, named, message in (
        (many, "rejected", tags, ("sad",), "'sad' is not suggested there"),
        (many, "corrected", tags, (), "names the tags that are right"),
        (many, "corrected", tags, ("a|b",), "is no name of a tag"),
        (one, "rejected", ("sad",), (), "exactly one class"),
        (one, "corrected", (), ("sad", "calm"), "exactly one class"),
    ):
        with pytest.raises(MediaFMError, match=message):
            judge_tags(clip, said, task, suggested, named)


def test_answers_to_tags_are_those_of_the_probe(probed, tmp_path, capsys):
    catalog, probes = probed
    where = ["--probes", str(probes.folder)]
    answer("accept", "tags", "t1@0:00-0:12", *where, labels=tmp_path, uri=catalog.uri)
    answer("accept", "tags", "t2", *where, labels=tmp_path, uri=catalog.uri)
    rows = rows_of(tmp_path / "tones.csv")
    assert (rows[1]["start"], rows[1]["end"]) == ("0.000000", "96.000000")
    assert set(rows[0]["tone"].split("|")) <= {"calm", "glad", "grim"}
    answer("accept", "tags", "t1", labels=tmp_path, uri=catalog.uri, code=1)
    assert "no probe 'clip-tone' is fitted" in capsys.readouterr().err
    for number in range(8):
        tag = ("brave", "meek")[number % 3 == 0]
        place_ = f"t{number}@0-8"
        answer("correct", "tags", place_, "--tag", tag, labels=tmp_path, uri=catalog.uri)
    found = load_labels(load_task("clip-tone", tmp_path / "tones.csv"), catalog)
    assert not found.problems
    assert {"brave", "meek"} <= set(found.classes)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["accept", "posters", "film@1"], "no suggestions 'posters'; choose clips or artwork"),
        (["accept", "clips", "film@1-5", "--task", "clip-tone"], "no answers to clips"),
        (["accept", "tags", "film@1-5", "--task", "clip-popularity"], "no answers to tags"),
        (["accept", "tags", "film@1-5", "--task", "tone"], "there is no task 'tone'"),
        (["correct", "clips", "film@1-5"], "name it with --to"),
        (["correct", "clips", "film@1-5", "--to", "soon-9"], "is not a time"),
        (["correct", "clips", "film@1-5", "--tag", "x"], "clips have no tags"),
        (["correct", "tags", "film@1-5", "--to", "3-4"], "--to names a place"),
    ],
)
def test_answers_that_are_none(film, tmp_path, capsys, arguments, said):
    answer(*arguments, labels=tmp_path / "labels", uri=film.uri, code=1)
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "labels").exists()


def test_a_folder_that_cannot_be_written(film, tmp_path, capsys):
    (tmp_path / "labels").write_text("a file")
    answer("accept", "clips", "film@0-5", labels=tmp_path / "labels", uri=film.uri, code=1)
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_no_regular_file_is_left_alone(film, tmp_path, capsys):
    os.mkfifo(tmp_path / "clips.csv")
    answer("accept", "clips", "film@0-5", labels=tmp_path, uri=film.uri, code=1)
    assert "is no file that rows can go into" in capsys.readouterr().err
    assert (tmp_path / "clips.csv").is_fifo()


def test_answers_of_several_at_once_are_all_kept(tmp_path):
    context = multiprocessing.get_context("spawn")
    people = [context.Process(target=answer_often, args=(str(tmp_path), f"p{n}")) for n in range(3)]
    for person in people:
        person.start()
    for person in people:
        person.join(120)
    rows = rows_of(tmp_path / "clips.csv")
    assert len(rows) == 36
    assert [path.name for path in tmp_path.iterdir()] == ["clips.csv"]


def test_probes_of_answers_rank_artwork_and_breaks(probed, tmp_path, capsys):
    """What was accepted is what comes first afterwards."""
    catalog, _ = probed
    catalog = Catalog.open(catalog.uri)
    labels, folder = tmp_path / "labels", tmp_path / "probes"
    for title in catalog.titles():
        for shot in catalog.shots(title.title_id):
            said = "accepted" if shot.index % 3 == 0 else "rejected"
            rows = judge(Clip(title.title_id, shot.span), said)
            written = record(task_of("ad-breaks", labels), rows)
            record(task_of("artwork", labels), rows)
    for name in ("ad-break", "artwork"):
        where = ["--labels", str(labels), "-c", catalog.uri, "--probes", str(folder)]
        assert main(["probe", "fit", name, "-f", "video", *where]) == 0
    assert written.total == 192
    probes = FittedProbes(catalog, folder)
    found = suggest_breaks(catalog, "t0", probes=probes, spacing=8 * US)
    assert found.by == ("novelty", "ad-break")
    for one in found.found:
        assert 0 <= one.evidence["ad-break"] <= 1
        assert any(reason.startswith("like breaks that were accepted") for reason in one.reasons)
    capsys.readouterr()
    assert main(["suggest", "ad-breaks", "t0", "-c", catalog.uri, "--json", "--spacing", "8",
                 "--probes", str(folder)]) == 0  # fmt: skip
    assert json.loads(capsys.readouterr().out)["by"] == ["novelty", "ad-break"]


def test_a_probe_of_answers_changes_which_artwork_comes_first(film, tmp_path):
    class Chosen:
        """A probe of what was chosen that likes one shot."""

        notes = ()

        def get(self, name):
            return object() if name == "artwork" else None

        def of_shots(self, name, title_id):
            import numpy as np

            return (np.arange(20) == liked).astype(float)[:, None]

    before = suggest_artwork(film, "film", 20).found
    liked = before[-1].shot
    after = suggest_artwork(film, "film", 20, probes=Chosen())
    assert after.by[-1] == "artwork"
    ranks = [[one.shot for one in found].index(liked) for found in (before, after.found)]
    assert ranks[1] < ranks[0]
    best = next(one for one in after.found if one.shot == liked)
    assert "more like what was chosen before than all other" in " ".join(best.reasons)
