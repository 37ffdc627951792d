"""TTML, IMSC, DFXP and SCC."""

import logging
from pathlib import Path

import pytest

from mediafm.errors import MediaError
from mediafm.media.subtitles import TimedText, read_cues

HEAD = (
    '<?xml version="1.0" encoding="{encoding}"?>\n<tt xmlns="http://www.w3.org/ns/ttml"'
    ' xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xmlns:tts="http://www.w3.org/ns/ttml#styling"'
    ' xml:lang="fr" {extra}>'
)


def ttml(folder: Path, body: str, extra: str = "", name: str = "film.ttml") -> TimedText:
    path = folder / name
    path.write_text(HEAD.format(encoding="UTF-8", extra=extra) + f"<body>{body}</body></tt>")
    return read_cues(path)


def seen(timed: TimedText) -> list[tuple[int, int, str]]:
    return [(cue.span.start, cue.span.end, cue.text) for cue in timed.cues]


def test_times_in_frames_ticks_and_nested_offsets(tmp_path):
    timed = ttml(
        tmp_path,
        '<div begin="10s"><p begin="00:00:01:12" end="00:00:02:00">frames</p>'
        '<p begin="20000000t" dur="500ms">ticks</p></div>'
        '<div timeContainer="seq"><p dur="1s">first</p><p dur="2s">second</p></div>',
        'ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001" ttp:tickRate="10000000"',
    )
    assert seen(timed) == [
        (0, 1_000_000, "first"),
        (1_000_000, 3_000_000, "second"),
        (11_500_500, 12_000_000, "frames"),
        (12_000_000, 12_500_000, "ticks"),
    ]
    assert {cue.language for cue in timed.cues} == {"fr"}
    assert not timed.notes


def test_spans_breaks_and_whitespace(tmp_path):
    timed = ttml(
        tmp_path,
        '<div><p begin="1s" end="2s">\n   One <span tts:color="red">red\n <span>fox</span></span>'
        "<br/>  two\n  lines </p>"
        '<p begin="3s" end="5s"><span begin="0s" end="1s">a </span><span begin="1s">b</span></p>'
        '<p begin="6s" end="9s"><span>now </span><span begin="1s">then</span></p>'
        '<p begin="10s" end="11s"><span tts:ruby="container"><span tts:ruby="base">漢</span>'
        '<span tts:ruby="text">kan</span></span></p></div>',
    )
    assert seen(timed) == [
        (1_000_000, 2_000_000, "One red fox\ntwo lines"),
        (3_000_000, 4_000_000, "a"),
        (4_000_000, 5_000_000, "b"),
        (6_000_000, 9_000_000, "now then"),
        (10_000_000, 11_000_000, "漢"),
    ]


def test_open_ends_bad_times_and_no_times(tmp_path, capsys):
    logging.getLogger("ttconv")  # its complaints belong into the notes, not on the terminal
    timed = ttml(
        tmp_path,
        '<div><p begin="1s">open</p><p begin="3s">open too</p><p>untimed</p>'
        '<p begin="x" end="20s">bad</p></div>',
    )
    assert seen(timed) == [
        (0, 20_000_000, "bad"),
        (1_000_000, 3_000_000, "open"),
        (3_000_000, 8_000_000, "open too"),
    ]
    assert any("Bad begin" in note for note in timed.notes)
    assert any("without a time" in note for note in timed.notes)
    assert capsys.readouterr().err == ""


def test_old_dfxp_namespace_and_other_encoding(tmp_path):
    path = tmp_path / "film.en.dfxp"
    text = HEAD.format(encoding="windows-1252", extra="").replace("ns/ttml", "2006/10/ttaf1")
    text += '<body><div><p begin="00:00:01.00" end="00:00:02.00">Café</p></div></body></tt>'
    path.write_bytes(text.encode("cp1252"))
    timed = read_cues(path)
    assert seen(timed) == [(1_000_000, 2_000_000, "Café")]
    assert timed.cues[0].language == "en"


def test_entities_are_refused_and_pictures_noted(tmp_path):
    path = tmp_path / "bomb.ttml"
    path.write_text(
        '<!DOCTYPE tt [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
        '<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="1s">&b;</p></div></body></tt>'
    )
    with pytest.raises(MediaError, match="entities"):
        read_cues(path)
    smpte = "http://www.smpte-ra.org/schemas/2052-1/2010/smpte-tt"
    timed = ttml(tmp_path, f'<div xmlns:s="{smpte}" s:backgroundImage="#i1" begin="1s" end="2s"/>')
    assert not timed.cues
    assert any("pictures" in note for note in timed.notes)


def scc(folder: Path, *lines: str) -> TimedText:
    path = folder / "film.scc"
    path.write_text("Scenarist_SCC V1.0\n\n" + "\n\n".join(lines) + "\n")
    return read_cues(path)


def test_scc_pop_on_drop_frame(tmp_path):
    timed = scc(
        tmp_path,
        "00:00:58;00\t9420 9420 9470 9470 c8e5 ecec ef80 942f 942f",
        "00:01:00;02\t942c 942c",
        "01:00:00;00\t9420 9420 9470 9470 c8e5 ecec ef80 942f 942f",
        "01:00:02;00\t942c 942c",
    )
    assert [cue.text for cue in timed.cues] == ["Hello", "Hello"]
    # 00:01:00;02 is frame 1800, an hour of drop-frame is 107892 frames, both at 30000/1001.
    assert timed.cues[0].span.end == pytest.approx(1800 * 1001 / 30000 * 1e6, abs=40_000)
    assert timed.cues[1].span.end == pytest.approx((107892 + 60) * 1001 / 30000 * 1e6, abs=40_000)


def test_scc_roll_up_says_each_line_once(tmp_path):
    timed = scc(
        tmp_path,
        "00:00:01;00\t9425 9425 94ad 94ad 9470 9470 c845 cc4c cf20 c1ae",
        "00:00:02;00\t9425 9425 94ad 94ad 9470 9470 d7cf 5243 c4ae",
        "00:00:04;00\t9425 9425 94ad 94ad 9470 9470 c845 cc4c cf80",
        "00:00:06;00\t942c 942c",
    )
    assert [cue.text for cue in timed.cues] == ["HELLO A.", "WORCD.", "HELLO"]


def test_scc_with_broken_lines(tmp_path):
    timed = scc(
        tmp_path,
        "00:00:58;00\t9420 9420 9470 9470 c8e5 ecec ef80 942f 942f",
        "00:01:00;02\t942c zzzz",
        "00:01:01;02\t942c 942c",
    )
    assert [cue.text for cue in timed.cues] == ["Hello"]
    assert any("zzzz" in note for note in timed.notes)
