"""The taxonomy of IAB Tech Lab: reading it, finding categories, labels by id or by name."""

import pytest
from labels_kit import HEAD, problems, read

from mediafm.errors import MediaFMError
from mediafm.probes.iab import CATTAX, display_names, load_taxonomy
from mediafm.probes.task import Task

ROWS = [
    "Relational ID System\t\t\tContent Taxonomy v3.1 Tiered Categories\t\t\t\tExtension",
    "Unique ID\tParent\tName\tTier 1\tTier 2\tTier 3\tTier 4\t",
    "1\t\tAutomotive\tAutomotive\t\t\t\t",
    "2\t1\tSedan\tAutomotive\tSedan\t\t\t",
    "52\t\tBusiness\tBusiness\t\t\t\t",
    "53\t52\tMusic\tBusiness\tMusic\t\t\t",
    "JLBCU7\t\tEntertainment\tEntertainment\t\t\t\t",
    "338\tJLBCU7\tMusic\tEntertainment\tMusic\t\t\tSCD",
]


def write(tmp_path, rows=ROWS, end="\r\n"):
    path = tmp_path / "iab.tsv"
    path.write_text(end.join(rows) + end, "utf-8", newline="")
    return path


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_names_paths_and_parents(tmp_path, end):
    taxonomy = load_taxonomy(write(tmp_path, end=end))
    assert taxonomy.ids == ("1", "2", "52", "53", "JLBCU7", "338")
    assert (taxonomy.name("2"), taxonomy.path("2")) == ("Sedan", "Automotive > Sedan")
    assert (taxonomy.parent("2"), taxonomy.parent("1")) == ("1", None)
    assert CATTAX == 9


def test_a_name_stands_for_an_id_where_only_one_has_it(tmp_path):
    taxonomy = load_taxonomy(write(tmp_path))
    assert taxonomy.find("2") == taxonomy.find("sedan") == "2"
    assert taxonomy.find("Music") is None
    assert taxonomy.find("Entertainment > Music") == "338"
    with pytest.raises(MediaFMError, match=r"did you mean 1 \(Automotive\)"):
        taxonomy.name("Automotve")
    with pytest.raises(MediaFMError, match=r"did you mean JLBCU7 \(Entertainment\)"):
        taxonomy.path("jlbcu7")
    with pytest.raises(MediaFMError, match="it has 6 ids"):
        taxonomy.parent("999")


def test_classes_are_ids_and_shown_by_name(tmp_path):
    path = write(tmp_path)
    text = HEAD + "t0,0,1,1\nt1,0,1,Automotive|53\nt2,0,1,53.0\nt3,0,1,999\nt4,0,1,01\nt5,0,1,\n"
    labels = read(tmp_path, text, taxonomy=path)
    assert labels.classes == ("1", "53")
    assert labels.y_NC.tolist() == [[1, 0], [1, 1], [0, 1], [0, 0]]
    assert problems(labels) == {
        5: "'999' is no category of iab.tsv; left out",
        6: "'01' is no category of iab.tsv, did you mean 1 (Automotive)?; left out",
    }
    assert display_names(labels.task, labels.classes) == ("Automotive", "Business > Music")
    assert display_names(labels.task, ["gone"]) == ("gone",)
    assert display_names(Task("x", "binary", "x.csv"), ["a"]) == ("a",)


def test_listed_classes_may_be_names_too(tmp_path):
    path = write(tmp_path)
    text = HEAD + "t0,0,1,1\nt1,0,1,2\nt2,0,1,1\nt3,0,1,2\n"
    labels = read(tmp_path, text, taxonomy=path, classes=("Sedan", "1"))
    assert labels.classes == ("2", "1")
    with pytest.raises(MediaFMError, match=r"'Sedann'.*did you mean 2 \(Sedan\)"):
        read(tmp_path, text, taxonomy=path, classes=("Sedann",))
    with pytest.raises(MediaFMError, match="'2' twice"):
        read(tmp_path, text, taxonomy=path, classes=("Sedan", "2"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a,b,c"], "no line begins with Unique ID, Parent, Name"),
        ([], "no line begins"),
        (ROWS[:2], "holds no category"),
        ([*ROWS, ROWS[3]], "lines 4 and 9 have the same id 2"),
        ([*ROWS, "7\t99\tX"], "line 9 names the parent 99, which is missing"),
        ([*ROWS, "7\t"], "line 9 has no id or no name"),
    ],
)
def test_wrong_files_are_one_clear_error(tmp_path, rows, message):
    with pytest.raises(MediaFMError, match=message) as caught:
        load_taxonomy(write(tmp_path, rows))
    assert "InteractiveAdvertisingBureau" in str(caught.value)


def test_what_is_no_text(tmp_path):
    (tmp_path / "x.tsv").write_bytes(b"\xff\x80")
    with pytest.raises(MediaFMError, match="is no taxonomy"):
        load_taxonomy(tmp_path / "x.tsv")
    with pytest.raises(MediaFMError, match="no such file"):
        load_taxonomy(tmp_path / "absent.tsv")


@pytest.mark.shared
def test_the_published_file(shared):
    taxonomy = load_taxonomy(shared / "data" / "iab-content-taxonomy-3.1.tsv")
    assert len(taxonomy.ids) == 704
    assert taxonomy.path("v9i3On") == "Sensitive Topics"
    for own in taxonomy.ids:
        assert taxonomy.find(own) == taxonomy.find(taxonomy.name(own)) == own
        assert taxonomy.path(own).endswith(taxonomy.name(own))
        assert taxonomy.parent(own) in (None, *taxonomy.ids)
