"""The sound alone or the pictures alone of a title, the same as in the full pass."""

from __future__ import annotations

import random
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
from media_kit import TICKS, Sound, Text, Video, beeps, scene, write

from mediafm.errors import MediaError
from mediafm.media.chunks import AudioChunk, ReadOptions, VideoChunk
from mediafm.media.clock import Clock
from mediafm.media.pictures import Pictures
from mediafm.media.reader import Reader
from mediafm.media.sound import Sound as SoundReader
from mediafm.timeline import US


def read(path, **options):
    with Reader(path, ReadOptions(**options)) as reader:
        chunks = list(reader)
    videos = [chunk for chunk in chunks if isinstance(chunk, VideoChunk)]
    sounds = [chunk.samples_S for chunk in chunks if isinstance(chunk, AudioChunk)]
    return SimpleNamespace(
        times=[time for chunk in videos for time in chunk.times_T.tolist()],
        thumbnails=[t for chunk in videos for t in chunk.thumbnails_THWC],
        stills=[still for chunk in videos for still in chunk.stills],
        sound=np.concatenate([np.zeros(0, np.float32), *sounds]),
        cues=[c for c in chunks if not isinstance(c, VideoChunk | AudioChunk)],
        info=reader.info,
        end=reader.end,
    )


def noise(seconds, start=0.0, seed=0, **more):
    samples = np.random.default_rng(seed).standard_normal(round(seconds * 48_000)) / 10
    return Sound(samples.astype(np.float32), start=start, **more)


def plain(path):
    cues = Text([(0.2, 0.6, "One."), (1.0, 1.5, "Two.")])
    return write(path / "a.mkv", Video(scene(1, 60)), noise(2.4), cues)


def offset(path):
    """A transport stream begins at 1.4 s of its own clock."""
    return write(path / "a.ts", Video(scene(1, 60)), noise(2.4))


def sound_later(path):
    return write(path / "a.mp4", Video(scene(1, 60)), noise(1.5, start=0.7))


def sound_earlier(path):
    times = [TICKS + i * TICKS // 25 for i in range(25)]
    return write(path / "a.mkv", Video(scene(1, 25), times=times), noise(2))


def holes(path):
    return write(path / "a.mkv", Video(scene(1, 110)), noise(3, holes=[(1.0, 0.8), (2.0, 0.3)]))


def sound_longer(path):
    """Without a length of its own, the picture is not measured by that of the container."""
    path = write(path / "a.mkv", Video(scene(1, 25)), noise(20))
    path.write_bytes(path.read_bytes().replace(b"DURATION", b"DURATIOX"))
    return path


def sound_shorter(path):
    return write(path / "a.mp4", Video(scene(1, 250)), noise(1))


def no_sound(path):
    return write(path / "a.mp4", Video(scene(1, 60)))


def joined(path):
    """Two recordings, the second one's clock earlier; the sound of the first ends early."""
    data = b""
    for i, zero in enumerate((10, 1)):
        times = [zero * TICKS + k * TICKS // 25 for k in range(75)]
        sound = noise(2.6 + i / 5, start=zero, seed=i)
        data += write(path / f"{i}.ts", Video(scene(i, 75), times=times), sound).read_bytes()
    (path / "joined.ts").write_bytes(data)
    return path / "joined.ts"


KINDS = [plain, offset, sound_later, sound_earlier, holes, sound_longer, sound_shorter, no_sound]


@pytest.mark.parametrize("make", [*KINDS, joined])
def test_parts_equal_the_full_pass(tmp_path, make):
    path = make(tmp_path)
    full, sound = read(path), read(path, pictures=False)
    pictures = read(path, sound=False)
    np.testing.assert_array_equal(sound.sound, full.sound)
    assert (sound.times, sound.stills, sound.cues) == ([], [], [])
    assert sound.end == len(full.sound) * US // 16_000
    assert (len(pictures.sound), pictures.end) == (0, full.end)
    assert pictures.times == full.times
    np.testing.assert_array_equal(pictures.thumbnails, full.thumbnails)
    assert [still.time for still in pictures.stills] == [still.time for still in full.stills]
    for one, other in zip(pictures.stills, full.stills, strict=True):
        np.testing.assert_array_equal(one.picture_HWC, other.picture_HWC)
    assert pictures.cues == full.cues
    assert pictures.info == full.info
    for field in ("start_offset", "duration", "has_audio"):
        assert getattr(sound.info, field) == getattr(full.info, field)


def test_the_files_are_what_they_are_for(tmp_path):
    assert read(offset(tmp_path)).info.start_offset > 0
    assert not read(sound_later(tmp_path)).sound[: 16_000 // 2].any()
    assert len(read(plain(tmp_path)).cues) == 2


def test_nothing_else_is_decoded(tmp_path, monkeypatch):
    path = plain(tmp_path)
    for cls, option in ((Pictures, "pictures"), (SoundReader, "sound")):
        with monkeypatch.context() as patch:
            patch.delattr(cls, "push")
            read(path, **{option: False})
            with pytest.raises(AttributeError):
                read(path)


@pytest.mark.parametrize("option", ["pictures", "sound"])
def test_cut_off_files_are_refused(tmp_path, option):
    parts = [Video(scene(1, 150)), Sound(beeps([1], 6))]
    path = write(tmp_path / "a.mp4", *parts, movflags="faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"is cut off: \d\.\d s of 6\.0 s can be read"):
        read(path, **{option: False})


@pytest.mark.parametrize("name", ["f.mp4", "f.mkv", "f.ts"])
def test_any_damage_is_read_or_refused(tmp_path, name):
    whole = write(tmp_path / name, Video(scene(1, 30)), noise(1.2)).read_bytes()
    path, rng = tmp_path / f"damaged-{name}", random.Random(5)
    for _ in range(20):
        data = bytearray(whole)
        for _ in range(8):
            at = rng.randrange(len(data))
            data[at : at + 8] = rng.randbytes(8)
        path.write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        for option in ("pictures", "sound"):
            try:
                read(path, **{option: False})
            except MediaError:
                continue


@pytest.mark.parametrize("announced", [2 * US, 0])
def test_one_damaged_timestamp_is_not_days_of_silence(announced):
    clock = Clock(Fraction(1, 16_000), 0, [])
    reader, count = SoundReader(ReadOptions(), clock, announced), 0
    for i in range(20):
        samples = np.full((1, 1600), 0.5, np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
        frame.sample_rate, frame.time_base = 16_000, Fraction(1, 16_000)
        frame.pts = 1600 * i + (16_000 * 3600 if i >= 10 else 0)
        count += sum(len(chunk.samples_S) for chunk in reader.push(frame))
    count += sum(len(chunk.samples_S) for chunk in reader.finish())
    # An hour of silence where nothing speaks against it.
    assert count == 32_000 + (0 if announced else 16_000 * 3600)


def test_audio_only_files_are_still_refused(tmp_path):
    path = write(tmp_path / "a.mp3", Sound(beeps([1], 2), codec="libmp3lame"))
    with pytest.raises(MediaError, match="audio-only"):
        Reader(path, ReadOptions(pictures=False))


def test_a_pass_for_nothing():
    with pytest.raises(ValueError, match="reads nothing"):
        ReadOptions(pictures=False, sound=False)
