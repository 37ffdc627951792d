"""Audience signals: their weighting against a plain computation, and tables that are wrong."""

from __future__ import annotations

import csv
import itertools
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediafm.encoders.base import TitleView
from mediafm.encoders.signals import Rows, Signals, open_signals
from mediafm.encoders.spec import Spec, parse_spec
from mediafm.errors import EncoderError
from mediafm.timeline import US, Shot, Span


def title(*edges, title_id="a"):
    spans = itertools.pairwise(edges)
    shots = [Shot(i, Span(int(a), int(b))) for i, (a, b) in enumerate(spans)]
    return TitleView(title_id, Path("a.mp4"), shots, [], list)


def table(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def opened(path, options="", modality="audience"):
    return open_signals(parse_spec(f"csv:{path}{options}"), modality)


GOOD = """title_id,start,end,plays,balance
a,0,0:02,10,-1
a,2,4.0,30,1.5
b,00:00:00.500,1.5,7,0
"""


def test_it_takes_no_sentences(tmp_path):
    assert opened(table(tmp_path / "s.csv", GOOD)).queries is False


def test_a_file_that_is_gone_says_what_to_do(tmp_path):
    with pytest.raises(EncoderError) as caught:
        opened(tmp_path / "s.csv")
    assert str(caught.value) == (
        f"{tmp_path}/s.csv: cannot be read (no such file or folder); bring the file back, name "
        "another (--with audience=csv:FILE), or leave the modality out with --with audience=none"
    )


def test_levels_and_deviations(tmp_path):
    encoder = opened(table(tmp_path / "s.csv", GOOD)).load(["cpu"])
    view = title(0, 1 * US, 3 * US, 4 * US, 5 * US)
    x_ND, present_N = encoder.encode_shots(view)
    assert (x_ND.shape, x_ND.dtype) == ((4, 4), np.float32)
    assert present_N.tolist() == [True, True, True, False]
    # By name: balance, then plays.
    levels = np.log1p([[0, 10], [0.25, 20], [1.5, 30]])
    levels[0, 0] = -np.log1p(1)
    np.testing.assert_allclose(x_ND[:3, :2], levels, rtol=1e-6)
    np.testing.assert_allclose(x_ND[:3, 2:], levels - levels.mean(0), atol=1e-6)
    x_ND, present_N = encoder.encode_shots(title(0, US, title_id="unheard of"))
    assert (x_ND.shape, present_N.tolist()) == ((1, 4), [False])
    assert encoder.encode_shots(title())[0].shape == (0, 4)


row = st.tuples(st.integers(0, 60), st.integers(1, 40), st.floats(-100, 1000))


@given(
    st.lists(row, min_size=1, max_size=12),
    st.lists(st.integers(1, 30), min_size=1, max_size=8),
    st.integers(0, 40),
)
def test_weighting_equals_counting_microseconds(rows, lengths, first):
    rows = sorted((start, start + length, x) for start, length, x in rows)
    starts, ends, x = (np.array(column) for column in zip(*rows, strict=True))
    held = Rows(["x"], {"a": slice(0, len(x))}, starts, ends, x[:, None])
    view = title(*(first + np.cumsum([0, *lengths])))
    x_ND, present_N = Signals(Spec("csv", "/s.csv"), "audience", held).encode_shots(view)
    levels = []
    for shot, here in zip(view.shots, present_N, strict=True):
        heard = [
            value
            for moment in range(shot.span.start, shot.span.end)
            for start, end, value in rows
            if start <= moment < end
        ]
        assert here == bool(heard)
        mean = np.mean(heard) if heard else np.nan
        levels.append(np.log1p(mean) if mean >= 0 else -np.log1p(-mean))
    usual = np.nanmean(levels) if present_N.any() else 0
    expected = np.stack([levels, np.array(levels) - usual], axis=1)
    np.testing.assert_allclose(x_ND[present_N], expected[present_N], rtol=1e-4, atol=1e-3)


def test_fingerprints_are_of_columns_and_not_of_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "march.csv", GOOD)
    march = opened("march.csv").info
    assert (march.modality, march.dim) == ("audience", 4)
    assert march.name == f"csv:{tmp_path / 'march.csv'}"
    assert opened(march.name.removeprefix("csv:")).info == march
    assert json.loads(march.settings["signals"]) == ["balance", "plays"]
    other = "end,title_id,balance,start,plays\n3,z,-7,1,12\n"
    april = opened(table(tmp_path / "april.csv", other)).info
    assert april.fingerprint == march.fingerprint
    text = other.replace("plays", "skips")
    assert opened(table(tmp_path / "x.csv", text)).info.fingerprint != march.fingerprint
    only = opened(table(tmp_path / "x.csv", other), "?columns=plays").info
    assert (only.dim, only.name) == (2, f"csv:{tmp_path / 'x.csv'}?columns=plays")
    assert opened("april.csv", modality="crowd").info.fingerprint != april.fingerprint


def test_sources_change_with_a_titles_rows_only(tmp_path):
    path = tmp_path / "s.csv"
    before = opened(table(path, GOOD))
    head, *rows = GOOD.splitlines()
    shuffled = opened(table(path, "\n".join([head, *rows[::-1]])))
    changed = opened(table(path, GOOD.replace(",30,", ",31,")))
    assert before.sources("a") == shuffled.sources("a") != changed.sources("a")
    assert before.sources("b") == shuffled.sources("b") == changed.sources("b")
    assert before.sources("a") != before.sources("b")
    assert before.sources("c") == ""


def test_parquet_is_the_same_as_csv(tmp_path):
    text = opened(table(tmp_path / "s.csv", GOOD))
    columns = {
        "title_id": pa.array(["a", "a", "b"]).dictionary_encode(),
        "start_us": [0, 2 * US, US // 2],
        "end_us": [2 * US, 4 * US, 3 * US // 2],
        "start": ["what", "ever", None],
        "plays": pa.array([10, 30, 7], pa.uint16()),
        "balance": pa.array([-1, 1.5, 0], pa.float32()),
        "note": ["x", None, "y"],
    }
    pq.write_table(pa.table(columns), tmp_path / "s.parquet")
    binary = opened(tmp_path / "s.parquet")
    assert binary.info.fingerprint == text.info.fingerprint
    assert binary.sources("a") == text.sources("a")
    columns |= {"title_id": pa.array([1, 2, 2]), "start_us": pa.array(["0", "1", "2"])}
    pq.write_table(pa.table(columns), tmp_path / "t")
    assert opened(tmp_path / "t").sources("2")


def test_other_ways_to_write_a_csv(tmp_path):
    plain = opened(table(tmp_path / "s.csv", GOOD))
    for text in (
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        "\ufeff" + GOOD.replace("\n", "\r\n"),
        GOOD.replace(",10,", ", +1.0e1 ,").replace("\n", "\n\n"),
        GOOD.replace("balance", '"balance"').replace("b,00", '"b",00').rstrip(),
    ):
        other = opened(table(tmp_path / "t.csv", text))
        assert (other.sources("a"), other.sources("b")) == (plain.sources("a"), plain.sources("b"))


@pytest.mark.parametrize(
    "change,message",
    [
        (("30", "many"), r"s\.csv: line 3: plays is 'many', not a number; write a number"),
        (("30", ""), r"line 3: plays is '', not a number"),
        (("30", "nan"), r"line 3: plays is 'nan', not a number"),
        (("30", "inf"), r"line 3: plays is 'inf', not a number"),
        (("30", "1_0"), r"line 3: plays is '1_0', not a number"),
        (("4.0", "2"), r"line 3: ends at 2, which is not after its start"),
        (("4.0", "1"), r"line 3: ends at 1, which is not after its start"),
        (("4.0", "soon"), r"line 3: end is 'soon', not a time; write seconds or a clock time"),
        (("0:02", "0:99"), r"line 2: end is '0:99', not a time"),
        (("4.0", ""), r"line 3: end is '', not a time"),
        (("a,2", "a,-2"), r"line 3: start is -2, before the title begins"),
        (("4.0", "4000000"), r"line 3: end is 4000000, more than a week; .*start_us"),
        (("a,2", ",2"), r"line 3: has no title_id"),
        (("a,2", "2"), r"line 3: has 4 values, not 5"),
        (("a,0,", '"x\ny",0,9,1,1\n\nz,0,1,1,1,1\na,0,'), r"line 5: has 6 values, not 5"),
        (("a,0,", '"x\ny",0,9,1,1\n\n"z\n\n",0,1,n,1\na,0,'), r"line 5: plays is 'n'"),
        (("title_id", "title"), r"has no column title_id; rename yours; it has 'title', 'start'"),
        (("end", "until"), r"has no column start and end"),
        (("plays,balance", "plays,plays"), r"s\.csv: two columns are called 'plays'"),
    ],
)
def test_wrong_rows(tmp_path, change, message):
    path = table(tmp_path / "s.csv", GOOD.replace(*change, 1))
    with pytest.raises(EncoderError, match=message) as caught:
        opened(path)
    assert "\n" not in str(caught.value)


def test_wrong_rows_of_parquet(tmp_path):
    rows = {"title_id": ["a", "a"], "start": [0.0, 1.0], "end": [1, 2], "x": [1.0, None]}
    pq.write_table(pa.table(rows), tmp_path / "s.parquet")
    with pytest.raises(EncoderError, match=r"s\.parquet: row 2: x is 'None', not a number"):
        opened(tmp_path / "s.parquet")


@pytest.mark.parametrize(
    "text,message",
    [
        ("", "has no column title_id and start and end"),
        ("title_id,start,end,plays\n", "has no row"),
        ("title_id,start,end\na,1,2\n", "has no signal"),
        ("title_id,start,end,plays\na,1,2,x\n", "has no signal"),
        ("PAR1 and then nothing", "is damaged"),
    ],
)
def test_tables_without_anything(tmp_path, text, message):
    with pytest.raises(EncoderError, match=message):
        opened(table(tmp_path / "s.csv", text))


def test_files_that_are_none(tmp_path):
    with pytest.raises(EncoderError, match="cannot be read"):
        opened(tmp_path / "absent.csv")
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(EncoderError, match="is no file"):
            opened(path)
    (tmp_path / "latin.csv").write_bytes(GOOD.replace("b,", "b\xe9,").encode("latin-1"))
    with pytest.raises(EncoderError, match="neither CSV in UTF-8 nor Parquet"):
        opened(tmp_path / "latin.csv")


@pytest.mark.parametrize(
    "options,message",
    [
        ("?columns=play", r"has no column 'play' \(did you mean 'plays'\?\)"),
        ("?columns=end", "is no signal"),
        ("?column=plays", "there is no option 'column'"),
    ],
)
def test_unknown_columns(tmp_path, options, message):
    path = table(tmp_path / "s.csv", GOOD)
    with pytest.raises(EncoderError, match=message):
        opened(path, options)


def test_columns_of_text_are_left_aside_and_named(tmp_path, caplog):
    text = GOOD.replace("\n", ",here\n").replace("balance,here", "balance,region")
    assert opened(table(tmp_path / "s.csv", text)).info.dim == 4
    assert [r.message for r in caplog.records] == [
        f"{tmp_path / 's.csv'}: columns without numbers are not read: region"
    ]


def test_titles_that_nobody_knows_are_counted(tmp_path, caplog):
    encoder = opened(table(tmp_path / "s.csv", GOOD))
    assert encoder.unknown(["a", "b", "c"]) == []
    assert encoder.unknown(["a", "c"]) == ["b"]
    assert [r.message for r in caplog.records] == [
        f"{tmp_path / 's.csv'}: 1 of 2 titles are not in the catalog (b)"
    ]


@given(st.lists(st.tuples(st.text(max_size=3), st.floats(0, 1e6)), min_size=1, max_size=6))
def test_whatever_csv_writes_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("s") / "s.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["title_id", "start", "end", "x"])
        writer.writerows([f"t{name}", i, i + 1, x] for i, (name, x) in enumerate(rows))
    encoder = opened(path)
    for i, (name, x) in enumerate(rows):
        view = title(i * US, (i + 1) * US, title_id=f"t{name}")
        x_ND, _ = encoder.encode_shots(view)
        assert x_ND[0, 0] == pytest.approx(np.log1p(x), rel=1e-6)


def test_a_large_table_is_read_in_pieces(tmp_path):
    path, count = tmp_path / "s.csv", 200_000
    lines = [f"t{i // 1000},{i % 1000},{i % 1000 + 1},{i % 7}" for i in range(count)]
    table(path, "title_id,start,end,plays\n" + "\n".join(lines))
    encoder = opened(path)
    x_ND, present_N = encoder.encode_shots(title(*range(0, 1001 * US, US), title_id="t150"))
    assert present_N.all()
    expected = np.log1p((150_000 + np.arange(1000)) % 7)
    np.testing.assert_allclose(x_ND[:, 0], expected, rtol=1e-6)
    lines[150_123] += "x"
    table(path, "title_id,start,end,plays\n" + "\n".join(lines))
    with pytest.raises(EncoderError, match="line 150125: plays is '1x'"):
        opened(path)


def test_reads_by_name():
    from mediafm.encoders.registry import open_encoder

    with pytest.raises(EncoderError, match=r"absent\.csv: cannot be read"):
        open_encoder("audience", "csv:absent.csv")
