import pytest
from PIL import Image

from mediafm.errors import CatalogError, MediaFMError
from mediafm.report import Example, similar_sheet


def test_a_sheet_has_a_row_per_example(catalog, add, tmp_path):
    add("one", cues=["said in the first shot, which is long $"])
    add("two", size=(90, 160))
    add("three", pictures=False)
    rows = [
        Example(("one", 0), [("one", 1, 0.93), ("two", 4, 0.5)]),
        Example(("two", 3), [("three", 0, 0.4)], name="A shot of two"),
        Example(("three", 3), []),
    ]
    heights = []
    for count in (1, 2, 3):
        path = similar_sheet(catalog, rows[:count], tmp_path / "sheet.png")
        with Image.open(path) as image:
            assert image.width == 1800
            heights.append(image.height)
    assert heights == sorted(set(heights))


def test_a_sheet_that_cannot_be_drawn(catalog, add, tmp_path):
    add("one")
    with pytest.raises(MediaFMError, match=r"\.png"):
        similar_sheet(catalog, [Example(("one", 0), [])], tmp_path / "sheet.html")
    with pytest.raises(MediaFMError, match="no examples"):
        similar_sheet(catalog, [], tmp_path / "sheet.png")
    for shot in (12, -1):
        with pytest.raises(CatalogError, match="no shot"):
            similar_sheet(catalog, [Example(("one", shot), [])], tmp_path / "sheet.png")
