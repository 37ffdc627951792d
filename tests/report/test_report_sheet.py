import pytest
from PIL import Image

from mediafm.errors import CatalogError, MediaFMError
from mediafm.report import Cell, Row, sheet, span_row
from mediafm.report.sheet import MOST
from mediafm.timeline import US, Span


def test_a_sheet_grows_with_its_rows(catalog, add, tmp_path):
    add("one", cues=["said in the first shot, which is long $"])
    add("two", size=(90, 160))
    add("three", pictures=False)
    rows = [
        Row("Like this", [Cell("one", 1, "0.93"), Cell("two", 4, "0.5")], Cell("one", 0)),
        Row("A shot of two", [Cell("three", 0, "0.4")]),
        Row("Nothing like it", [], Cell("three", 3)),
    ]
    heights = []
    for count in range(1, 4):
        path = sheet(catalog, rows[:count], tmp_path / "sheet.png", "Sheet")
        with Image.open(path) as image:
            assert image.width == 1800
            heights.append(image.height)
    assert heights == sorted(set(heights))


def test_a_row_that_is_too_long_goes_on_in_the_next(catalog, add, tmp_path):
    add("one")
    heights = []
    for count in (MOST, MOST + 1, 2 * MOST):
        row = Row("many", [Cell("one", n % 4) for n in range(count)])
        with Image.open(sheet(catalog, [row], tmp_path / "sheet.png", "Sheet")) as image:
            heights.append(image.height)
    assert heights[0] < heights[1] == heights[2]


def test_a_part_of_a_title_is_its_shots(catalog, add):
    add("one")
    shots = catalog.shots("one")
    row = span_row(catalog, "part", "one", Span(shots[1].span.start, shots[3].span.end - 1))
    assert [cell.shot for cell in row.cells] == [1, 2, 3]
    whole = Span(shots[0].span.start, shots[-1].span.end)
    few = span_row(catalog, "whole", "one", whole, most=2)
    assert [cell.shot for cell in few.cells] == [0, len(shots) - 1]
    with pytest.raises(CatalogError, match="no shot lies"):
        span_row(catalog, "late", "one", Span(whole.end + US, whole.end + 2 * US))


def test_a_sheet_that_cannot_be_drawn(catalog, add, tmp_path):
    add("one")
    rows = [Row("one", [Cell("one", 0)])]
    with pytest.raises(MediaFMError, match=r"\.png"):
        sheet(catalog, rows, tmp_path / "sheet.html", "Sheet")
    for nothing in ([], [Row("none", [])]):
        with pytest.raises(MediaFMError, match="nothing to draw"):
            sheet(catalog, nothing, tmp_path / "sheet.png", "Sheet")
    for shot in (12, -1):
        with pytest.raises(CatalogError, match="no shot"):
            sheet(catalog, [Row("one", [Cell("one", shot)])], tmp_path / "sheet.png", "Sheet")
