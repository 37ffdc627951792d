import warnings

import pytest
from PIL import Image

from mediafm.errors import CatalogError, MediaFMError
from mediafm.report import plot
from mediafm.report.material import clock, collect, stamp
from mediafm.report.picture import time_ticks
from mediafm.timeline import US


def size_of(path):
    with Image.open(path) as image:
        image.load()
        return image.size


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_a_title_with_all_there_is(catalog, add, embed, tmp_path):
    add(cues=["hello there", "[door slams]"])
    embed("film")
    [path] = plot(catalog, "film", tmp_path / "film.png")
    width, height = size_of(path)
    assert width == 1800
    assert 1200 < height < 1600
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["film.png"]


@pytest.mark.parametrize("shots", [1, 2, 3])
@pytest.mark.parametrize("embedded", [True, False])
def test_few_shots(catalog, add, embed, tmp_path, shots, embedded):
    add(shots=shots)
    if embedded:
        embed("film")
    for path in plot(catalog, "film", tmp_path / "few"):
        assert path.stat().st_size > 10_000


@pytest.mark.parametrize(
    "have",
    [
        {"audio": True},
        {"video": True, "text": False},
        {"video": [i % 3 > 0 for i in range(12)], "text": [i % 3 == 1 for i in range(12)]},
        {},
    ],
)
def test_missing_modalities(catalog, add, tmp_path, have):
    add(have=have, pictures="video" in have)
    png, page = plot(catalog, "film", tmp_path / "some")
    assert size_of(png)[0] == 1800
    for modality in have:
        assert f'"name":"{modality}"' in page.read_text()


def test_rows_without_content_take_no_room(catalog, add, tmp_path):
    add("full", cues=["a cue"])
    add("bare", pictures=False)
    full, bare = (plot(catalog, t, tmp_path / f"{t}.png")[0] for t in ("full", "bare"))
    assert size_of(bare)[1] < size_of(full)[1] - 100


def test_portrait_video_and_damaged_keyframes(catalog, add, tmp_path, monkeypatch):
    add(size=(90, 160))
    frames = catalog.keyframes("film")
    frames[3], frames[4] = b"no picture", frames[4][:200]
    monkeypatch.setattr(catalog, "keyframes", lambda _: frames)
    for path in plot(catalog, "film", tmp_path / "tall"):
        assert path.exists()


def test_a_long_title_stays_bounded_in_size(catalog, add, embed, tmp_path):
    add(shots=1500, cues=[f"line {i}" for i in range(900)])
    embed("film")
    png, page = plot(catalog, "film", tmp_path / "long")
    assert size_of(png)[0] == 1800
    assert page.stat().st_size < 10_000_000


def test_names_are_no_formulas(catalog, add, embed, tmp_path):
    add(name="Cash $ and \\frac{$", cues=["costs $5_0 and $x^{", "電影" * 300])
    embed("film")
    plot(catalog, "film", tmp_path / "film.png")


def test_what_to_run_without_contextual_embeddings(catalog, add, embed):
    add("old")
    assert collect(catalog, "old", None).missing[1:] == ("mediafm pretrain", "mediafm embed")
    embed("old")
    add("new")
    lacking = collect(catalog, "new", None)
    assert lacking.contextual_NH is None
    assert "v1" in lacking.missing[0]
    assert lacking.missing[1:] == ("mediafm embed",)
    with pytest.raises(CatalogError, match="no embeddings of version 'v1'"):
        collect(catalog, "new", "v1")
    assert collect(catalog, "old", "v1").missing == ()


def test_raw_is_centred_over_the_catalog(catalog, add):
    add("one")
    assert "minus" not in collect(catalog, "one", None).recipe  # too few shots for a mean
    add("other", shots=30)
    assert "mean of the catalog" in collect(catalog, "one", None).recipe


def test_unknown_titles_and_versions(catalog, add, embed, tmp_path):
    add()
    embed("film")
    with pytest.raises(CatalogError, match="did you mean 'film'"):
        plot(catalog, "flim", tmp_path / "x.png")
    with pytest.raises(CatalogError, match="no version 'v2'"):
        plot(catalog, "film", tmp_path / "x.png", "v2")
    assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize("name", ["film.pdf", "film.mp4"])
def test_another_suffix_names_both(catalog, add, tmp_path, name):
    add()
    with pytest.raises(MediaFMError, match=r"\.png or an \.html") as caught:
        plot(catalog, "film", tmp_path / name)
    assert "\n" not in str(caught.value)


def test_files_in_a_folder_are_named_by_the_title(catalog, add, tmp_path):
    add("series/film")
    (tmp_path / "out").mkdir()
    found = plot(catalog, "series/film", tmp_path / "out")
    assert [p.name for p in found] == ["series-film.png", "series-film.html"]
    assert plot(catalog, "series/film", tmp_path / "new" / "A.PNG")[0].exists()


def test_a_file_that_cannot_be_written(catalog, add, tmp_path):
    add()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MediaFMError, match="cannot be written") as caught:
        plot(catalog, "film", tmp_path / "file" / "film.png")
    assert "\n" not in str(caught.value)
    (tmp_path / "out" / "film.png").mkdir(parents=True)
    with pytest.raises(MediaFMError, match="cannot be written"):
        plot(catalog, "film", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["film.png"]  # no half file


def test_times_as_people_read_them():
    assert clock(596 * US) == "9:56"
    assert clock(5525 * US) == "1:32:05"
    assert clock(2_400_000) == "2.4 s"
    assert stamp(65 * US) == "01:05"
    assert stamp(65 * US, hours=True) == "0:01:05"
    assert [label for _, label in time_ticks(0, 61 * US, 7)][:3] == ["00:00", "00:10", "00:20"]
    assert len(time_ticks(0, 7 * 86400 * US, 7)) <= 8
    assert time_ticks(0, 700_000, 7)[1] == (0.5, "0.5 s")
