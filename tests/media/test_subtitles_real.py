"""Files that people made, and text streams inside media files."""

import io
from fractions import Fraction

import av
import pytest
from av.subtitles.subtitle import Subtitle, SubtitleSet

from mediafm.media.subtitle_names import choose_subtitles
from mediafm.media.subtitles import BITMAP_SUBTITLES, TEXT_SUBTITLES, read_cues, subtitle_cue
from mediafm.timeline import US, Cue, Span


def decoded(ass: bytes) -> list[Subtitle]:
    return list(SubtitleSet.create(ass, 0, 1000))


def test_a_decoded_packet():
    piece = decoded(b"3,0,Default,,0,0,0,,{\\i1}Hello{\\i0}, a, \\{b\\}\\N{\\an8}you\xe2\x80\x99re")
    cue = subtitle_cue(piece, US, 2 * US, "stream 3", "eng")
    assert cue == Cue(Span(US, 2 * US), "Hello, a, {b}\nyou’re", "speech", "eng", "stream 3")
    assert subtitle_cue(piece[0], US, 0, "stream 3", "eng").span == Span(US, US)
    described = subtitle_cue(piece, 0, 1, "stream 3", kind="description")
    assert described.kind == "description"


@pytest.mark.parametrize("text", [b"", b"{\\p1}m 0 0 l 1 1{\\p0}", b" \\N "])
def test_a_packet_without_words(text):
    assert subtitle_cue(decoded(b"0,0,Default,,0,0,0,," + text), 0, 1, "stream 3") is None
    assert subtitle_cue([], 0, 1, "stream 3") is None


def test_codec_names_are_ffmpegs():
    assert not TEXT_SUBTITLES & BITMAP_SUBTITLES
    known = {"mov_text", "subrip", "webvtt", "ass", "ssa", "text"}
    assert known <= TEXT_SUBTITLES
    assert known <= av.codecs_available
    assert {"dvbsub", "dvdsub", "pgssub", "xsub"} <= BITMAP_SUBTITLES & av.codecs_available


@pytest.mark.parametrize("codec", ["subrip", "ass", "webvtt"])
def test_streams_in_a_container(codec):
    made = io.BytesIO()
    with av.open(made, "w", format="matroska") as out:
        stream = out.add_stream(codec)
        stream.codec_context.subtitle_header = (
            b"[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\nFormat: Name\nStyle: Default\n"
            b"[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect,"
            b" Text\n"
        )
        stream.codec_context.open()
        for start, text in ((500, b"Hello\\Nyou"), (2000, b"{\\i1}Bye{\\i0}, all")):
            piece = SubtitleSet.create(b"0,0,Default,,0,0,0,," + text, 0, 1000, pts=start)
            packet = stream.codec_context.encode_subtitle(piece)
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = 1000
            out.mux(packet)
    made.seek(0)
    cues = []
    with av.open(made) as media:
        assert media.streams[0].codec_context.name in TEXT_SUBTITLES
        for packet in media.demux(media.streams[0]):
            if packet.pts is not None:
                start = int(packet.pts * packet.time_base * US)
                end = start + int((packet.duration or 0) * packet.time_base * US)
                cues.append(subtitle_cue(packet.decode(), start, end, "stream 0"))
    assert [(c.span.start, c.text) for c in cues] == [
        (500_000, "Hello\nyou"),
        (2_000_000, "Bye, all"),
    ]


@pytest.mark.shared
def test_streams_of_a_real_file(shared):
    found: dict[int, list[Cue]] = {}
    with av.open(str(shared / "media/nasa-embedded-subtitles.mp4")) as media:
        streams = [s for s in media.streams if s.type == "subtitle"]
        assert [s.codec_context.name in TEXT_SUBTITLES for s in streams] == [True, True]
        for packet in media.demux(*streams):
            if packet.pts is None:
                continue
            start = int(packet.pts * packet.time_base * US)
            end = start + int(packet.duration * packet.time_base * US)
            source = f"stream {packet.stream.index}"
            if cue := subtitle_cue(packet.decode(), start, end, source, "eng"):
                found.setdefault(packet.stream.index, []).append(cue)
    assert {index: len(cues) for index, cues in found.items()} == {2: 4, 5: 4}
    assert found[2][0].span == Span(210_000, 4_260_000)
    assert found[2][2].text == "at NASA’s Goddard Space Flight Center in Greenbelt, Maryland."


@pytest.mark.shared
def test_bitmap_streams_of_a_real_file(shared):
    with av.open(str(shared / "media/popeye/popeye-1.mkv")) as media:
        names = {s.codec_context.name for s in media.streams if s.type == "subtitle"}
    assert names and names <= BITMAP_SUBTITLES


@pytest.mark.shared
def test_real_files_read_without_a_note(shared):
    import pysubs2

    paths = sorted((shared / "media").rglob("*.srt")) + sorted((shared / "media").rglob("*.vtt"))
    assert len(paths) >= 12
    for path in paths:
        timed = read_cues(path)
        assert not timed.notes
        other = [e for e in pysubs2.load(str(path)).events if e.plaintext.strip()]
        times = sorted((event.start, event.end) for event in other)
        assert [(c.span.start // 1000, c.span.end // 1000) for c in timed.cues] == times
        assert all("<" not in cue.text for cue in timed.cues)


@pytest.mark.shared
def test_what_real_files_say(shared):
    media = shared / "media"
    popeye = read_cues(media / "popeye/popeye-1.en.srt").cues
    assert (popeye[0].text, popeye[0].kind) == ("[barking and roaring]", "sound")
    assert popeye[1].text == "I'm Sinbad the sailor\nSo hearty and hale"
    assert {cue.language for cue in popeye} == {"en"}
    folder = media / "elephants-dream-subtitles"
    described = read_cues(folder / "descriptions.en.vtt").cues
    assert {(cue.kind, cue.language) for cue in described} == {("description", "en")}
    assert read_cues(folder / "captions.ja.vtt").cues[0].text == "左に見えるのは…"
    chosen = choose_subtitles(sorted(folder.glob("*.vtt")))
    assert [path.name for path in chosen] == ["captions.en.vtt", "descriptions.en.vtt"]
