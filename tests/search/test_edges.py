"""Similar clips at the ends of titles and beside gaps; what whole titles are not filtered by."""

import json

import numpy as np
import pytest

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, VersionRecord
from mediafm.cli.main import main
from mediafm.search import similar_clips
from mediafm.timeline import US, Shot, Span


@pytest.fixture
def gappy(tmp_path):
    """Two titles of six shots of 4 s; the first has nothing from 8 to 11 s."""
    catalog = Catalog.create(tmp_path / "catalog")
    catalog.create_version(VersionRecord("v", "f", 8))
    for number, name in enumerate(("gap", "whole")):
        starts = [0, 4, 11, 15, 19, 23] if name == "gap" else [0, 4, 8, 12, 16, 20]
        with catalog.writer(name, {"video": EncoderRecord("video", "eye", "e1", 6)}) as w:
            spans = [Span(start * US, (start + 4) * US) for start in starts]
            w.add_shots([Shot(i, span) for i, span in enumerate(spans)])
            w.add_features("video", 0, np.random.default_rng(number).normal(size=(6, 6)))
            record = w.commit(TitleRecord(name, "", title=name))
        x_NH = np.random.default_rng(7 + number).normal(size=(6, 8))
        catalog.append_embeddings("v", [(name, record.ingest_id, x_NH)])
    catalog.promote("v")
    return catalog


def test_what_the_end_of_a_title_cuts_short_is_not_found(gappy):
    hits = similar_clips(gappy, "gap", Span(0, 15 * US), 20)
    assert hits
    assert all(hit.span.duration >= 7.5 * US for hit in hits)
    # A title that is shorter than the clip is found as a whole.
    hits = similar_clips(gappy, "gap", Span(0, 27 * US), 20, elsewhere=True)
    assert max(hit.span.duration for hit in hits) == 24 * US


def test_a_clip_may_begin_between_shots(gappy, capsys, tmp_path):
    picture = tmp_path / "sheet.png"
    command = ["similar", "gap@0:09-0:19", "-c", gappy.uri, "--json", "--picture", str(picture)]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["hits"]
    assert picture.exists()


def test_titles_as_a_whole_have_no_times(gappy, capsys):
    for option in ("--after", "--before"):
        assert main(["similar", "gap", option, "0:05", "-c", gappy.uri]) == 1
        assert "titles are compared as a whole; leave --after" in capsys.readouterr().err
