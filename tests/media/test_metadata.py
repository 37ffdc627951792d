import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediafm.errors import MediaError
from mediafm.media.file_names import guess_from_name
from mediafm.media.metadata import TitleMetadata, read_metadata, slug

FILES = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def known(media: Path, *sidecars: Path, title_id: str | None = None) -> TitleMetadata:
    return read_metadata(media, sidecars, title_id=title_id).metadata


# --- JSON ------------------------------------------------------------------------------------


def test_json(tmp_path):
    sidecar = put(
        tmp_path,
        "film.json",
        json.dumps(
            {
                "title_id": "my-film",
                "title": 1917,
                "kind": "Film",
                "year": "2019",
                "plot": " Two soldiers. ",
                "tags": "war | one shot;war",
                "genre": ["Drama", "War"],
                "imdb": "tt8579674",
                "ids": {"TMDB": 530915, "eidr": None},
                "something": {"else": 1},
            }
        ),
    )
    assert known(tmp_path / "film.mp4", sidecar) == TitleMetadata(
        id="my-film",
        title="1917",
        kind="movie",
        year=2019,
        synopsis="Two soldiers.",
        tags=("war", "one shot"),
        genres=("Drama", "War"),
        ids={"imdb": "tt8579674", "tmdb": "530915"},
    )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ('{"year": "long ago"}', "'year' is 'long ago'"),
        ('{"year": true}', "'year' is True"),
        ('{"year": 12}', "'year' is 12"),
        ('{"season": -1}', "'season' is -1"),
        ('{"kind": "musical"}', "'kind' is 'musical'.*'movie', 'episode'"),
        ('{"title": ["a"]}', "'title' is"),
        ('{"tags": {"a": 1}}', "'tags' is"),
        ('{"ids": {"imdb": [1]}}', "'ids.imdb' is"),
        ('{"ids": 3}', "'ids' is 3"),
        ('{"title": }', "is not JSON .line 1"),
        ("[" * 100_000, "not sensible JSON"),
        ("[1]", "no JSON object"),
        ("", "is not JSON"),
        (b"\0\1\2\3" * 50, "not a text file"),
    ],
)
def test_wrong_json_is_named_in_one_line(tmp_path, content, what):
    sidecar = put(tmp_path, "film.json", content)
    with pytest.raises(MediaError, match=what) as caught:
        known(tmp_path / "film.mp4", sidecar)
    assert str(caught.value).startswith(str(sidecar))
    assert "\n" not in str(caught.value) and "pydantic" not in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@FILES
@given(st.dictionaries(st.sampled_from([*TitleMetadata.model_fields, "imdb", "x"]), json_values))
def test_any_json_is_read_or_refused(tmp_path, value):
    sidecar = put(tmp_path, "film.json", json.dumps(value))
    try:
        known(tmp_path / "film.mp4", sidecar)
    except MediaError as error:
        assert "\n" not in str(error)


@FILES
@given(st.binary(max_size=200), st.sampled_from(["film.json", "film.nfo", "titles.csv"]))
def test_garbage_is_read_or_refused(tmp_path, content, name):
    for start in (b"", b"<movie>", b"file,title\nfilm,", b"{"):
        sidecar = put(tmp_path, name, start + content)
        try:
            known(tmp_path / "film.mp4", sidecar)
        except MediaError as error:
            assert str(error).startswith(str(sidecar)) and "\n" not in str(error)


# --- Kodi ------------------------------------------------------------------------------------

MOVIE = """<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>
<!-- created by hand -->
<movie>
  <title>Sintel &amp; dragon</title><originaltitle>Sintel</originaltitle>
  <outline>Short.</outline><plot>A girl
     seeks a dragon.</plot>
  <genre>Fantasy / Drama</genre><genre>Animation</genre><tag>open movie</tag><tag/>
  <uniqueid type="imdb" default="true">tt1727587</uniqueid><uniqueid type="tmdb">45745</uniqueid>
  <year></year><premiered>2010-09-27</premiered><season>-1</season>
</movie>
https://www.themoviedb.org/movie/45745 & more
"""


def test_movie_nfo(tmp_path):
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        sidecar = put(tmp_path, "film.nfo", MOVIE.encode(encoding))
        assert known(tmp_path / "film.mp4", sidecar) == TitleMetadata(
            title="Sintel & dragon",
            kind="movie",
            year=2010,
            synopsis="A girl seeks a dragon.",
            tags=("open movie",),
            genres=("Fantasy", "Drama", "Animation"),
            ids={"imdb": "tt1727587", "tmdb": "45745"},
        )


def test_episode_and_show_nfo(tmp_path):
    episode = put(
        tmp_path,
        "Show/Season 1/ep.nfo",
        "<episodedetails><title>Pilot</title><season>1</season><episode>2</episode>"
        "<aired>1999-01-02</aired></episodedetails>"
        "<episodedetails><title>Second in the file</title></episodedetails>",
    )
    show = put(
        tmp_path,
        "Show/tvshow.nfo",
        "<tvshow><title>The Show</title><plot>Of the show.</plot><genre>Drama</genre>"
        "<uniqueid type='imdb'>tt1</uniqueid></tvshow>",
    )
    assert known(tmp_path / "Show/Season 1/ep.mkv", episode, show) == TitleMetadata(
        title="Pilot",
        kind="episode",
        series="The Show",
        series_id="the-show",
        season=1,
        episode=2,
        year=1999,
        genres=("Drama",),
    )


def test_nfo_that_is_not_kodis(tmp_path):
    media = tmp_path / "film.mp4"
    release = put(tmp_path, "film.nfo", "▄▄▄ RELEASE ▄▄▄\nby somebody".encode("cp437", "replace"))
    found = read_metadata(media, [release])
    assert found.metadata == TitleMetadata(title="film")
    assert found.notes == ["film.nfo: is not a Kodi file; not used"]
    link = put(tmp_path, "film.nfo", "https://www.imdb.com/title/tt1727587/\n")
    assert known(media, link).ids == {"imdb": "tt1727587"}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("<movie><title>x</movie>", "not well-formed"),
        ("<movie><title>x", "not well-formed"),
        ('<!DOCTYPE m [<!ENTITY a "b">]><movie><title>&a;</title></movie>', "DOCTYPE"),
        ("<movie><title>&a;</title></movie>", "not well-formed"),
        ("<movie><year>MCM</year></movie>", "'year' is 'MCM'"),
    ],
)
def test_broken_nfo(tmp_path, content, what):
    with pytest.raises(MediaError, match=what):
        known(tmp_path / "film.mp4", put(tmp_path, "film.nfo", content))


# --- tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8-sig", ","), ("cp1252", ";"), ("utf-16", "\t")]
)
def test_table(tmp_path, encoding, delimiter):
    rows = [
        ["File", "Title ID", "Title", "Genres", "IMDB", "Year", "Synopsis", "extra"],
        ["other.mp4", "", "Other", "", "", "wrong", "", ""],
        ["sub\\film.mp4", "f1", "Élan über alles, çà et là", "Drama|War", "tt1", "1999", "", "x"],
    ]
    text = "\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    table = put(tmp_path, "titles.csv", text.encode(encoding))
    assert known(tmp_path / "sub/film.mp4", table) == TitleMetadata(
        id="f1",
        title="Élan über alles, çà et là",
        genres=("Drama", "War"),
        ids={"imdb": "tt1"},
        year=1999,
    )


def test_table_by_id_and_notes(tmp_path):
    table = put(tmp_path, "titles.csv", "id,title\na/film,One\na/film,Two\n\n")
    found = read_metadata(tmp_path / "a/film.mp4", [table], title_id="a/film")
    assert (found.metadata.title, found.metadata.id) == ("One", "a/film")
    assert "line 3 names film.mp4 again" in found.notes[0]
    assert "no row for none.mp4" in read_metadata(tmp_path / "none.mp4", [table]).notes[0]


def test_wrong_tables(tmp_path):
    media = tmp_path / "film.mp4"
    with pytest.raises(MediaError, match=r"no column 'file' or 'title_id' \(it has: name, title\)"):
        known(media, put(tmp_path, "titles.csv", "name,title\nfilm,x\n"))
    with pytest.raises(MediaError, match="line 3: 'year' is 'x'"):
        known(media, put(tmp_path, "titles.csv", "file,year\nother,y\nfilm.mp4,x\n"))


def test_which_source_goes_first(tmp_path):
    media = tmp_path / "Name (2001).mp4"
    nfo = put(
        tmp_path, "n.nfo", "<movie><title>N</title><plot>N</plot><tag>n</tag><id>tt9</id></movie>"
    )
    table = put(tmp_path, "titles.csv", "file,title,synopsis\nName (2001).mp4,T,T\n")
    sidecar = put(tmp_path, "n.json", '{"title": "J", "tmdb": 5}')
    assert known(media, nfo, table, sidecar) == TitleMetadata(
        title="J",
        synopsis="T",
        tags=("n",),
        kind="movie",
        year=2001,
        ids={"imdb": "tt9", "tmdb": "5"},
    )


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("Show.Name.S01E02.The.Title.1080p.WEB-DL.x264-GRP.mkv", ("Show Name", 1, 2, "The Title")),
        ("Show Name - s01e02 - A - B.mkv", ("Show Name", 1, 2, "A - B")),
        ("show_name_1x02.avi", ("show name", 1, 2, "show name 1x02")),
        ("Show (2003) - S10E11-E12.mkv", ("Show", 10, 11, "Show S10E11-E12")),
        ("The Show/Season 2/S02E03.mkv", ("The Show", 2, 3, "The Show S02E03")),
        ("1923.S01E01.mkv", ("1923", 1, 1, "1923 S01E01")),
    ],
)
def test_episodes_from_names(name, guess):
    found = guess_from_name(Path(name))
    assert (found["series"], found["season"], found["episode"], found["title"]) == guess
    assert found["kind"] == "episode"


@pytest.mark.parametrize(
    ("name", "title", "year"),
    [
        ("Film (2012).mp4", "Film", 2012),
        ("Film Name [2012] 1080p.mp4", "Film Name", 2012),
        ("Blade.Runner.2049.2017.2160p.BluRay.mkv", "Blade Runner 2049", 2017),
        ("Blade Runner 2049.mkv", "Blade Runner 2049", None),
        ("2001 A Space Odyssey (1968).mkv", "2001 A Space Odyssey", 1968),
        ("1917.mkv", "1917", None),
        ("big-buck-bunny.mp4", "big buck bunny", None),
        ("Film.mp4", "Film", None),
        ("...mp4", "..", None),
        ("Ame\u0301lie.mkv", "Am\u00e9lie", None),
        ("七人の侍 (1954).mkv", "七人の侍", 1954),
    ],
)
def test_films_from_names(name, title, year):
    found = guess_from_name(Path(name))
    assert (found["title"], found.get("year")) == (title, year)
    assert found.get("kind") == ("movie" if year else None)


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1))
def test_every_name_gives_a_title(name):
    found = read_metadata(Path("folder") / f"x{name}.mp4").metadata
    assert found.title


def test_slug():
    assert slug("The Show's Name! (US)") == "the-shows-name-us"
    assert slug("七人の侍") == "七人の侍"
    assert slug("!!!") == "!!!"
