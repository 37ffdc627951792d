"""The sound of a planned title: place, music by tone, voices, steps and noises."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mediafm.sample.cast import LOOKS
from mediafm.sample.story import Line, ScenePlan, TitlePlan
from mediafm.sample.titles import SERIES

Wave = NDArray[np.float32]
Rng = np.random.Generator

_AMBIENCE: dict[str, tuple[float, float, float, float, str]] = {
    "harbour": (80, 900, 0.060, 0.16, ""),
    "forest": (200, 1800, 0.022, 0.10, "crickets"),
    "street": (40, 500, 0.050, 0.07, ""),
    "desert": (250, 1100, 0.045, 0.21, ""),
    "planet": (120, 420, 0.030, 0.09, "glass"),
    "kitchen": (60, 300, 0.016, 0.0, "ticks"),
    "classroom": (250, 1300, 0.022, 0.5, ""),
    "bridge": (40, 140, 0.050, 0.0, "beeps"),
    "stage": (300, 2600, 0.040, 0.3, ""),
    "diner": (200, 1500, 0.024, 0.4, "clinks"),
    "lighthouse": (120, 700, 0.050, 0.13, "ticks"),
}
"""Per place: band of the noise in hertz, level, cycles per second of its swell, what else."""

_MUSIC: dict[str, tuple[float, tuple[tuple[int, ...], ...], float, float]] = {
    "calm": (76, ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)), 0.030, 0.5),
    "funny": (132, ((0, 4, 7, 9), (5, 9, 12), (2, 5, 9), (7, 11, 14)), 0.055, 1.0),
    "tense": (66, ((0, 1, 7), (0, 3, 6), (-1, 5, 6), (0, 1, 6)), 0.050, 0.0),
    "scary": (52, ((0, 1, 6, 11), (-2, 4, 5), (0, 6, 13), (-1, 0, 7)), 0.055, 0.0),
    "action": (152, ((0, 3, 7), (0, 3, 7), (-2, 2, 5), (-4, 0, 3)), 0.070, 1.0),
    "sad": (58, ((0, 3, 7), (-4, 0, 3), (3, 7, 10), (-2, 2, 5)), 0.050, 0.5),
    "romantic": (84, ((0, 4, 7, 11), (-3, 0, 4, 7), (2, 5, 9), (-5, -1, 2, 5)), 0.050, 0.7),
    "wonder": (72, ((0, 7, 14, 16), (-4, 3, 8, 12), (-2, 5, 10, 14), (0, 7, 12, 19)), 0.050, 0.8),
}
"""Per tone: beats per minute, chords in semitones, level, share of arpeggio."""

_VOWELS = (
    (730, 1090, 2440),
    (530, 1840, 2480),
    (270, 2290, 3010),
    (570, 840, 2410),
    (300, 870, 2240),
)
"""First three formants of five vowels in hertz (Peterson & Barney 1952, male means)."""


def rate_of(plan: TitlePlan) -> int:
    """Samples per second of a title: both usual rates occur in the sample."""
    return 44_100 if plan.index % 3 == 1 else 48_000


def mix_sound(plan: TitlePlan) -> Wave:
    """Makes the sound of a title.

    Args:
        plan: What is heard when.

    Returns:
        Array of shape [samples, 2], between -1 and 1.
    """
    rate, fps = rate_of(plan), float(plan.entry.fps)
    rng = np.random.default_rng([plan.seed, plan.index, 41])
    sound = np.zeros((math.ceil(plan.seconds * rate), 2), np.float32)
    root = 110 * 2 ** ((list(SERIES).index(plan.entry.series) * 5 % 12) / 12)
    for scene in plan.scenes:
        start = round(scene.shots[0].start / fps * rate)
        end = min(len(sound), round(scene.shots[-1].end / fps * rate))
        part = _ambience(rng, scene, end - start, rate)
        part += _music(scene, root, end - start, rate)[:, None]
        fade = np.minimum(
            1, np.minimum(np.arange(end - start), np.arange(end - start)[::-1]) / (0.25 * rate)
        )
        sound[start:end] += part * fade[:, None].astype(np.float32)
        for shot in scene.shots:
            if shot.action in ("walk", "run") and shot.people:
                pace = math.pi / (10.5 if shot.action == "run" else 6.0)
                for at in np.arange(shot.start / fps + 0.1, shot.end / fps - 0.1, pace):
                    _add(sound, float(at) * rate, _step(rng, rate), 0.0, 0.5)
    for line in plan.lines:
        voice = _voice(rng, line, fps, rate) if line.speaker else _noise(rng, line, fps, rate)
        leads = [scene.cast[0] for scene in plan.scenes]
        pan = 0.0 if not line.speaker else -0.35 if line.speaker in leads else 0.35
        _add(sound, line.start / fps * rate, voice, pan, 1.0)
    limited: Wave = 0.85 * np.tanh(1.6 * sound)
    return limited


def _add(sound: Wave, at: float, what: Wave, pan: float, level: float) -> None:
    start = round(at)
    what = what[: max(0, len(sound) - start)] * np.float32(level)
    sound[start : start + len(what), 0] += what * np.float32(1 - max(0.0, pan))
    sound[start : start + len(what), 1] += what * np.float32(1 + min(0.0, pan))


def _band(rng: Rng, length: int, rate: int, low: float, high: float) -> Wave:
    """Noise between two frequencies, root mean square 1, up to 6 s and then repeated."""
    size = max(2, min(length, 6 * rate))
    spectrum = np.fft.rfft(rng.standard_normal(size).astype(np.float32))
    pitch = np.fft.rfftfreq(size, 1 / rate)
    spectrum *= 1 / (1 + (low / np.maximum(pitch, 1)) ** 4) / (1 + (pitch / high) ** 2)
    wave = np.fft.irfft(spectrum, size).astype(np.float32)
    wave /= wave.std() + 1e-9
    return np.resize(wave, length)


def _ambience(rng: Rng, scene: ScenePlan, length: int, rate: int) -> Wave:
    low, high, level, swell, extra = _AMBIENCE[scene.place]
    time = np.arange(length, dtype=np.float32) / rate
    mono = _band(rng, length, rate, low, high)
    if swell:
        mono *= 0.65 + 0.35 * np.sin(2 * np.pi * swell * time)
    if scene.weather == "rain":
        mono += 0.8 * _band(rng, length, rate, 1500, 7000)
    stereo = np.stack([mono, np.roll(mono, rate // 3)], axis=1) * np.float32(level)
    if extra == "crickets" and scene.night:
        chirp = np.sin(2 * np.pi * 4300 * time) * (np.sin(2 * np.pi * 17 * time) > 0)
        stereo += (0.014 * chirp * (np.sin(2 * np.pi * 0.7 * time) > 0))[:, None]
    elif extra == "glass":
        for tone in (1318.5, 1760, 2217.5):
            slow = np.sin(2 * np.pi * tone / 9000 * time + tone)
            stereo += (0.008 * np.sin(2 * np.pi * tone * time) * slow**2)[:, None]
    elif extra:
        tone, every, level = {"ticks": (2400, 0.5, 0.05), "beeps": (1050, 1.7, 0.03)}.get(
            extra, (3100, 1.3, 0.02)
        )
        click = np.exp(-time[: rate // 4] * (25 if extra == "beeps" else 90))
        click *= np.sin(2 * np.pi * tone * time[: rate // 4])
        for at in np.arange(0.2, length / rate - 0.3, every):
            _add(stereo, at * rate, click, float(rng.uniform(-0.6, 0.6)), level)
    return stereo.astype(np.float32)


def _music(scene: ScenePlan, root: float, length: int, rate: int) -> Wave:
    beats, chords, level, arpeggio = _MUSIC[scene.tone]
    if scene.kind == "perform":
        level, arpeggio = 2.2 * level, 1.0
    beat = 60 / beats
    music = np.zeros(length, np.float32)
    bar = 4 * beat
    for number in range(math.ceil(length / rate / bar)):
        chord, start = chords[number % len(chords)], number * bar
        time = np.arange(round(min(bar * 1.1, length / rate) * rate), dtype=np.float32) / rate
        swell = np.minimum(1, time / (0.3 * bar)) * np.minimum(1, (time[-1] - time) / (0.2 * bar))
        pad = np.zeros(len(time), np.float32)
        for note in chord:
            pitch = root * 2 ** (note / 12)
            pad += np.sin(2 * np.pi * pitch * time) + 0.4 * np.sin(2 * np.pi * 2.003 * pitch * time)
        if arpeggio == 0:
            pad += 0.8 * np.sin(2 * np.pi * root * 0.502 * time) * (1 + np.sin(7 * time)) / 2
        _lay(music, start * rate, pad * swell * np.float32(level * (1 - 0.55 * arpeggio) / 2))
        if arpeggio > 0:
            for step in range(8):
                note = chord[(0, 2, 1, 2, 0, 1, 2, 1)[step] % len(chord)] + 12
                pitch = root * 2 ** (note / 12)
                time = np.arange(round(beat * rate), dtype=np.float32) / rate
                pluck = np.exp(-time * 5) * (
                    np.sin(2 * np.pi * pitch * time) + 0.5 * np.sin(4 * np.pi * pitch * time)
                )
                _lay(
                    music,
                    (start + step * beat / 2) * rate,
                    (level * arpeggio * pluck).astype(np.float32),
                )
        if scene.tone == "action" or scene.kind == "perform":
            for step in range(8):
                time = np.arange(rate // 6, dtype=np.float32) / rate
                drum = np.sin(2 * np.pi * 58 * time - 6 * np.exp(-30 * time)) * np.exp(-time * 18)
                _lay(
                    music,
                    (start + step * beat / 2) * rate,
                    drum * np.float32(0.16 if step % 2 == 0 else 0.05),
                )
    return music


def _lay(music: Wave, at: float, what: Wave) -> None:
    start = round(at)
    what = what[: max(0, len(music) - start)]
    music[start : start + len(what)] += what


def _voice(rng: Rng, line: Line, fps: float, rate: int) -> Wave:
    """Syllables of a harmonic tone under moving formants: the melody of speech, no words."""
    pitch = LOOKS[line.speaker or ""].pitch
    length = round((line.end - line.start) / fps * rate)
    wave = np.zeros(length, np.float32)
    at, total = 0.05 * rate, length * 0.92
    while at < total:
        size = round(rate * float(rng.uniform(0.11, 0.2)))
        time = np.arange(size, dtype=np.float32) / rate
        fall = 1.12 - 0.25 * at / total + float(rng.uniform(-0.06, 0.06))
        base = np.float32(pitch * fall) * (1 + 0.04 * np.sin(2 * np.pi * 2.5 * time))
        phase = 2 * np.pi * np.cumsum(base) / rate
        formants = _VOWELS[int(rng.integers(len(_VOWELS)))]
        stretch = 1.0 if pitch < 150 else 1.15
        harmonics = np.arange(1, int(3600 / pitch))
        heights = sum(
            gain / (1 + ((harmonics * pitch - f * stretch) / width) ** 2)
            for f, width, gain in zip(formants, (90, 120, 170), (1.0, 0.6, 0.3), strict=True)
        )
        tone = np.sin(phase[None] * harmonics[:, None].astype(np.float32))
        syllable = (np.asarray(heights, np.float32)[:, None] * tone).sum(axis=0)
        syllable *= np.sin(np.pi * np.arange(size) / size) ** 0.7
        if rng.random() < 0.4:
            hiss = rng.standard_normal(size // 3) * np.linspace(0.25, 0, size // 3)
            syllable[: size // 3] += np.diff(hiss, prepend=0)
        _lay(wave, at, (0.17 * syllable).astype(np.float32))
        at += size * (1 if rng.random() < 0.8 else 1.7)
    return wave


def _noise(rng: Rng, line: Line, fps: float, rate: int) -> Wave:
    """The noise that a text in brackets names."""
    size = round((line.end - line.start) / fps * rate)
    time = np.arange(size, dtype=np.float32) / rate
    text = line.text
    if any(
        word in text for word in ("slam", "crash", "shatter", "snap", "clatter", "step", "creak")
    ):
        low = 1800 if "shatter" in text or "clatter" in text else 70
        hits = (0.0, 0.35, 0.7) if "step" in text or "clatter" in text else (0.05,)
        wave = np.zeros(size, np.float32)
        for hit in hits:
            burst = _band(rng, size, rate, low, low * 8) * np.exp(-time * 11)
            _lay(wave, hit * rate, burst * np.float32(0.22))
        return wave
    if any(
        word in text
        for word in ("bell", "ring", "horn", "whistl", "beep", "alarm", "siren", "phone", "owl")
    ):
        pitch = 170 if "ship" in text else 420 if "horn" in text or "owl" in text else 980
        pulse = 1.0 if "horn" in text or "owl" in text else (np.sin(2 * np.pi * 6 * time) > -0.3)
        bend = 1 + (0.18 * np.sin(2 * np.pi * 0.7 * time) if "siren" in text else 0)
        tone = np.sin(2 * np.pi * np.cumsum(pitch * bend * np.ones(size)) / rate)
        tone += 0.4 * np.sin(4 * np.pi * np.cumsum(pitch * bend * np.ones(size)) / rate)
        return (0.09 * tone * pulse * np.sin(np.pi * np.arange(size) / size) ** 0.5).astype(
            np.float32
        )
    low = (
        900 if any(word in text for word in ("cheer", "applause", "laugh", "hiss", "gull")) else 150
    )
    swell = np.sin(np.pi * np.arange(size, dtype=np.float32) / max(1, size))
    return (0.07 * swell * _band(rng, size, rate, low, low * 4)).astype(np.float32)


def _step(rng: Rng, rate: int) -> Wave:
    time = np.arange(rate // 9, dtype=np.float32) / rate
    thump = np.sin(2 * np.pi * 95 * time) * np.exp(-time * 55)
    click = rng.standard_normal(len(time)) * np.exp(-time * 130) * 0.35
    return (0.16 * (thump + click)).astype(np.float32)
