from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediafm.errors import MediaError
from mediafm.media.subtitle_names import SUBTITLE_SUFFIXES
from mediafm.media.subtitles import TimedText, read_cues
from mediafm.timeline import US, Cue, Span, format_time

FILES = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder: Path, name: str, content: str | bytes) -> TimedText:
    return read_cues(put(folder, name, content))


def seen(timed: TimedText) -> list[tuple[int, int, str]]:
    return [(c.span.start // 1000, c.span.end // 1000, c.text) for c in timed.cues]


# --- round trips -----------------------------------------------------------------------------

words = st.text(
    st.characters(categories=("L", "N", "P", "Zs"), exclude_characters="<>&{}\\"), max_size=20
).map(lambda text: " ".join(text.replace("-->", "").split()))
texts = st.lists(words.filter(bool), min_size=1, max_size=3).map("\n".join)
spans = st.tuples(st.integers(0, 10**8), st.integers(0, 10**5)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)
cue_lists = st.lists(st.tuples(spans, texts), min_size=1, max_size=12)


def plain(cues) -> list[tuple[int, int, str]]:
    """What must come back: text without the invisible, sorted, each once, letters left over."""
    return list(dict.fromkeys((s, e, t) for (s, e), t in sorted(cues, key=lambda cue: cue[0])))


@FILES
@given(cue_lists, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["utf-8-sig", "utf-16"]))
def test_what_srt_says_comes_back(tmp_path, cues, newline, encoding):
    blocks = [
        f"{i}\n{format_time(s * 1000).replace('.', ',')} --> "
        f"{format_time(e * 1000).replace('.', ',')}\n{text}\n"
        for i, ((s, e), text) in enumerate(cues, 1)
    ]
    content = newline.join("\n".join(blocks).split("\n")).encode(encoding)
    timed = read(tmp_path, "film.srt", content)
    assert not timed.notes
    assert seen(timed) == plain(cues)


@FILES
@given(cue_lists, st.booleans(), st.booleans())
def test_what_webvtt_says_comes_back(tmp_path, cues, numbered, settings_after):
    blocks = ["WEBVTT", "NOTE nothing here"]
    for i, ((s, e), text) in enumerate(cues):
        tail = " align:start position:0%" if settings_after else ""
        timing = f"{format_time(s * 1000)} --> {format_time(e * 1000)}{tail}"
        blocks.append((f"{i}\n" if numbered else "") + f"{timing}\n<v Ann><i>{text}</i>")
    timed = read(tmp_path, "film.vtt", "\n\n".join(blocks))
    assert not timed.notes
    assert seen(timed) == plain(cues)


pieces = st.sampled_from(
    [
        *(b"1\n", b"00:00:01,000 --> 00:00:02,000\n", b"-->", b"\n\n", b"{\\p1}", b"\xff", b"\0\0"),
        *(b"WEBVTT\n\n", b"[Script Info]\n[Events]\n", b"<tt ", b"<!DOCTYPE x>", b"{1}{2}text\n"),
        b"Dialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,x\n",
        b'<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="1s">x</p></div></body></tt>',
        b"Scenarist_SCC V1.0\n\n00:00:01:00\t9420 94ae 6162 942f\n",
        *(b"<SAMI><SYNC Start=1><P>x<SYNC Start=x>", b"99:99:99,9 --> 1:1:1\n"),
    ]
)
garbage = st.one_of(
    st.binary(max_size=400), st.lists(st.one_of(pieces, st.binary(max_size=12))).map(b"".join)
)


@settings(FILES, max_examples=300)
@given(garbage, st.sampled_from(sorted(SUBTITLE_SUFFIXES)))
def test_garbage_is_read_or_refused_in_one_line(tmp_path, content, suffix):
    path = put(tmp_path, f"film{suffix}", content)
    try:
        timed = read_cues(path)
    except MediaError as error:
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)
    else:
        starts = [cue.span.start for cue in timed.cues]
        assert starts == sorted(starts)
        assert all(cue.text and cue.span.start >= 0 for cue in timed.cues)


# --- SubRip ----------------------------------------------------------------------------------


def test_srt_with_styles_and_odd_timings(tmp_path):
    timed = read(
        tmp_path,
        "film.pt-BR.forced.srt",
        "1\n00:00:01,000 --> 00:00:02,500 X1:10 X2:20\n{\\an8}<i>Olá,</i>  a &lt; b & <b >c</b>\n"
        "<font color='red'>mundo</font>\n\n"
        "2\n00:00:03.5 --> 00:00:04\n3 < 4 > 2\n\n"
        "3\n0:5 -> 0:6,25\nshort\n\n\n"
        "4\n00:00:07,000-->00:00:08,000\nsplit\n\nhere\n",
    )
    assert not timed.notes
    assert seen(timed) == [
        (1000, 2500, "Olá, a < b & c\nmundo"),
        (3500, 4000, "3 < 4 > 2"),
        (5000, 6250, "short"),
        (7000, 8000, "split\nhere"),
    ]
    assert {cue.language for cue in timed.cues} == {"pt-BR"}
    assert {cue.source for cue in timed.cues} == {"film.pt-BR.forced.srt"}


def test_numbers_are_text_unless_they_count(tmp_path):
    text = "1\n00:00:01,000 --> 00:00:02,000\n42\n\n2\n00:00:03,000 --> 00:00:04,000\n1917\n"
    assert [c.text for c in read(tmp_path, "a.srt", text).cues] == ["42", "1917"]
    doubled = text.replace("\n", "\n\n")
    assert [c.text for c in read(tmp_path, "b.srt", doubled).cues] == ["42", "1917"]
    assert [c.text for c in read(tmp_path, "c.srt", text.replace("\n", "\r\r\n")).cues] == [
        "42",
        "1917",
    ]


def test_overlaps_and_empty_spans_stay_and_bad_times_are_noted(tmp_path):
    timed = read(
        tmp_path,
        "film.srt",
        "1\n00:00:05,000 --> 00:00:09,000\nlate\n\n2\n00:00:01,000 --> 00:00:06,000\nearly\n\n"
        "3\n00:00:02,000 --> 00:00:02,000\ninstant\n\n4\n00:00:04,000 --> 00:00:03,000\nback\n\n"
        "5\n00:00:xx,000 --> 00:00:03,000\nlost\n\n6\n00:00:10,000 --> 00:00:11,000\nlast\n",
    )
    assert seen(timed) == [
        (1000, 6000, "early"),
        (2000, 2000, "instant"),
        (4000, 4000, "back"),
        (5000, 9000, "late"),
        (10000, 11000, "last"),
    ]
    assert len(timed.notes) == 2
    assert "line 18" in timed.notes[0] and "ends before it starts" in timed.notes[1]


def test_many_broken_cues_are_counted(tmp_path):
    blocks = [f"{i}\n0:0x:{i} --> 0:01:00\nno\n" for i in range(1, 30)]
    timed = read(tmp_path, "a.srt", "\n".join([*blocks, "30\n00:00:01,000 --> 00:00:02,000\nyes"]))
    assert seen(timed) == [(1000, 2000, "yes")]
    assert timed.notes[-1] == "a.srt: 27 more like these"


# --- WebVTT ----------------------------------------------------------------------------------


def test_webvtt_features(tmp_path):
    timed = read(
        tmp_path,
        "film.vtt",
        "WEBVTT - a title\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\n"
        "STYLE\n::cue { color: red }\n\nREGION\nid:fred\n\nNOTE\nover two\nlines\n\n"
        "intro\n00:01.000 --> 00:02.000 line:0\n"
        "<v.loud Esme O'Neil>Hi &amp; <c.red>bye</c>&nbsp;!\n\n"
        "100:00:01.000 --> 100:00:02.000\nlong <00:00:19.000>after &lt;b&gt;\n\n"
        "00:03.000 --> 00:04.000\n<ruby>漢<rt>kan</rt></ruby>字\u200b\n\n"
        "00:05.000 --> 00:06.000\n\n",
    )
    assert seen(timed) == [
        (1000, 2000, "Hi & bye !"),
        (3000, 4000, "漢字"),
        (360001000, 360002000, "long after <b>"),
    ]
    assert len(timed.notes) == 1 and "X-TIMESTAMP-MAP" in timed.notes[0]


def test_rolling_captions_say_each_line_once(tmp_path):
    shown = [("", "one two"), ("one two", ""), ("one two", "three"), ("three", "")]
    shown += [("three", "four five"), ("four five", ""), ("four five", "six")]
    blocks = ["WEBVTT"]
    for i, (old, new) in enumerate(shown):
        blocks.append(f"00:{i:02d}.000 --> 00:{i + 1:02d}.000\n{old or ' '}\n{new or ' '}".rstrip())
    timed = read(tmp_path, "auto.en.vtt", "\n\n".join(blocks).replace("\n \n", "\n"))
    assert seen(timed) == [
        (0, 2000, "one two"),
        (2000, 4000, "three"),
        (4000, 6000, "four five"),
        (6000, 7000, "six"),
    ]


def test_an_echo_in_dialogue_stays(tmp_path):
    blocks = ["WEBVTT"]
    for i, text in enumerate(["No!", "No!", "Why?", "Because.", "Because.", "Go."]):
        blocks.append(f"00:{i:02d}.000 --> 00:{i + 1:02d}.000\n{text}")
    assert len(read(tmp_path, "film.vtt", "\n\n".join(blocks)).cues) == 6


# --- SubStation and older formats ------------------------------------------------------------

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,broken

[Fonts]
fontname: x.ttf
Dialogue: not an event

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,hidden
Dialogue: 0,0:00:01.00,0:00:02.50,Default,Ann,0,0,0,,{\\i1}Hello{\\i0},{a comment}\\Nyou\\hthere
Dialogue: 1,0:00:01.00,0:00:02.50,Default,Ann,0,0,0,,{\\blur3}Hello,\\Nyou there
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0{\\p0}
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\pos(1,2)\\p1}m 0 0{\\p0}kept
Dialogue: 0,0:00:05.00,0:00:05.04,Sign,,0,0,0,,{\\pos(1,1)}EXIT
Dialogue: 0,0:00:05.04,0:00:05.08,Sign,,0,0,0,,{\\pos(2,1)}EXIT
Comment: 0,0:00:06.00,0:00:07.00,Default,,0,0,0,karaoke,{\\k20}la {\\k30}song
Dialogue: 0,0:00:06.00,0:00:07.00,Default,,0,0,0,fx,la
Dialogue: 0,0:00:xx.00,0:00:07.00,Default,,0,0,0,,broken
"""


def test_substation(tmp_path):
    timed = read(tmp_path, "film.ass", ASS)
    assert seen(timed) == [
        (1000, 2500, "Hello,\nyou there"),
        (3000, 4000, "kept"),
        (5000, 5080, "EXIT"),
        (6000, 7000, "la song"),
    ]
    assert len(timed.notes) == 1 and "broken" in timed.notes[0]


def test_substation_obeys_its_format_line(tmp_path):
    text = (
        "[Script Info]\n[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,a, b\n"
    )
    assert seen(read(tmp_path, "film.ssa", text)) == [(1000, 2000, "a, b")]


def test_content_decides_over_the_suffix(tmp_path):
    assert len(read(tmp_path, "film.srt", ASS).cues) == 4
    vtt = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>Hi"
    assert seen(read(tmp_path, "other.srt", vtt)) == [(1000, 2000, "Hi")]


def test_formats_of_pysubs2(tmp_path):
    sami = "<SAMI><BODY><SYNC Start=1000><P>One<br>two<SYNC Start=2000><P>&nbsp;</BODY></SAMI>"
    assert seen(read(tmp_path, "film.smi", sami))[0][::2] == (1000, "One\ntwo")
    microdvd = "{1}{1}25.0\n{25}{50}{y:i}One|two\n"
    assert seen(read(tmp_path, "film.sub", microdvd)) == [(1000, 2000, "One\ntwo")]
    with pytest.raises(MediaError, match="counts frames"):
        read(tmp_path, "film.sub", "{25}{50}One|two\n")


# --- encodings -------------------------------------------------------------------------------

LINES = {
    "fr": "Ça va très bien, merci. Où est la forêt ?\nJe suis né à l'été.",
    "de": "Das ist schön für dich.\nÜber den Straßen.",
    "ru": "Слева мы видим...\nВсё в порядке. Осторожно!",
    "ja": "左に見えるのは…\nすべて安全。完璧に安全だ",
    "zh": "我们在左边可以看到一座桥。\n小心！你受伤了吗？",
    "pl": "Zażółć gęślą jaźń, proszę pana.\nWszystko w porządku, dziękuję.",
}


ENCODINGS = [
    *(("fr", "latin-1"), ("de", "latin-1"), ("ru", "cp1251"), ("ja", "shift_jis"), ("zh", "gbk")),
    *(("pl", "cp1250"), ("zh", "utf-16"), ("ru", "utf-8-sig"), ("fr", "utf-16-le")),
    *(("ja", "utf-32"), ("de", "utf-8")),
]
# Two lines are too little to tell these without a language.
SHY = [("ru", "koi8-r"), ("zh", "big5"), ("ja", "euc_jp")]


@pytest.mark.parametrize(
    ("language", "encoding", "named"),
    [*((*pair, True) for pair in ENCODINGS + SHY), *((*pair, False) for pair in ENCODINGS)],
)
def test_encodings(tmp_path, language, encoding, named):
    lines = (
        LINES[language] if encoding != "big5" else "我們在左邊可以看到一座橋。\n小心！你受傷了嗎？"
    )
    encoded = f"1\n00:00:01,000 --> 00:00:02,000\n{lines}\n".encode(encoding)
    timed = read(tmp_path, f"film.{language}.srt" if named else "film.srt", encoded)
    assert [cue.text for cue in timed.cues] == [lines]
    guessed = not encoding.startswith("utf") or encoding == "utf-16-le"
    assert len(timed.notes) == guessed


def test_utf8_with_a_broken_byte_stays_utf8(tmp_path):
    text = f"1\n00:00:01,000 --> 00:00:02,000\n{LINES['ru']}\n".encode()
    timed = read(tmp_path, "film.srt", text[:-10] + b"\xff" + text[-10:])
    assert timed.cues[0].text.startswith("Слева мы видим...")
    assert "damaged" in timed.notes[0]


# --- kinds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[door slams]", "sound"),
        ("(gunshot)", "sound"),
        ("♪ ♪", "sound"),
        ("- [sighs]\n- (laughs)", "sound"),
        ("[wind\nhowls]", "sound"),
        ("【ドアが閉まる】", "sound"),
        ("♪ I'm Sinbad the sailor ♪", "speech"),
        ("[Ann] Hello", "speech"),
        ("...", "speech"),
        ("(softly) No.", "speech"),
    ],
)
def test_sounds_are_told_from_speech(tmp_path, text, kind):
    timed = read(tmp_path, "film.srt", f"1\n00:00:01,000 --> 00:00:02,000\n{text}\n")
    assert timed.cues == [Cue(Span(US, 2 * US), text, kind, "", "film.srt")]


@pytest.mark.parametrize(
    "name", ["film.descriptions.en.vtt", "film.en.ad.vtt", "descriptions.en.vtt"]
)
def test_descriptions_are_told_by_the_name(tmp_path, name):
    timed = read(tmp_path, name, "WEBVTT\n\n00:01.000 --> 00:02.000\n[A man] runs.")
    assert [(c.kind, c.language) for c in timed.cues] == [("description", "en")]


# --- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("suffix", sorted(SUBTITLE_SUFFIXES))
def test_an_empty_file_has_no_cues(tmp_path, suffix, content):
    assert read(tmp_path, f"a{suffix}", content) == TimedText([], [f"a{suffix}: is empty"])


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.srt", "just some words\nof a person", "no readable cue"),
        ("a.srt", bytes(range(256)) * 4, "not a text file"),
        ("a.vtt", "words", "no readable cue"),
        ("a.vtt", "WEBVTT\n\nxx --> yy\nwords", "not a timing"),
        ("a.ass", "words", "no readable cue"),
        ("a.scc", "words of somebody", "no readable cue"),
        ("a.smi", "words", "no readable cue"),
        ("a.ttml", "words", "not well-formed"),
        ("a.xml", "<movie><title>x</title></movie>", "root is <movie>"),
        ("a.srt", "<!DOCTYPE html><html><body>404</body></html>", "no readable cue"),
        ("a.txt", "words", "not a timed-text file"),
    ],
)
def test_a_broken_file_is_named_in_one_line(tmp_path, name, content, what):
    with pytest.raises(MediaError, match=what) as caught:
        read(tmp_path, name, content)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "; " in str(caught.value)


@pytest.mark.parametrize("name", ["a.vtt", "a.ass", "a.scc"])
def test_a_lone_header_is_a_valid_file(tmp_path, name):
    header = {
        "a.vtt": "WEBVTT\n",
        "a.ass": "[Script Info]\n[Events]\n",
        "a.scc": "Scenarist_SCC V1.0",
    }
    assert read(tmp_path, name, header[name]) == TimedText([], [f"{name}: has no text"])


def test_a_missing_file(tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        read_cues(tmp_path / "none.srt")
