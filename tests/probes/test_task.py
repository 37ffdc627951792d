"""Task files as users write them, and as they get them wrong."""

from pathlib import Path

import pytest

from mediafm.errors import MediaFMError
from mediafm.probes.task import METRICS, SplitSpec, Task, built_in, load_task


def write(tmp_path, text, name="mood.toml"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def test_paths_are_beside_the_file_and_the_rest_has_defaults(tmp_path):
    text = 'kind = "multi-label"\nlabels = "tones.csv"\nclasses = [53, 188.0, "Töne"]'
    task = load_task(write(tmp_path, text))
    assert (task.name, task.labels) == ("mood", tmp_path / "tones.csv")
    assert task.classes == ("53", "188", "Töne")
    assert (task.metric, task.split.by, task.split.folds) == ("micro AP", "series", 10)
    assert load_task(write(tmp_path, 'kind = "binary"')).labels == tmp_path / "mood.csv"


def test_a_byte_order_mark_is_no_error(tmp_path):
    assert load_task(write(tmp_path, '\ufeffkind = "binary"')).metric == "AP"


def test_other_labels_take_the_place_of_those_in_the_file(tmp_path):
    path = write(tmp_path, 'kind = "binary"\nlabels = "tones.csv"')
    assert load_task(path, "other.parquet").labels == Path("other.parquet")
    assert Task("x", "binary", "labels.csv").labels == Path("labels.csv")


@pytest.mark.parametrize("name", built_in())
def test_built_in_tasks_load(name):
    task = load_task(name)
    assert task.name == name
    assert task.about.endswith(".")
    assert task.metric in METRICS[task.kind]


def test_the_label_of_a_title_derives_from_its_field(tmp_path):
    text = 'kind = "multi-label"\ncolumn = "title.genres"\n'
    assert load_task(write(tmp_path, text)).derived_from == ("genres",)
    more = load_task(write(tmp_path, text + 'derived_from = ["synopsis"]'))
    assert more.derived_from == ("synopsis", "genres")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels = 'x.csv'", "has no kind"),
        ("kind = 'multilabel'", "no kind 'multilabel'; did you mean 'multi-label'"),
        ("kind = 3", "kind is 3; it must be text"),
        ("kind = 'binary'\nmetric = 'kendall'", "no metric 'kendall'; choose AP"),
        ("kind = 'binary'\ncolum = 'x'", "unknown field 'colum'; did you mean 'column'"),
        ("kind = 'binary'\nfolds = 5", r"unknown field 'folds'; it belongs below \[split\]"),
        ("kind = 'binary'\n[split]\nfold = 5", "'split.fold'; did you mean 'folds'"),
        ("kind = 'binary'\n[heads]\na = 5", "unknown field 'heads'"),
        ("kind = 'binary'\n[[split]]\nfolds = 5", "split must be a table"),
        ("kind = 'binary'\ncolumn = 2020-01-01", "column is .*; it must be text"),
        ("kind = 'binary'\ncolumn = ''", "column is empty"),
        ("kind = 'binary'\nlabels = ''", "labels names no file"),
        ("kind = 'binary'\nlabels = \"a\\u0000\"", "labels names no file"),
        ("kind = 'binary'\nbalance = 1", "must be true or false"),
        ("kind = 'ranking'\nbalance = true", "nothing to balance"),
        ("kind = 'binary'\nnegatives = true", "must be a whole number"),
        ("kind = 'binary'\nnegatives = -1", "negatives is -1"),
        ("kind = 'multi-label'\nnegatives = 3", "in a binary task"),
        ("kind = 'binary'\nclasses = ['a']", "a binary task has no classes"),
        ("kind = 'ranking'\ntaxonomy = 'a.tsv'", "a ranking task has no taxonomy"),
        ("kind = 'multi-label'\nclasses = 'a'", "classes is 'a'; it must be a list"),
        ("kind = 'multi-label'\nclasses = [['a']]", "classes holds"),
        ("kind = 'multi-label'\nclasses = ['a', ' ']", "classes holds ' '"),
        ("kind = 'multi-label'\nclasses = ['5', 5.0]", "names '5' twice"),
        ("kind = 'multi-label'\nderived_from = ['genre']", "did you mean 'genres'"),
        ("kind = 'multi-label'\nderived_from = ['zzzz']", "which no title has; choose genres"),
        ("kind = 'multi-label'\nlabels = '~nobody-of-that-name/x.csv'", "a user that is not there"),
        ("kind = 'multi-label'\ncolumn = 'title.genre'", "did you mean 'genres'"),
        ("kind = 'binary'\ncolumn = 'title.genres'", "names classes, and a binary task"),
        ("kind = 'binary'\nname = 'a b'", "'a b' is no name for a task"),
        ("kind = 'binary'\n[split]\nby = ''", "split.by is empty"),
        ("kind = 'binary'\n[split]\nfolds = 1", "must be 2 or more"),
        ("kind = 'binary'\n[split]\nfolds = 2.5", "must be a whole number"),
        ("kind = 'binary'\n[split]\ncolumn = 'part'", "need each other"),
        ("kind = 'binary'\n[split]\ntest = ['5']", "need each other"),
        ("kind = 'binary'\n[split]\ncolumn = 'part'\ntest = '5'", "must be a list"),
        ("kind = = 2", "is no TOML file"),
    ],
)
def test_wrong_files_say_where_and_what(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(MediaFMError, match=message) as caught:
        load_task(path)
    assert caught.value.where == str(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_task_file_at_all(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(MediaFMError, match="it is a folder"):
        load_task(tmp_path / "folder.toml")
    with pytest.raises(MediaFMError, match="no such file"):
        load_task(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\x00\x80")
    with pytest.raises(MediaFMError, match="is no TOML file"):
        load_task(tmp_path / "binary.toml")
    with pytest.raises(MediaFMError, match="did you mean 'clip-tone'"):
        load_task("clip-tones")
    path = write(tmp_path, "kind = 'binary'", "mood.txt")
    with pytest.raises(MediaFMError, match=r"ends in \.toml"):
        load_task(path)


def test_values_of_a_split_are_text_however_they_were_written():
    assert SplitSpec(column="season", test=(5, 6.0, "7")).test == ("5", "6", "7")
    with pytest.raises(MediaFMError, match="must be a list"):
        SplitSpec(column="season", test="5")


def test_labels_of_a_built_in_task_are_where_the_user_is():
    assert load_task("clip-tone").labels == Path("tones.csv")
    assert load_task("clip-tone", "elsewhere/mine.csv").labels == Path("elsewhere/mine.csv")
