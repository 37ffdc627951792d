"""Tiny checkpoints of sound encoders, and sound for them."""

from __future__ import annotations

import functools

import numpy as np
import tiny
from transformers import AutoModel

from mediafm.encoders.hf.audio import HFSound, open_audio
from mediafm.encoders.spec import parse_spec

RATE = 16_000
EXACT = {"atol": 1e-5, "rtol": 1e-5}

# As the real ones, 1001 columns of mel fit; the smallest shape that does.
CLAP = {"audio_config": {"spec_size": 128, "num_mel_bins": 16}}


def speech(make, **over):
    # Not the usual 4: torch 2.13's bfloat16 convolution in groups of 8 channels is wrong on CPUs
    # with AMX (cosine 0.6). Published checkpoints have 48 and more channels in a group.
    return functools.partial(make, num_conv_pos_embedding_groups=2, **over)


SPEECH = {
    "wav2vec2": speech(tiny.make_wav2vec2),
    "wav2vec2-pickled": speech(tiny.make_wav2vec2_pretraining),
    "hubert": speech(tiny.make_hubert),
    "wavlm": speech(tiny.make_wavlm),
    "wav2vec2-layer": speech(tiny.make_wav2vec2, norm="layer"),
    "hubert-layer": speech(tiny.make_hubert, norm="layer"),
    "wavlm-layer": speech(tiny.make_wavlm, norm="layer"),
}
MAKERS = {
    **SPEECH,
    "clap": functools.partial(tiny.make_clap, **CLAP),
    "clap-fused": functools.partial(tiny.make_clap, fused=True, **CLAP),
    "whisper": tiny.make_whisper,
}


def opened(folder, options="") -> HFSound:
    """The encoder of a checkpoint, found but not loaded."""
    return open_audio(parse_spec(f"hf:{folder}{options}"), "audio")


@functools.cache
def sound(count, seed=0, rate=RATE):
    """Tones that come and go, over noise."""
    rng = np.random.default_rng([seed, count])
    t = np.arange(count) / rate
    tone = np.sin(2 * np.pi * rng.uniform(80, 900) * t) * (np.sin(2 * np.pi * 1.3 * t) > 0)
    return (0.3 * tone + 0.05 * rng.standard_normal(count)).astype(np.float32)


@functools.cache
def plain_network(folder):
    """What transformers itself makes of a checkpoint."""
    return AutoModel.from_pretrained(folder).eval()
