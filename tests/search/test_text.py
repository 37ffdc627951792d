"""Shots that fit a sentence, by ways that are known exactly."""

import numpy as np
import pytest

from mediafm.catalog import TitleRecord
from mediafm.errors import MediaFMError
from mediafm.search import Filter, search
from mediafm.search.text import query_encoders
from mediafm.timeline import US, Cue, Shot, Span

WORDS = ["storm", "boats", "cows"]


class Asked:
    """A text tower whose sentence is the vector of a shot."""

    def __init__(self, vector_D, foreign=0.0):
        self.vector_D, self.share = np.asarray(vector_D, np.float32), foreign

    def encode_queries(self, texts):
        return np.stack([self.vector_D for _ in texts])

    def foreign(self, query):
        return self.share


def of(catalog, title_id, modality, shot):
    return catalog.features(title_id, modality)[0][shot].astype(np.float32)


def places(answer):
    return [(hit.title_id, hit.shot) for hit in answer.found]


def test_words_need_no_encoder(catalog):
    answer = search(catalog, "STORM", encoders={})
    assert set(places(answer)) == {("sea", 0), ("city", 0)}
    assert answer.by == ("words",)
    assert answer.found[0].because.keys() == {"words"}
    assert "storm" in answer.found[0].cue.casefold()


def test_a_cue_belongs_to_the_shot_in_which_most_of_it_is_said(catalog):
    [hit] = search(catalog, "taxi", encoders={}).found
    assert (hit.title_id, hit.shot, hit.text) == ("city", 2, "Taxi!")


def test_a_cue_without_length_belongs_to_the_shot_that_it_is_in(catalog):
    spans = [Span(n * US, (n + 1) * US) for n in range(4)]
    with catalog.writer("play", {}) as w:
        w.add_shots([Shot(number, span) for number, span in enumerate(spans)])
        w.add_cues([Cue(Span(2 * US, 2 * US), "Curtain!")])
        w.commit(TitleRecord("play", "", title="play"))
    [hit] = search(catalog, "curtain", encoders={}).found
    assert (hit.title_id, hit.shot, hit.text) == ("play", 2, "Curtain!")


def test_what_several_ways_find_comes_first(catalog):
    eye = Asked(of(catalog, "farm", "video", 1))
    answer = search(catalog, "boats", encoders={"video": eye})
    assert answer.by == ("video", "words")
    assert places(answer)[0] == ("farm", 1)
    assert answer.found[0].because.keys() == {"video", "words"}
    assert answer.found[0].because["video"] == pytest.approx(1, abs=1e-3)
    assert answer.found[0].score == pytest.approx(1 / 61 + 1 / 62, abs=1e-3)
    assert places(search(catalog, "boats", encoders={"video": eye}, by=["video"]))[0] == ("farm", 1)
    only = search(catalog, "boats", encoders={"video": eye}, by=["words"])
    assert set(places(only)) == {("farm", 1), ("sea", 3)}


def test_filters_hold_for_every_way(catalog):
    eye = Asked(of(catalog, "farm", "video", 1))
    for where in (Filter(titles=["sea"]), Filter(tags=["water"]), Filter(after=5 * US)):
        answer = search(catalog, "boats storm", 50, encoders={"video": eye}, where=where)
        assert ("sea", 3) in places(answer)
        assert ("city", 0) not in places(answer)
    assert set(places(search(catalog, "storm", encoders={}, where=Filter(before=3 * US)))) == {
        ("sea", 0)
    }


def test_a_language_that_an_encoder_does_not_know_is_not_guessed(catalog):
    reader = Asked(of(catalog, "sea", "text", 0), foreign=0.6)
    answer = search(catalog, "storm", encoders={"text": reader})
    assert answer.notes == ("the text encoder, reader, does not know the language of the query",)
    assert set(places(answer)) == {("sea", 0), ("city", 0)}
    with pytest.raises(MediaFMError, match=r"does not know the language.*ask in a language"):
        search(catalog, "xyz", encoders={"text": reader})
    assert search(catalog, "xyz", encoders={"text": Asked(reader.vector_D)}).found


def test_nothing_to_look_for_and_nobody_to_ask(catalog):
    with pytest.raises(MediaFMError, match="nothing to look for"):
        search(catalog, "  ", encoders={})
    with pytest.raises(MediaFMError, match="no cue has its words; give it one with"):
        search(catalog, "submarine", encoders={})


def test_ways_that_are_not_there(imported):
    with pytest.raises(
        MediaFMError, match="no way 'smell' to search; choose words or text or video"
    ):
        query_encoders(imported, only=["smell"])
    with pytest.raises(MediaFMError, match="has no text tower: no sentence can be compared"):
        query_encoders(imported, only=["video"])
    assert query_encoders(imported, only=["words"]) == query_encoders(imported) == {}


@pytest.fixture
def imported(tmp_path):
    """Vectors that somebody else made: nobody can make a sentence's vector among them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mediafm.catalog import Catalog
    from mediafm.ingest.importer import import_features

    rows = {"title_id": ["a"] * 3, "start": [0.0, 1, 2], "end": [1.0, 2, 3]}
    rows |= {m: [[1.0, 2], [2.0, 1], [0.5, 3]] for m in ("video", "text")}
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    catalog = Catalog.create(tmp_path / "imported")
    import_features(tmp_path / "a.parquet", catalog)
    return catalog
