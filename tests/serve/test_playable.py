"""What browsers play is told by what is in a file."""

import os

import numpy as np
import pytest
from film_kit import Film, Sound, Video, numbered, old, shelf, write

from mediafm.catalog import Catalog
from mediafm.serve.library import View
from mediafm.serve.media import open_media, probe, state
from mediafm.serve.playable import look

TONE = Sound(np.sin(np.arange(48_000) / 20).astype(np.float32))
VP = {"deadline": "realtime", "cpu-used": "8"}


def sound(codec, **more):
    return Sound(TONE.samples, codec=codec, **more)


def looked(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return look(descriptor)
    finally:
        os.close(descriptor)


DIRECT = {
    "h264-aac.mp4": ([Video(numbered(5)), TONE], 'video/mp4; codecs="avc1.'),
    "h264.mov": ([Video(numbered(5)), TONE], 'video/mp4; codecs="avc1.'),
    "h264-mp3.mp4": ([Video(numbered(5)), sound("libmp3lame")], 'video/mp4; codecs="avc1.'),
    "silent.mp4": ([Video(numbered(5))], 'video/mp4; codecs="avc1.'),
    "vp8.webm": (
        [Video(numbered(5), codec="libvpx", options=VP), sound("libopus")],
        'video/webm; codecs="vp8, opus"',
    ),
    "vp9.webm": (
        [Video(numbered(5), codec="libvpx-vp9", options=VP), sound("libopus")],
        'video/webm; codecs="vp9, opus"',
    ),
    "a.mp3": ([sound("libmp3lame")], 'audio/mpeg; codecs="mp3"'),
    "a.m4a": ([TONE], 'audio/mp4; codecs="mp4a.40.2"'),
    "a.flac": ([sound("flac")], "audio/flac"),
    "a.wav": ([sound("pcm_s16le")], 'audio/wav; codecs="1"'),
    "a.ogg": ([sound("libopus")], 'audio/ogg; codecs="opus"'),
}
PROXY = {
    "hevc.mp4": ([Video(numbered(5), codec="libx265")], "HEVC video"),
    "hevc.mkv": ([Video(numbered(5), codec="libx265"), TONE], "HEVC video"),
    "mpeg2.ts": ([old("mpeg2video"), sound("mp2")], "MPEG-2 video"),
    "mpeg2.mxf": ([old("mpeg2video")], "MPEG-2 video"),
    "prores.mov": ([old("prores_ks", pixels="yuv422p10le")], "ProRes video"),
    "ten-bit.mp4": ([Film(numbered(5), pixels="yuv420p10le")], "10-bit H.264 video"),
    "422.mp4": ([Film(numbered(5), pixels="yuv422p")], "4:2:2 H.264 video"),
    "444.mp4": ([Film(numbered(5), pixels="yuv444p")], "4:4:4 H.264 video"),
    "ac3.mp4": ([Video(numbered(5)), sound("ac3")], "AC-3 sound"),
    "pcm.mov": ([Video(numbered(5)), sound("pcm_s16le")], "PCM sound in such a file"),
    "h264.mkv": ([Video(numbered(5)), TONE], "Matroska files"),
    "h264.ts": ([Video(numbered(5)), TONE], "MPEG transport streams"),
    "h264.avi": ([old("libx264", options={"bf": "0"})], "AVI files"),
    "mpeg4.avi": ([old("mpeg4")], "MPEG-4 Part 2 video"),
    "a.ac3": ([sound("ac3")], "AC-3 sound"),
    "a.mka": ([sound("libopus")], "Matroska files"),
}


@pytest.mark.parametrize("name", DIRECT)
def test_what_plays_as_it_is(tmp_path, name):
    parts, kind = DIRECT[name]
    found = looked(write(tmp_path / name, *parts))
    assert (found.state, found.why) == ("direct", "")
    assert found.type.startswith(kind)
    assert found.content_type == kind.partition(";")[0]


@pytest.mark.parametrize("name", PROXY)
def test_what_needs_a_proxy_and_why(tmp_path, name):
    parts, why = PROXY[name]
    found = looked(write(tmp_path / name, *parts))
    assert found.state == "proxy"
    assert found.why.startswith(why), found.why
    assert found.type == ("audio/mp4" if name.startswith("a.") else "video/mp4")


def test_video_of_the_web_in_files_of_the_shop(tmp_path):
    video = Video(numbered(5), codec="libvpx-vp9", options=VP)
    found = looked(write(tmp_path / "vp9.mp4", video, sound("flac")))
    assert (found.state, found.type) == ("direct", 'video/mp4; codecs="vp09.00.41.08, flac"')


def test_times_that_players_show_differently_need_a_proxy(tmp_path):
    """A title's zero is the start of its container, a player's is the container's zero."""
    late = Video(numbered(5), times=[90_000 + 3600 * i for i in range(5)])
    found = looked(write(tmp_path / "late.mp4", late))
    assert (found.state, found.why) == (
        "proxy", "its times begin at 1.00 s, which players show differently",
    )  # fmt: skip


def test_a_picture_on_the_cover_is_no_video(tmp_path):
    path = tmp_path / "covered.mp3"
    write(path, sound("libmp3lame"), Video(numbered(1), codec="mjpeg"))
    found = looked(path)
    assert (found.state, found.content_type) == ("direct", "audio/mpeg")


@pytest.mark.parametrize(
    "name,text",
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{film}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile film.mp4\n"),
        ("notes.txt", "nothing to see, {film}\n" * 50),
        ("words.srt", "1\n00:00:01,000 --> 00:00:02,000\n{film}\n"),
        ("empty.mp4", ""),
        ("key.pem", "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0B\n" * 30),
    ],
)
def test_what_is_no_media_is_refused_and_leads_nowhere(tmp_path, name, text):
    """A playlist in a catalog must not make the server read other files."""
    film = write(tmp_path / "film.mp4", Video(numbered(5)))
    path = tmp_path / name
    path.write_text(text.format(film=film))
    found = looked(path)
    assert found.state == "refused"
    assert found.why
    assert str(tmp_path) not in found.why


def test_a_film_cut_off_before_its_index_is_refused(tmp_path):
    path = write(tmp_path / "film.mp4", Video(numbered(20)))
    path.write_bytes(path.read_bytes()[:1000])
    assert looked(path).why == "no media file, or cut off before its index"


def test_what_a_title_says_of_its_media(tmp_path):
    film = write(tmp_path / "film.mp4", Video(numbered(5)))
    (tmp_path / "notes.mp4").write_text("notes")
    paths = {"film": film, "gone": tmp_path / "gone.mp4", "notes": tmp_path / "notes.mp4"}
    settings = shelf(tmp_path, paths)
    view = View(Catalog.open(settings.catalog), settings, 1)
    found = {name: state(view, view.title(name)) for name in paths}
    assert found["film"].state == "direct"
    assert (found["gone"].state, found["gone"].type) == ("missing", "")
    assert found["gone"].why == (
        "gone.mp4: is not where it was ingested from; if it has moved: mediafm relink OLD NEW"
    )
    assert found["notes"].state == "refused"
    film.write_bytes(film.read_bytes() + b"more")
    assert state(view, view.title("film")).why == (
        "film.mp4: has changed since it was ingested; run mediafm ingest again"
    )


def test_a_file_is_looked_at_once(tmp_path, monkeypatch):
    film = write(tmp_path / "film.mp4", Video(numbered(5)))
    settings = shelf(tmp_path, {"film": film})
    view = View(Catalog.open(settings.catalog), settings, 1)
    looks = []
    monkeypatch.setattr("mediafm.serve.media.look", lambda d: looks.append(d) or look(d))
    for _ in range(3):
        with open_media(settings, view.title("film")) as file:
            assert probe(view, file).state == "direct"
    assert len(looks) == 1


def test_real_media(shared):
    media = shared / "media"
    assert looked(media / "big-buck-bunny.mp4").state == "direct"
    assert looked(media / "tears-of-steel-battle.webm").type.endswith('"vp8, vorbis"')
    assert looked(media / "popeye" / "popeye-1.mkv").why.startswith("HEVC video")
