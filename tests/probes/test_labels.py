"""Label files as users have them: formats, titles and times, and what is said of wrong rows."""

import datetime
import math
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labels_kit import GOOD, HEAD, FakeCatalog, problems, read, starts, task, titles

from mediafm.catalog import Catalog
from mediafm.errors import MediaFMError
from mediafm.ingest.importer import import_features
from mediafm.probes.cells import WrongCellError, microseconds, names, number
from mediafm.probes.labels import load_labels
from mediafm.timeline import US, format_time

SEMICOLONS = GOOD.replace(",", ";").replace(";1;2;", ";1,5;2;")


# ---- CSV


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        "\ufeff" + GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace(",", "\t"),
        GOOD.replace(",", ", "),
        GOOD.replace(",", "\t").encode("utf-16"),
        GOOD.rstrip(),
        GOOD.replace("\n", ",,\n"),
        GOOD.replace("t1,", '"t1" , '.replace(" ", "")),
        "," + GOOD.replace("\n", "\n7,", 4),
    ],
)
def test_every_usual_way_of_writing_csv(tmp_path, content):
    labels = read(tmp_path, content)
    assert starts(labels) == [("t0", 0, 1), ("t1", 0, 1), ("t2", 1, 2), ("t3", 1, 2)]
    assert labels.classes == ("calm", "tense")
    assert labels.y_NC.tolist() == [[1, 0], [0, 1], [1, 1], [0, 0]]
    assert labels.rows == (2, 3, 4, 5)
    assert not labels.problems


def test_decimal_commas_where_semicolons_part_the_cells(tmp_path):
    assert starts(read(tmp_path, SEMICOLONS))[2] == ("t2", 1.5, 2)
    labels = read(tmp_path, "sep=;\n" + SEMICOLONS)
    assert labels.rows == (3, 4, 5, 6)
    quoted = GOOD + 't4,"1,5",3,calm\n'
    assert "'1,5' is no number; write a decimal point" in problems(read(tmp_path, quoted))[6]


def test_rows_keep_the_line_where_they_begin(tmp_path):
    text = GOOD + '\nt4,0,1,"calm\nsea"\n,,,\nt4,1\nnobody,0,1,calm\nt5,0,1,"calm\u2028sea"\n'
    labels = read(tmp_path, text)
    assert problems(labels) == {
        10: "has 2 cells, the header has 4; left out",
        11: "no title 'nobody' in the catalog; left out",
    }
    assert labels.rows[-2:] == (7, 12)
    assert labels.classes == ("calm", "calm sea", "tense")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        (HEAD, "holds no row below its header"),
        (b"\x00\x01\x02", "is no text file"),
        (b"PK\x03\x04xx", "is a spreadsheet"),
        (b"PAR1xx", "no Parquet file that can be read"),
        (GOOD.encode() + "t4,0,1,frühling\n".encode("cp1252"), r"is not UTF-8 text \(line 6\)"),
        (GOOD + 't4,0,1,"calm\nt5,0,1,calm\n', "row that begins in line 6 .* close every quoted"),
        (GOOD + 't4,0,1,"calm\nt5,0,1,"tense"\n', "row that begins in line 6"),
        (GOOD.replace("end", "start"), "names the column 'start' twice"),
        (GOOD.replace("title_id", "Title_ID"), "no column 'title_id'.* did you mean 'Title_ID'"),
        (GOOD.replace("tone", "tones"), "no column 'tone', the label of task 'mood'.*'tones'"),
        (GOOD.replace("start", "begin"), "no column 'start', a time of the clip"),
        (GOOD.replace("end", "to"), "no column 'end'"),
        (GOOD.replace("start,end", "Start,END"), "no columns start and end, but 'Start' and 'END'"),
        (GOOD.replace("start,end", "clip_start,stop_s"), "but 'clip_start' and 'stop_s'"),
        (HEAD + "t0,0,1,\nt1,0,1,\n", "names no class in any row"),
        (HEAD + "x0,0,1,a\nx1,0,1,a\n", r"no usable label \(2 rows are wrong\); row 2: no title"),
    ],
)
def test_wrong_files_are_one_clear_error(tmp_path, content, message):
    with pytest.raises(MediaFMError, match=message) as caught:
        read(tmp_path, content)
    assert str(caught.value.where).endswith("labels.csv")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(MediaFMError, match="no such file"):
        load_labels(task(tmp_path / "absent.csv"), FakeCatalog())
    with pytest.raises(MediaFMError, match="it is a folder"):
        load_labels(task(tmp_path), FakeCatalog())
    (tmp_path / "text.parquet").write_text(GOOD)
    with pytest.raises(MediaFMError, match="no Parquet file"):
        load_labels(task(tmp_path / "text.parquet"), FakeCatalog())


# ---- Parquet


def columns(**changes):
    """Four rows, of which the first may be wrong: the others are enough to measure."""
    base = {
        "title_id": ["t0", "t1", "t2", "t3", "t4"],
        "start": [0.0, 0, 1, 1, 0],
        "end": [1.0, 1, 2, 2, 1],
        "tone": [["calm"], ["tense"], ["calm", "tense"], [], ["calm"]],
    }
    return {**base, **changes}


def but_the_first(name, first):
    return {name: [first, *columns()[name][1:]]}


SECOND = datetime.timedelta(seconds=1)


IDS = ["t0", "t1", "t2", "t3", "t4"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"title_id": pa.array(IDS).dictionary_encode()},
        {"title_id": pa.array(IDS, pa.large_string())},
        {"title_id": pa.array([own.encode() for own in IDS])},
        {"start": pa.array([Decimal(i) for i in (0, 0, 1, 1, 0)], pa.decimal128(9, 3))},
        {"start": pa.array([0, 0, 10**9, 10**9, 0], pa.duration("ns"))},
        {"start": pa.array([0, 0, 1, 1, 0], pa.time32("s"))},
        {"start": pa.array([0, 0, 10**9, 10**9, 0], pa.time64("ns"))},
        {"start": ["0:00", "0", "00:00:01.0", "1", " 0 "]},
        {"start": pa.array([0, 0, 1, 1, 0], pa.uint8())},
        {"tone": ["calm", "tense", "calm|tense", "", "calm"]},
        {"tone": pa.array(["calm", "tense", "calm|tense", "", "calm"]).dictionary_encode()},
        {"vectors": [[1.0]] * 5},
    ],
)
def test_every_usual_type_of_parquet(tmp_path, changes):
    labels = read(tmp_path, columns(**changes))
    assert starts(labels)[1:3] == [("t1", 0, 1), ("t2", 1, 2)]
    assert labels.y_NC.tolist() == [[1, 0], [0, 1], [1, 1], [0, 0], [1, 0]]
    assert labels.rows == (1, 2, 3, 4, 5)
    assert not labels.problems


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        (but_the_first("start", None), "has no time"),
        (but_the_first("start", math.nan), "has no time"),
        (but_the_first("start", math.inf), "'inf' is not a finite number"),
        ({"start": ["", "0", "1", "1", "0"]}, "has no time"),
        (but_the_first("title_id", None), "names no title"),
        (but_the_first("tone", None), "has no tone: not judged"),
        (but_the_first("tone", ["a", None]), "'None' names no class"),
        (but_the_first("tone", [""]), "'' names no class"),
        ({"tone": ["NaN", "tense", "calm|tense", "", "calm"]}, "has no tone: not judged"),
    ],
)
def test_single_wrong_cells_of_parquet(tmp_path, changes, what):
    labels = read(tmp_path, columns(**changes))
    assert problems(labels) == {1: f"{what}; left out"}
    assert labels.rows == (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("start", datetime.datetime(2020, 1, 1), "is a date"),
        ("start", True, "True is no number"),
        ("start", [1.0], "is no number"),
        ("title_id", {"a": 1}, "is no name"),
        ("title_id", b"\xff", "is no name"),
        ("tone", {"a": 1}, "names no class"),
        ("tone", [["a"]], "is no name"),
        ("tone", 1.5, "'1.5' names no class"),
        ("tone", datetime.date(2020, 1, 1), "names no class"),
    ],
)
def test_columns_of_a_wrong_type_say_so(tmp_path, name, value, message):
    with pytest.raises(MediaFMError, match=message):
        read(tmp_path, columns(**{name: [value] * 5}))


def test_numbers_that_a_null_made_fractions(tmp_path):
    catalog = FakeCatalog(titles(**{own: {} for own in "56789"}))
    tones = [53.0, 54, None, 53, 54]
    table = columns(title_id=[7.0, 8.0, 9.0, 6.0, 5.0], tone=tones)
    labels = read(tmp_path, table, "multi-class", catalog=catalog)
    assert labels.classes == ("53", "54")
    assert problems(labels) == {3: "has no tone: not judged; left out"}
    assert len(labels) == 4


def test_answers_of_every_type(tmp_path):
    found = read(tmp_path, columns(tone=[True, False, None, True, False]), "binary")
    assert found.y_NC.tolist() == [[1], [0], [1], [0]]
    assert problems(found) == {3: "has no tone: not judged; left out"}
    text = HEAD + "t0,0,1,yes\nt1,0,1,FALSE\nt2,0,1,1.0\nt3,0,1,0\nt4,0,1,2\nt5,0,1,maybe\n"
    found = read(tmp_path, text, "binary")
    assert found.y_NC.tolist() == [[1], [0], [1], [0]]
    assert problems(found) == {
        6: "'2' is neither 1 nor 0; left out",
        7: "'maybe' is neither 1 nor 0; left out",
    }


# ---- titles


def test_unknown_titles_with_a_hint(tmp_path):
    catalog = FakeCatalog(titles(**{"t0": {}, "t1": {}, "t2": {}, "007": {}, "Ame\u0301lie": {}}))
    text = GOOD.replace("t3", "7") + "T0,0,1,calm\nnan,0,1,calm\nAm\u00e9lie,0,1,\n"
    labels = read(tmp_path, text, catalog=catalog)
    assert labels.clips[0].title_id == "Ame\u0301lie"
    assert problems(labels) == {
        5: "no title '7' in the catalog, did you mean '007'?; left out",
        6: "no title 'T0' in the catalog, did you mean 't0'?; left out",
        7: "no title 'nan' in the catalog; left out",
    }


def test_many_unknown_titles_take_no_time(tmp_path):
    catalog = FakeCatalog(titles(**{f"film-{i:05}": {} for i in range(20000)}))
    text = HEAD + "".join(f"other-{i:05},0,1,calm\n" for i in range(5000))
    with pytest.raises(MediaFMError, match="5,000 rows are wrong"):
        read(tmp_path, text, catalog=catalog)


def test_titles_without_shots_and_shots_read_once(tmp_path):
    catalog = FakeCatalog(spans={"t4": []})
    labels = read(tmp_path, GOOD + "t4,0,1,calm\nt4,1,2,calm\nt0,1,2,calm\n", catalog=catalog)
    assert problems(labels) == dict.fromkeys((6, 7), "title 't4' has no shots; left out")
    assert sorted(catalog.reads) == ["t0", "t1", "t2", "t3", "t4"]


def test_labels_of_whole_titles(tmp_path):
    labels = read(tmp_path, "title_id,tone,status\nt0,a,x\nt1,b,x\nt2,a,x\nt3,b,x\n")
    assert starts(labels)[0] == ("t0", 0, 60)
    assert labels.notes == ("there are no columns start and end: labels hold for whole titles",)


def test_labels_of_a_real_catalog(tmp_path):
    shots = pa.table(
        {
            "title_id": ["a", "a", "b", "b"],
            "start": [0.0, 2, 0, 2],
            "end": [2.0, 4, 2, 4],
            "video": [[1.0, 2.0]] * 4,
            "genres": [["drama"], ["drama"], ["comedy", "drama"], ["comedy", "drama"]],
        }
    )
    pq.write_table(shots, tmp_path / "shots.parquet")
    import_features(tmp_path / "shots.parquet", tmp_path / "cat")
    catalog = Catalog.open(tmp_path / "cat")
    text = HEAD + "a,0,2,x\na,2,4,\nb,0,2,x\nb,2,4,\n"
    assert starts(read(tmp_path, text, catalog=catalog))[-1] == ("b", 2, 4)


# ---- times


@pytest.mark.parametrize(
    ("start", "end", "what"),
    [
        (
            "9",
            "8",
            "ends at 00:00:08.000, before it starts at 00:00:09.000; are start and end swap",
        ),
        ("9", "9", "ends at 00:00:09.000, where it starts"),
        ("-2", "1", "-00:00:02.000-00:00:01.000 lies outside 't4' (00:00:00.000-00:01:00.000)"),
        ("59", "61", "00:00:59.000-00:01:01.000 lies outside 't4'"),
        ("60.1", "60.3", "00:01:00.100-00:01:00.300 lies outside 't4'"),
        ("1000", "2500", "outside 't4' (00:00:00.000-00:01:00.000); are these milliseconds?"),
        ("100000", "250000", "are these microseconds?"),
        ("1", "5000000", "'5000000' is over a week in seconds; microseconds go into start_us"),
        ("1e20", "2e20", "'1e20' is over a week"),
        ("1", "1e308", "'1e308' is over a week"),
        ("1", "9" * 400, "is not a finite number"),
        ("1", "1.0000001", "ends at 00:00:01.000, where it starts"),
        ("1", "1.0009", "lasts 900 microseconds"),
        ("1", "two", "'two' is no number"),
        ("1", "1_000", "'1_000' is no number"),
        ("1", "00:00:02:12", "'00:00:02:12' is not a time; write seconds"),
        ("NaN", "1", "has no time"),
        ("", "1", "has no time"),
    ],
)
def test_times_that_are_wrong(tmp_path, start, end, what):
    [(row, found)] = problems(read(tmp_path, GOOD + f"t4,{start},{end},calm\n")).items()
    assert row == 6
    assert what in found
    assert found.endswith("; left out")


def test_rounding_is_cut_off_at_the_ends_of_the_title(tmp_path):
    labels = read(tmp_path, GOOD + "t4,-0.3,60.4,calm\nt5,0:59,00:01:00.000,calm\n")
    assert starts(labels)[-2:] == [("t4", 0, 60), ("t5", 59, 60)]


def test_clips_between_shots(tmp_path):
    catalog = FakeCatalog(spans={"t4": [(0, 10), (20, 30)]})
    labels = read(tmp_path, GOOD + "t4,10,20,calm\nt4,9,20,calm\n", catalog=catalog)
    what = "no shot of 't4' lies in 00:00:10.000-00:00:20.000; left out"
    assert problems(labels) == {6: what}


@pytest.mark.parametrize(("factor", "unit"), [(1000, "milliseconds"), (US, "microseconds")])
def test_a_file_in_another_unit_is_refused(tmp_path, factor, unit):
    rows = [f"t{i},{(i + 1) * factor},{(i + 2) * factor},calm\n" for i in range(5)]
    with pytest.raises(MediaFMError, match=f"inside in {unit}; write seconds into start"):
        read(tmp_path, HEAD + "t5,0,1,\n" + "".join(rows))


def test_milliseconds_in_a_column_of_microseconds_are_refused(tmp_path):
    rows = [("t0", 0, 1), ("t1", 10, 14), ("t2", 30, 60), ("t3", 0, 8)]
    text = "title_id,start_us,end_us,tone\n"
    text += "".join(f"{t},{a * 1000},{b * 1000},calm\n" for t, a, b in rows)
    with pytest.raises(MediaFMError, match="are these milliseconds"):
        read(tmp_path, text, "binary")


def test_clips_that_merely_stick_out_are_in_the_right_unit(tmp_path):
    rows = "".join(f"t4,{i},{61 + i},calm\n" for i in range(9))
    found = problems(read(tmp_path, GOOD + rows))
    assert len(found) == 9
    assert not any("milliseconds" in what for what in found.values())


def test_microseconds_have_columns_of_their_own(tmp_path):
    head = HEAD.replace("start,end", "start_us,end_us")
    good = "t0,0,1000000,a\nt1,0,1000000.0,b\nt2,0,2000000,a\nt3,0,00:02,b\n"
    labels = read(tmp_path, head + good + "t4,1.5,2.5,a\nt5,12,15,a\n")
    assert starts(labels)[3] == ("t3", 0, 2)
    assert problems(labels) == {
        6: "'1.5' is no whole number of microseconds; seconds go into start, end; left out",
        7: "lasts 3 microseconds; seconds go into start, end; left out",
    }


@given(st.integers(0, 7 * 24 * 3600 * 1000))
def test_times_survive_every_way_of_writing(milliseconds):
    time = milliseconds * 1000
    assert microseconds(format_time(time), US) == time or time >= 100 * 3600 * US
    assert microseconds(f"{milliseconds / 1000:.3f}", US) == time
    assert microseconds(f"{milliseconds / 1000:.3f}".replace(".", ","), US, comma=True) == time
    assert microseconds(time / US, US) == microseconds(time, 1) == time
    assert microseconds(datetime.timedelta(milliseconds=milliseconds), 1) == time


CELLS = st.one_of(
    st.text(), st.floats(), st.integers(), st.none(), st.booleans(), st.binary(), st.dates(),
    st.datetimes(), st.decimals(), st.lists(st.text()), st.dictionaries(st.text(), st.text()),
)  # fmt: skip


@given(CELLS)
def test_no_cell_is_more_than_wrong(cell):
    for reads in (number, names, lambda value: microseconds(value, US)):
        try:
            reads(cell)
        except WrongCellError as error:
            assert str(error)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 70), st.floats(-5, 70)), max_size=12))
def test_every_row_is_a_clip_or_a_problem(tmp_path_factory, spans):
    spans += [(float(i), i + 0.5) for i in range(20)]  # most are right
    rows = "".join(f"t{4 + i % 2},{a!r},{b!r},calm\n" for i, (a, b) in enumerate(spans))
    labels = read(tmp_path_factory.mktemp("rows"), GOOD + rows)
    told = {*labels.rows, *(problem.row for problem in labels.problems)}
    assert told == {*range(2, 6 + len(spans))}
    assert all(0 <= clip.span.start < clip.span.end <= 60 * US for clip in labels.clips)
