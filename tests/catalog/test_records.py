"""Features that come from elsewhere, as a title."""

import numpy as np
import pytest

from mediafm.catalog.records import TitleFeatures
from mediafm.errors import CatalogError


def test_features_become_a_title():
    x = np.array([[1.0, 2.0], [0.0, 0.0], [np.nan, 1.0], [3.0, 0.0]])
    title = TitleFeatures.of("film", {"clip": x, "sound": [[1], [2], [3], [4]]})
    assert len(title) == 4
    assert title.times_N2.tolist() == [[i * 10**6, (i + 1) * 10**6] for i in range(4)]
    assert title.present["clip"].tolist() == [True, False, False, True]
    assert title.features["clip"].tolist() == [[1, 2], [0, 0], [0, 0], [3, 0]]
    assert title.present["sound"].all()
    assert title.group == "film"
    assert np.isnan(x).any(), "what was given is not changed"


def test_other_content_is_another_write():
    def made(value, **more):
        return TitleFeatures.of("film", {"clip": [[value, 1.0]]}, **more).ingest_id

    assert made(1) == made(1) != made(2)
    assert made(1) != made(1, metadata={"synopsis": [1.0]})
    assert made(1) != made(1, times_N2=[[0, 5]])
    one, two = {"a": [[1.0]]}, {"b": [[2.0]]}
    ids = {TitleFeatures.of("film", x).ingest_id for x in ({**one, **two}, {**two, **one})}
    assert len(ids) == 1, "the order in which modalities are named says nothing"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"features": {"a": [[1.0]], "b": [[1.0], [2.0]]}},
            r"film: b has 2 rows, others have 1",
        ),
        (
            {"features": {"a": [1.0, 2.0]}},
            r"film: a has the shape \(2,\) and the type float64, must be a row of numbers per shot",
        ),
        ({"features": {"a": [[1e6]]}}, r"film: a holds values beyond half precision.*scale"),
        ({"features": {"a": [[1.0]]}, "times_N2": [0, 1]}, r"film: times have the shape \(2,\)"),
        ({"features": {"a": [[1.0]]}, "times_N2": [[0, 0.5]]}, r"must be \(1, 2\) whole micro"),
        ({"features": {"a": [[1.0]]}, "times_N2": [[5, 0]]}, r"film: a shot ends before it starts"),
        ({"features": {"a": [[1.0], [1.0, 2.0]]}}, r"film: a has .* must be a row of numbers"),
        ({"features": {"a": "words"}}, r"film: a has .* must be a row of numbers"),
        ({"features": {"a": 3.0}}, r"film: a has the shape \(\)"),
        (
            {"features": {"a": [[1.0]]}, "metadata": {"tags": [[1.0]]}},
            r"film: tags has the shape \(1, 1\) .* must be one row of numbers",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(arguments, words):
    with pytest.raises(CatalogError, match=words):
        TitleFeatures.of("film", **arguments)
