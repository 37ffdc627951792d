import errno
import os
import unicodedata
from pathlib import Path

import pytest

from mediafm.errors import MediaError
from mediafm.media.languages import base_language, language_tag
from mediafm.media.metadata import read_metadata
from mediafm.media.sidecars import MEDIA_SUFFIXES, find_media
from mediafm.media.subtitle_names import choose_subtitles, subtitle_name

TTML = '<?xml version="1.0"?><tt xmlns="http://www.w3.org/ns/ttml"/>'


def make(folder: Path, *names: str, content: str = "") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def ids(*paths: Path) -> list[str]:
    return [item.title_id for item in find_media(paths)]


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


# --- what is found ---------------------------------------------------------------------------


def test_folders_are_searched_below(tmp_path):
    make(tmp_path, "b.mp4", "a/c.MKV", "a/b/d.wav", ".hidden/e.mp4", "a/.f.mp4", "g.txt")
    make(tmp_path, "@eaDir/h.mp4", "a/i.mp4.part")
    assert ids(tmp_path) == ["a/b/d", "a/c", "b"]
    assert ids(tmp_path / "b.mp4", tmp_path / "a") == ["b", "b/d", "c"]


def test_every_suffix_counts(tmp_path):
    make(tmp_path, *(f"film{suffix}" for suffix in MEDIA_SUFFIXES))
    assert len(ids(tmp_path)) == len(MEDIA_SUFFIXES) >= 23


def test_typescript_is_not_media(tmp_path):
    make(tmp_path, "code.ts", "module.mts", content="Generated: const x = 'é' // no stream\n" * 99)
    (tmp_path / "stream.ts").write_bytes((b"G\x40\x00\x10" + b"\xff" * 184) * 8)
    assert ids(tmp_path) == ["stream"]


def test_links(tmp_path):
    make(tmp_path, "z/film.mp4", "other/far.mp4")
    root = tmp_path / "z"
    (root / "loop").symlink_to(root)
    (root / "again.mp4").symlink_to(root / "film.mp4")
    (root / "a-far").symlink_to(tmp_path / "other")
    (root / "broken.mp4").symlink_to(root / "nothing.mp4")
    (root / "self.mp4").symlink_to(root / "self.mp4")
    assert ids(root) == ["a-far/far", "again"]
    with pytest.raises(MediaError, match="link to nothing"):
        find_media([root / "broken.mp4"])


def test_ids_that_would_be_shared_keep_their_suffix(tmp_path):
    make(tmp_path, "x/film.mp4", "x/film.mkv", "x/other.mp4", "y/film.mp4", "y/other.mp4")
    assert ids(tmp_path / "x") == ["film.mkv", "film.mp4", "other"]
    both = ids(tmp_path / "x", tmp_path / "y")
    assert both == ["film.mkv", "x/film.mp4", "x/other.mp4", "y/film.mp4", "y/other.mp4"]
    make(tmp_path, "q/x/film.mp4")
    clash = ids(tmp_path / "x/film.mp4", tmp_path / "q/x/film.mp4")
    assert clash == [(tmp_path / p / "film.mp4").as_posix() for p in ("x", "q/x")]
    assert ids(tmp_path / "y", tmp_path / "y/film.mp4", tmp_path / "y") == ["film", "other"]


def test_names_of_macs(tmp_path):
    name = unicodedata.normalize("NFD", "Amélie")
    make(tmp_path, f"{name}.mp4", "Amélie.fr.srt")
    item = find_media([tmp_path])[0]
    assert item.title_id == "Amélie"
    assert names(item.subtitles) == ["Amélie.fr.srt"]


def test_relative_paths(tmp_path, monkeypatch):
    make(tmp_path, "a/film.mp4", "a/film.json", "a/titles.csv", "titles.csv")
    monkeypatch.chdir(tmp_path)
    for given in (Path(), Path("a"), Path("a/film.mp4")):
        item = find_media([given])[0]
        assert item.title_id == ("a/film" if given == Path() else "film")
        assert (
            names(item.metadata)
            == ["film.json", "titles.csv", "titles.csv"][: 3 if given == Path() else 2]
        )


def test_errors(tmp_path):
    make(tmp_path, "empty/readme.txt", "film.en.srt")
    with pytest.raises(MediaError, match=r"holds no media; looked for files ending in .*mp4"):
        find_media([tmp_path / "empty"])
    with pytest.raises(MediaError, match="no such file or folder"):
        find_media([tmp_path / "none"])
    with pytest.raises(MediaError, match="not a media file"):
        find_media([tmp_path / "film.en.srt"])


def test_a_folder_that_cannot_be_read_is_noted(tmp_path, monkeypatch):
    make(tmp_path, "film.mp4", "closed/film.mp4")
    real = os.scandir

    def scandir(path):
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "no", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    notes: list[str] = []
    assert len(find_media([tmp_path], notes=notes)) == 1
    assert notes == [f"{tmp_path / 'closed'}: left out (permission denied)"]
    with pytest.raises(MediaError, match="permission denied"):
        find_media([tmp_path / "closed"])


# --- what lies beside ------------------------------------------------------------------------


def test_sidecars_belong_to_the_longest_name(tmp_path):
    make(tmp_path, "film.mp4", "film.2.mp4", "film.2.en.srt", "film.srt", "film.2.json", "film.nfo")
    make(tmp_path, "film.truth.json", "film.descriptions.en.vtt", "filmography.srt", "film.jpg")
    make(tmp_path, "Subtitles/film.fr.ass", "subs/film.2.de.srt", "film.chapters.vtt", "film.idx")
    make(tmp_path, "film.sub", "film.mp4.es.srt")
    make(tmp_path, "film.en.xml", content=TTML)
    make(tmp_path, "film.xml", content="<movie/>")
    second, first = find_media([tmp_path])
    assert (first.title_id, second.title_id) == ("film", "film.2")
    assert names(first.subtitles) == [
        "film.descriptions.en.vtt",
        "film.en.xml",
        "film.mp4.es.srt",
        "film.srt",
        "film.fr.ass",
    ]
    assert names(second.subtitles) == ["film.2.en.srt", "film.2.de.srt"]
    assert names(first.metadata) == ["film.nfo"]
    assert names(second.metadata) == ["film.2.json"]


def test_sidecars_of_a_file_with_a_strange_suffix(tmp_path):
    make(tmp_path, "film.bin", "film.en.srt", "movie.nfo")
    item = find_media([tmp_path / "film.bin"])[0]
    assert names(item.subtitles) == ["film.en.srt"]
    assert names(item.metadata) == ["movie.nfo"]


def test_tables_and_shows_above(tmp_path):
    make(tmp_path, "Show/Season 1/S01E01.mkv", "Show/movie.mp4")
    make(tmp_path, "Show/tvshow.nfo", content="<tvshow><title>The Show</title></tvshow>")
    make(tmp_path, "titles.csv", content="file,title\nShow/Season 1/S01E01.mkv,First\n")
    make(tmp_path, "Show/titles.csv", content="file,synopsis\nSeason 1/S01E01,Begins.\n")
    item = find_media([tmp_path])[0]
    assert [path.relative_to(tmp_path).as_posix() for path in item.metadata] == [
        "Show/tvshow.nfo",
        "Show/titles.csv",
        "titles.csv",
    ]
    found = read_metadata(item.path, item.metadata, title_id=item.title_id)
    assert not found.notes
    metadata = found.metadata
    assert (metadata.title, metadata.synopsis, metadata.series) == ("First", "Begins.", "The Show")
    assert (metadata.series_id, metadata.season, metadata.kind) == ("the-show", 1, "episode")


# --- names and choice of subtitles -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "language", "flags"),
    [
        ("film.srt", "", ""),
        ("film.en.srt", "en", ""),
        ("film.EN.srt", "en", ""),
        ("film.eng.sdh.srt", "eng", "captions"),
        ("film.pt-BR.forced.srt", "pt-BR", "forced"),
        ("film.zh_Hans.srt", "zh-Hans", ""),
        ("film.forced.French.2.srt", "fr", "forced"),
        ("film.en.hi.srt", "en", "captions"),
        ("film.hi.srt", "hi", ""),
        ("film.descriptions.en.vtt", "en", "description"),
        ("film.en.ad.vtt", "en", "description"),
        ("film.commentary.en.srt", "en", "commentary"),
        ("film.chapters.vtt", "", "other"),
        ("What.It.Is.srt", "", ""),
        ("en.srt", "", ""),
        ("film.x264.en.srt", "en", ""),
        ("film.en.x264.srt", "", ""),
        ("captions.en.vtt", "en", ""),
    ],
)
def test_what_names_say(name, language, flags):
    found = subtitle_name(Path(name))
    assert found.language == language
    told = [flag for flag in ("captions", "forced", "commentary", "other") if getattr(found, flag)]
    told += ["description"] if found.kind == "description" else []
    if name != "captions.en.vtt":
        assert " ".join(told) == flags


def test_the_media_name_is_no_language():
    assert subtitle_name(Path("let.it.be.srt")).language == "be"
    assert subtitle_name(Path("let.it.be.srt"), stem="let.it.be").language == ""
    assert subtitle_name(Path("let.it.be.sv.srt"), stem="let.it.be").language == "sv"


def test_languages():
    assert [
        base_language(code) for code in ("eng", "pt-BR", "ger", "deu", "de_AT", "yue", "und")
    ] == [*("en", "pt", "de", "de", "de", "yue", "")]
    assert language_tag("xx") == language_tag("movie") == language_tag("") == ""


@pytest.mark.parametrize(
    ("files", "languages", "chosen"),
    [
        ("en.srt fr.srt srt", None, "srt"),
        ("en.srt fr.srt de.srt", None, "en.srt"),
        ("sv.srt fr.srt ja.srt", None, "fr.srt"),
        ("en.srt fr.srt srt", ["fr"], "fr.srt"),
        ("en.srt fra.srt", ["sv", "fr"], "fra.srt"),
        ("pt-BR.srt pt.srt", ["pt"], "pt.srt"),
        ("pt.srt pt-BR.srt", ["pt-BR"], "pt-BR.srt"),
        ("pt-PT.srt en.srt", ["pt-BR"], "pt-PT.srt"),
        ("en.srt fr.srt", ["ja"], "en.srt"),
        ("en.ass en.srt en.vtt", None, "en.srt"),
        ("en.forced.srt en.srt en.sdh.vtt", None, "en.sdh.vtt"),
        ("en.forced.srt fr.srt", ["en"], "en.forced.srt"),
        ("en.srt fr.srt ad.fr.vtt ad.en.vtt", ["fr"], "fr.srt ad.fr.vtt"),
        ("en.srt ad.fr.vtt", None, "en.srt"),
        ("en.srt ad.vtt", None, "en.srt ad.vtt"),
        ("srt ad.fr.vtt ad.en.vtt", None, "srt ad.en.vtt"),
        ("ad.fr.vtt", None, "ad.fr.vtt"),
        ("en.commentary.srt chapters.vtt", None, ""),
        ("", ["en"], ""),
    ],
)
def test_choice_of_subtitles(files, languages, chosen):
    paths = [Path(f"film.{name}") for name in files.split()]
    assert names(choose_subtitles(paths, languages)) == [f"film.{n}" for n in chosen.split()]
    assert names(choose_subtitles(paths[::-1], languages)) == [f"film.{n}" for n in chosen.split()]


@pytest.mark.shared
def test_the_real_folder(shared):
    items = {item.title_id: item for item in find_media([shared / "media"])}
    assert set(items) == {
        "big-buck-bunny",
        "nasa-embedded-subtitles",
        *(f"popeye/popeye-{n}" for n in (1, 2, 3, 4)),
        "tears-of-steel-battle",
    }
    assert names(items["popeye/popeye-3"].subtitles) == ["popeye-3.en.srt"]
    assert not items["big-buck-bunny"].subtitles
