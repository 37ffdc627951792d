"""Splits: whole groups in folds, nothing on both sides, classes that cannot be measured."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labels_kit import GOOD, HEAD, FakeCatalog, read, titles

from mediafm.errors import MediaFMError
from mediafm.probes.splits import deal, in_one_fold
from mediafm.probes.task import SplitSpec

PART = HEAD.replace("tone", "tone,part")
ON = SplitSpec(column="part", test=("test",))


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.integers(2, 12), st.integers(0, 3))
def test_folds_hold_whole_groups_and_are_all_used(groups, folds, seed):
    fold_N = deal(groups, folds, seed)
    assert all(len({fold_N[i] for i, g in enumerate(groups) if g == name}) == 1 for name in groups)
    assert set(fold_N) == set(range(min(folds, len(set(groups)))))
    assert fold_N.tolist() == deal(groups, folds, seed).tolist()


def test_folds_are_about_equal_and_depend_on_the_seed():
    groups = [f"g{i}" for i in range(100) for _ in range(1 + i % 7)]
    size_K = np.bincount(deal(groups, 5))
    assert size_K.max() - size_K.min() <= 7
    assert deal(groups, 5, 1).tolist() != deal(groups, 5, 2).tolist()


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), min_size=4, max_size=40),
    st.integers(2, 5),
)
def test_a_class_is_in_two_folds_where_that_can_be(rows, folds):
    groups = [group for group, _ in rows]
    y_NC = np.array([[float(yes)] for _, yes in rows])
    plain_N, fold_N = deal(groups, folds), deal(groups, folds, y_NC=y_NC)
    assert set(fold_N) == set(plain_N)
    assert all(len({fold_N[i] for i, g in enumerate(groups) if g == name}) == 1 for name in groups)
    if not in_one_fold(y_NC, plain_N):
        assert fold_N.tolist() == plain_N.tolist()
    assert len(in_one_fold(y_NC, fold_N)) <= len(in_one_fold(y_NC, plain_N))


def test_a_rare_class_is_not_dealt_into_one_fold():
    # Ten groups of one size: some orders put both groups of the class into one fold.
    groups = [f"g{i}" for i in range(10)]
    for pair in itertools.combinations(range(10), 2):
        y_NC = np.zeros((10, 1))
        y_NC[list(pair)] = 1
        assert not in_one_fold(y_NC, deal(groups, 5, y_NC=y_NC))


def test_what_no_deal_can_part_is_said(tmp_path):
    # Three titles in two folds: two of them share one, and each two have a class of their own.
    rows = [f"t{i},0,1,{classes}\nt{i},1,2,\n" for i, classes in enumerate(["a|c", "a|b", "b|c"])]
    labels = read(tmp_path, HEAD + "".join(rows), split=SplitSpec(by="title", folds=2))
    said = [note for note in labels.notes if "fall into one fold" in note]
    fold_N = deal(labels.groups, 2, y_NC=labels.y_NC)
    [wrong] = in_one_fold(labels.y_NC, fold_N)
    assert len(said) == 1 and f"'{labels.classes[wrong]}'" in said[0]
    three = read(tmp_path, HEAD + "".join(rows), split=SplitSpec(by="title", folds=3))
    assert not [note for note in three.notes if "fall into one fold" in note]


def series(count=6):
    """Two titles of each series."""
    fields = {f"t{i}": {"series_id": f"show {i // 2}", "season": i % 2 + 1} for i in range(count)}
    return FakeCatalog(titles(**fields))


SIX = HEAD + "t0,0,1,a\nt1,0,1,b\nt2,0,1,a\nt3,0,1,b\nt4,0,1,a\nt5,0,1,b\n"


def test_a_series_is_never_divided_by_default(tmp_path):
    labels = read(tmp_path, SIX, catalog=series(), split=SplitSpec())
    assert labels.groups == ("show 0", "show 0", "show 1", "show 1", "show 2", "show 2")
    assert labels.notes[0] == "there are 3 groups (series): 3 folds, not 10"


def test_other_groups(tmp_path):
    by_title = read(tmp_path, SIX, catalog=series(), split=SplitSpec(by="title", folds=2))
    assert by_title.groups == ("t0", "t1", "t2", "t3", "t4", "t5")
    by_season = read(tmp_path, SIX, catalog=series(), split=SplitSpec(by="season", folds=2))
    assert by_season.groups[:3] == ("show 0, season 1", "show 0, season 2", "show 1, season 1")
    studios = iter(("studio", "7", "7", "7.0", "8", "8", "8.0"))
    text = "".join(f"{line},{next(studios)}\n" for line in SIX.splitlines())
    by_column = read(tmp_path, text, catalog=series(), split=SplitSpec(by="studio", folds=2))
    assert by_column.groups == ("7", "7", "7", "8", "8", "8")


def test_a_column_of_series_that_the_catalog_does_not_know_is_pointed_out(tmp_path):
    text = "".join(f"{line},series\n" for line in SIX.splitlines())
    assert "which knows no series" in read(tmp_path, text).notes[0]
    assert not any("series" in note for note in read(tmp_path, text, catalog=series()).notes[1:])
    assert not any("knows no" in note for note in read(tmp_path, SIX).notes)


def test_titles_in_several_groups_are_refused_by_name(tmp_path):
    text = PART + "t0,0,1,a,x\nt0,1,2,b,y\nt1,0,1,a,x\nt2,0,1,b,y\n"
    with pytest.raises(MediaFMError, match=r"one title stand in several groups: t0; .* would leak"):
        read(tmp_path, text, split=SplitSpec(by="part"))


def test_groups_on_both_sides_are_refused_by_name(tmp_path):
    text = PART + "t0,0,1,a,test\nt1,0,1,b,train\nt2,0,1,a,test\nt3,0,1,b,train\n"
    with pytest.raises(MediaFMError, match=r"\(series\) stand on both sides.*: show 0, show 1;"):
        read(tmp_path, text, catalog=series(), split=ON)
    labels = read(
        tmp_path,
        PART + "t0,0,1,a,Test\nt1,0,1,b,TEST\nt2,0,1,a,train\nt3,0,1,b,train\n",
        catalog=series(),
        split=ON,
    )
    assert labels.tested_N.tolist() == [True, True, False, False]


def test_one_group_leaves_nothing_to_measure(tmp_path):
    with pytest.raises(MediaFMError, match=r"all clips are of one group.*e\.g\. title"):
        read(tmp_path, HEAD + "t0,0,1,a\nt0,1,2,b\n")


@pytest.mark.parametrize("values", [("5", "5.0"), (" 5", "5 ")])
def test_numbers_of_a_split_are_the_same_however_written(tmp_path, values):
    text = PART + f"t0,0,1,a,{values[0]}\nt1,0,1,b,{values[1]}\nt2,0,1,a,4\nt3,0,1,b,4\n"
    labels = read(tmp_path, text, split=SplitSpec(column="part", test=(5,)))
    assert labels.tested_N.tolist() == [True, True, False, False]


def test_a_split_by_season_of_the_catalog(tmp_path):
    split = SplitSpec(by="title", column="season", test=("2",))
    labels = read(tmp_path, SIX + "t0,1,2,b\nt1,1,2,a\n", catalog=series(), split=split)
    assert labels.tested_N.tolist() == [False, False, True, True, False, True, False, True]
    movies = titles(**{f"t{i}": {"season": i % 2} for i in range(5)}, t5={})
    split = SplitSpec(column="season", test=("1", "9"))
    labels = read(tmp_path, SIX + "t0,1,2,b\nt1,1,2,a\n", catalog=FakeCatalog(movies), split=split)
    assert [str(problem) for problem in labels.problems] == [
        "row 7: the catalog knows no season of 't5'; left out"
    ]
    assert labels.notes[0] == "no clip has season 9, which split.test names"


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (SplitSpec(column="part", test=("dev",)), "no clip has part dev; .*there are test, train"),
        (SplitSpec(column="part", test=("test", "train")), "every clip has part test or train"),
        (SplitSpec(column="parts", test=("test",)), "'parts', which split.column names; did you"),
        (SplitSpec(by="studio"), "no column 'studio', which split.by names; it has"),
    ],
)
def test_splits_that_do_not_fit_the_labels(tmp_path, split, message):
    text = PART + "t0,0,1,a,test\nt1,0,1,b,train\n"
    with pytest.raises(MediaFMError, match=message):
        read(tmp_path, text, split=split)


def test_rows_without_a_side_are_reported(tmp_path):
    good = "t0,0,1,a,test\nt1,0,1,b,test\nt2,0,1,a,train\nt3,0,1,b,train\n"
    labels = read(tmp_path, PART + good + "t4,0,1,a,\nt5,0,1,a,nan\n", split=ON)
    assert [str(problem) for problem in labels.problems] == [
        "row 6: has no part; left out",
        "row 7: has no part; left out",
    ]


# ---- classes that cannot be measured


def test_classes_that_cannot_be_measured_are_left_out_with_their_rows(tmp_path):
    text = GOOD + "t4,0,1,rare\nt4,1,2,rare\n"
    labels = read(tmp_path, text, classes=("calm", "tense", "rare", "none"))
    assert labels.classes == ("calm", "tense")
    assert labels.y_NC.shape == (6, 2)
    assert labels.notes == (
        "1 clip has an empty label: none of the classes holds (row 5)",
        "'rare' is in one group only: cannot be measured; left out (rows 6, 7)",
        "'none' holds for no clip: nothing to tell apart; left out",
    )


def test_fewer_positives_than_folds_are_told_with_their_rows(tmp_path):
    labels = read(tmp_path, SIX, split=SplitSpec(folds=5))
    assert labels.notes == (
        "'a' has 3 clips, fewer than 5 folds (rows 2, 4, 6)",
        "'b' has 3 clips, fewer than 5 folds (rows 3, 5, 7)",
        "2 of 2 classes have one answer only in every fold (a, b): their values compare heads of "
        "different folds; take fewer folds, or smaller groups than series",
    )
    assert labels.classes == ("a", "b")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("t0,0,1,1\nt1,0,1,1\n", "'tone' holds for every clip"),
        ("t0,0,1,0\nt1,0,1,0\n", "'tone' holds for no clip"),
        ("t0,0,1,1\nt1,0,1,0\nt2,0,1,0\n", r"'tone' is in one group only.*\(row 2\)"),
        ("t0,0,1,0\nt1,0,1,1\nt2,0,1,1\n", r"'tone' is missing in one group only.*\(row 2\)"),
    ],
)
def test_one_class_only_is_an_error(tmp_path, rows, message):
    with pytest.raises(MediaFMError, match=message):
        read(tmp_path, HEAD + rows, "binary")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ("1000", "has no clip to fit on"),
        ("0010", "has no clip to measure on"),
        ("1011", "holds for every clip to fit on"),
        ("1110", "holds for every clip to measure on"),
    ],
)
def test_both_sides_need_both_answers(tmp_path, answers, message):
    parts = ("test", "test", "train", "train")
    rows = [f"t{i},0,1,{a},{p}\n" for i, (a, p) in enumerate(zip(answers, parts, strict=True))]
    with pytest.raises(MediaFMError, match=f"'tone' {message}; left out"):
        read(tmp_path, PART + "".join(rows), "binary", split=ON)


# ---- rankings


def rates(*titles_):
    rows = (f"t{t},{i},{i + 1},{r}\n" for t, own in enumerate(titles_) for i, r in enumerate(own))
    return HEAD + "".join(rows)


def test_titles_with_nothing_to_rank_are_noted(tmp_path):
    labels = read(tmp_path, rates([1, 2], [3, 3, 3], [4], [5], [2, 1]), "ranking")
    assert labels.notes == (
        "2 titles have one clip only, nothing to rank: t2, t3",
        "1 title has clips that are all rated the same, nothing to rank: t1",
    )
    assert len(labels) == 9


def test_a_ranking_needs_something_to_rank_on_both_sides(tmp_path):
    with pytest.raises(MediaFMError, match="needs two groups with a title that has clips of diff"):
        read(tmp_path, rates([1, 2], [3, 3], [4]), "ranking")
    text = rates([1, 2], [3, 3]).replace("\n", ",test\n").replace("tone,test", "tone,part")
    text += "t2,0,1,5,train\n"
    with pytest.raises(MediaFMError, match="a title on each side of the split"):
        read(tmp_path, text, "ranking", split=ON)
