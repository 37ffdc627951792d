"""What rows say of their clips: contradictions, classes, rankings, negatives, and the summary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labels_kit import GOOD, HEAD, FakeCatalog, problems, read, titles

from mediafm.errors import MediaFMError
from mediafm.probes.label_file import Problem, summary
from mediafm.probes.task import SplitSpec
from mediafm.timeline import US

# ---- several rows of one clip


def test_contradictions_are_told_of_every_row(tmp_path):
    rows = "t4,0,1,0\nt4,0,1,1\nt4,0,1.0,1\nt5,0,1,1\nt5,0,1,yes\n"
    good = HEAD + "t0,0,1,1\nt1,0,1,0\nt2,0,1,1\nt3,0,1,0\n"
    labels = read(tmp_path, good + rows, "binary")
    what = "rows 6, 7, 8 disagree on one clip: 0, 1, 1; left out"
    assert problems(labels) == {
        **dict.fromkeys((6, 7, 8), what),
        10: "repeats row 9; counted once",
    }
    assert labels.rows == (2, 3, 4, 5, 9)


def test_one_row_per_class_is_one_clip(tmp_path):
    rows = "t4,0,1,calm\nt4,0,1,tense\nt4,0,1,calm\nt5,0,1,\nt5,0,1,calm\n"
    labels = read(tmp_path, GOOD + rows)
    assert labels.y_NC[-2:].tolist() == [[1, 1], [1, 0]]
    assert problems(labels) == {
        8: "adds nothing to row 6; counted once",
        10: "names classes, row 9 says that none applies; this row counts",
    }


def test_one_clip_of_several_classes_in_a_task_of_one(tmp_path):
    good = HEAD + "t0,0,1,a\nt1,0,1,b\nt2,0,1,a\nt3,0,1,b\n"
    labels = read(tmp_path, good + "t4,0,1,a|b\nt4,1,2,\nt5,0,1,a\nt5,0,1,b\n", "multi-class")
    what = "rows 8, 9 disagree on one clip: a, b; left out"
    assert problems(labels) == {
        6: "a multi-class task wants one class, here are 2: a, b; left out",
        7: "has no tone: not judged; left out",
        8: what,
        9: what,
    }


def test_one_clip_on_two_sides(tmp_path):
    head = HEAD.replace("tone", "tone,part")
    good = "t0,0,1,a,5\nt1,0,1,b,5\nt2,0,1,a,4\nt3,0,1,b,4\nt4,0,1,a,5\nt4,0,1,a,4\n"
    labels = read(tmp_path, head + good, split=SplitSpec(column="part", test=("5",)))
    assert set(problems(labels)) == {6, 7}
    assert "disagree on one clip: t4 5, t4 4" in labels.problems[0].what


# ---- classes


def test_class_names_in_any_script(tmp_path):
    text = GOOD + "t4,0,1,träumerisch | sci fi||夢\nt5,0,1,tra\u0308umerisch|sci  fi|夢\n"
    labels = read(tmp_path, text)
    assert labels.classes == ("calm", "sci fi", "tense", "träumerisch", "夢")
    assert labels.y_NC[-2:].tolist() == [[0, 1, 0, 1, 1]] * 2


def test_numbers_are_one_class_however_written(tmp_path):
    text = HEAD + "t0,0,1,53\nt1,0,1,53.0\nt2,0,1,7\nt3,0,1,07\nt4,0,1,7|07\n"
    labels = read(tmp_path, text)
    assert labels.classes == ("07", "53", "7")


def test_names_that_differ_by_case_are_pointed_out(tmp_path):
    labels = read(tmp_path, GOOD + "t4,0,1,Calm\nt5,0,1,Calm\n")
    assert "'Calm' and 'calm' count as different classes: are they one?" in labels.notes


def test_classes_outside_the_list_are_reported(tmp_path):
    text = GOOD + "t4,0,1,tens|sad\nt5,0,1,calm|sad\n"
    labels = read(tmp_path, text, classes=("calm", "tense", "wild"))
    assert labels.classes == ("calm", "tense")
    assert labels.y_NC[-2:].tolist() == [[0, 0], [1, 0]]
    assert problems(labels) == {
        6: "'sad', 'tens' is not in the task's list of classes, did you mean 'tense'?: not counted",
        7: "'sad' is not in the task's list of classes: not counted",
    }
    assert labels.notes == (
        "1 clip has an empty label: none of the classes holds (row 5)",
        "'wild' holds for no clip: nothing to tell apart; left out",
    )
    text = HEAD + "t0,0,1,a\nt1,0,1,b\nt2,0,1,a\nt3,0,1,b\nt4,0,1,c\n"
    labels = read(tmp_path, text, "multi-class", classes=("a", "b"))
    assert problems(labels) == {6: "'c' is not in the task's list of classes; left out"}


def test_what_the_catalog_says_of_the_title(tmp_path):
    known = [("drama",), ("drama", "war"), (), ("war",)]
    fields = {f"t{i}": {"genres": genres} for i, genres in enumerate([*known, known[1], known[3]])}
    catalog = FakeCatalog(titles(**fields, t6={"genres": ("drama",)}))
    rows = "t4,0,1,\nt5,0,1,\nt6,0,1,\n"
    labels = read(tmp_path, GOOD + rows, column="title.genres", catalog=catalog)
    assert labels.classes == ("drama", "war")
    assert labels.y_NC.tolist() == [[1, 0], [1, 1], [0, 1], [1, 1], [0, 1], [1, 0]]
    assert problems(labels) == {4: "the catalog knows no genres of 't2'; left out"}


# ---- rankings

LOG = "title_id,start,end,segment,impressions,clicks,propensity\n"


@pytest.mark.parametrize("name", ["Propensity", "propensities", "propensty"])
def test_a_misspelt_propensity_is_not_overlooked(tmp_path, name):
    text = LOG.replace("propensity", name) + "t0,0,1,x,10,1,0.5\nt0,1,2,x,10,2,0.5\n"
    with pytest.raises(MediaFMError, match=f"no column 'propensity'.*did you mean '{name}'"):
        read(tmp_path, text, "ranking", "label")


def test_logs_are_rates_weighed_by_propensity(tmp_path):
    text = LOG + "t0,0,1,new,10,5,0.5\nt0,0,1,old,10,1,.1\nt0,1,2,new,20,4,1\n"
    text += "t1,0,1,new,1,1,1\nt1,1,2,new,2,1,1\n"
    labels = read(tmp_path, text, "ranking", column="label")
    assert labels.classes == ("rate",)
    np.testing.assert_allclose(labels.y_NC[:, 0], [20 / 120, 0.2, 1, 0.5])
    assert not labels.problems


def test_equal_rates_are_equal_in_any_order_of_the_rows(tmp_path):
    """Sums of fractions depend on their order in the last digit, and a head would learn it."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(200):
        shown = rng.integers(10, 1000, 4)
        p = rng.choice([0.1, 0.2, 0.3, 0.7], 4)
        rows += [
            f"t{i % 2},{i % 8},{i % 8 + 1},,{n * 10},{n},{q}\n"
            for n, q in zip(shown, p, strict=True)
        ]
    with pytest.raises(MediaFMError, match="all rated the same"):
        read(tmp_path, LOG + "".join(rows), "ranking", column="label")
    rows += ["t0,0,1,,100,50,1\n", "t1,1,2,,100,50,1\n"]
    first = read(tmp_path, LOG + "".join(rows), "ranking", column="label").y_NC
    rng.shuffle(rows)
    np.testing.assert_array_equal(
        read(tmp_path, LOG + "".join(rows), "ranking", column="label").y_NC, first
    )


def test_wrong_counts_are_reported(tmp_path):
    good = LOG + "t0,0,1,,10,5,1\nt0,1,2,,10,1,1\nt1,0,1,,9,5,1\nt1,1,2,,9,1,1\n"
    wrong = ["5,6,1", "5,1,0", "5,1,1.1", "-5,-6,1", "0,0,1", "5,,1", "1,1,1e-320", "5,1,nan"]
    rows = "".join(f"t2,{i},{i + 1},,{counts}\n" for i, counts in enumerate(wrong))
    labels = read(tmp_path, good + rows, "ranking", column="label")
    found = problems(labels)
    assert {row: what.removesuffix("; left out") for row, what in found.items()} == {
        6: "6 clicks of 5 impressions",
        7: "propensity is 0, must be above 0 and at most 1",
        8: "propensity is 1.1, must be above 0 and at most 1",
        9: "-6 clicks of -5 impressions",
        10: "was never shown",
        11: "'' is no number",
        12: "1 impressions at a propensity of 9.99989e-321",
        13: "'nan' is no number",
    }


def test_a_named_column_goes_before_a_log(tmp_path):
    text = "title_id,start,end,ctr,impressions\nt0,0,1,.1,5\nt0,1,2,.2,5\nt1,0,1,.1,9\nt1,1,2,.3,1"
    labels = read(tmp_path, text, "ranking", column="ctr")
    assert labels.y_NC[:, 0].tolist() == [0.1, 0.2, 0.1, 0.3]
    with pytest.raises(MediaFMError, match="no column 'clicks'"):
        read(tmp_path, text, "ranking", column="label")
    with pytest.raises(MediaFMError, match=r"'rate', .* nor impressions and clicks"):
        read(tmp_path, GOOD, "ranking", column="rate")


# ---- negatives


def drawn(labels):
    return [
        (c.title_id, c.span) for c, row in zip(labels.clips, labels.rows, strict=True) if not row
    ]


def test_negatives_are_like_positives_and_overlap_none(tmp_path):
    text = HEAD + "".join(f"t{i % 3},{7 * i},{7 * i + 2 + i % 2},1\n" for i in range(8))
    labels = read(tmp_path, text, "binary", negatives=3)
    assert len(drawn(labels)) == 24
    positive = {c for c, row in zip(labels.clips, labels.rows, strict=True) if row}
    for title_id, span in drawn(labels):
        own = [clip.span for clip in positive if clip.title_id == title_id]
        assert not any(span.overlap(other) for other in own)
        assert span.duration in {other.duration for other in own}
        assert 0 <= span.start < span.end <= 60 * US
    assert len(set(labels.clips)) == len(labels.clips) == 32
    assert drawn(labels) == drawn(read(tmp_path, text, "binary", negatives=3))
    # Other titles do not change a title's negatives.
    fewer = "".join(line for line in text.splitlines(True) if not line.startswith("t2"))
    assert drawn(read(tmp_path, fewer, "binary", negatives=3)) == [
        (title_id, span) for title_id, span in drawn(labels) if title_id != "t2"
    ]


def test_negatives_keep_off_what_rows_disagree_on(tmp_path):
    text = HEAD + "t0,0,1,1\nt0,1,59,1\nt0,1,59,0\nt1,0,1,1\nt2,0,59,1\n"
    labels = read(tmp_path, text, "binary", negatives=2)
    assert [span.start / US for title_id, span in drawn(labels) if title_id == "t0"] == [59]
    found = problems(labels)
    assert found[2] == "its title has room for 1 of 2 negatives"
    assert found[6] == "its title has room for 0 of 2 negatives"


def test_given_negatives_and_drawn_ones_do_not_mix(tmp_path):
    with pytest.raises(MediaFMError, match=r"holds negatives \(row 3\).*negatives = 0"):
        read(tmp_path, HEAD + "t0,0,1,1\nt1,0,1,0\n", "binary", negatives=3)


# ---- the summary


def test_a_summary_counts_kinds_and_shows_their_first_rows(tmp_path):
    rows = [f"t4,{i},{i},calm\n" for i in range(1500)] + ["nobody,0,1,calm\n"] * 3 + ["t4,0,1\n"]
    labels = read(tmp_path, GOOD + "".join(rows))
    assert len(labels.problems) == 1504
    assert [problem.row for problem in labels.problems] == [*range(6, 1510)]
    assert labels.summary(4) == [
        "1,500 rows: wrong time",
        "  row 6: ends at 00:00:00.000, where it starts; left out",
        "  row 7: ends at 00:00:01.000, where it starts; left out",
        "3 rows: unknown title",
        "  row 1506: no title 'nobody' in the catalog; left out",
        "1 row: wrong number of cells",
        "  row 1509: has 3 cells, the header has 4; left out",
    ]


@given(st.lists(st.tuples(st.integers(1, 99), st.sampled_from("abcd"))), st.integers(0, 12))
def test_summaries_are_short_and_count_all(rows, most):
    found = [Problem(row, "is wrong", kind) for row, kind in rows]
    lines = summary(found, most)
    kinds = {kind for _, kind in rows}
    if len(found) <= most:
        assert lines == [str(problem) for problem in found]
    else:
        assert len(lines) == len(kinds) + most
        counts = [int(line.split()[0]) for line in lines if not line.startswith(" ")]
        assert sum(counts) == len({(row, kind) for row, kind in rows})


def test_problems_and_notes_are_single_lines(tmp_path):
    labels = read(tmp_path, GOOD + 'x\x1b[31m,0,1,calm\n"x\n\ny",0,1,calm\nt5,0,1,"a\x07"\n')
    assert all(text.isprintable() for text in (*map(str, labels.problems), *labels.notes))
