"""How encoders are named, found, and handed their devices."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediafm.encoders import PRESETS, EncoderChoice, TitleView, open_encoder, preset
from mediafm.encoders.batching import by_length, equal_lengths
from mediafm.encoders.devices import Replicas, resolve_devices, torch_dtype
from mediafm.encoders.spec import Spec, parse_spec
from mediafm.errors import EncoderError
from mediafm.timeline import US, Cue, Shot, Span

# Names


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("whisper-base", Spec("", "whisper-base")),
        ("hf:owner/model", Spec("hf", "owner/model")),
        ("hf:owner/model@abc123", Spec("hf", "owner/model", "abc123")),
        ("hf:./a b/c?dtype=bfloat16", Spec("hf", "./a b/c", "", {"dtype": "bfloat16"})),
        ("hf:/m@x/y", Spec("hf", "/m@x/y")),
        (
            "openai:m?dimensions=768&base_url=http://127.0.0.1:8080/v1",
            Spec("openai", "m", "", {"dimensions": "768", "base_url": "http://127.0.0.1:8080/v1"}),
        ),
        ("csv:signals.csv", Spec("csv", "signals.csv")),
    ],
)
def test_names_are_read_and_written(text, spec):
    assert parse_spec(text) == spec
    assert str(spec) == text


@given(
    st.sampled_from(["", "hf", "openai", "csv"]),
    st.text("abcXYZ019./-_ é", min_size=1).filter(lambda name: name.strip()),
    st.dictionaries(st.text("abc", min_size=1), st.text("aZ0é:/&=?%+ "), max_size=3),
)
def test_what_is_written_reads_back(scheme, name, options):
    spec = Spec(scheme, name, "", options)
    assert parse_spec(str(spec)) == spec


@pytest.mark.parametrize("text", ["", "hf:", "x?", "x?a", "x?=1", "x?a=1&a=2", "hf:?a=1"])
def test_what_is_no_name(text):
    with pytest.raises(EncoderError, match="is no encoder"):
        parse_spec(text)


def test_an_unknown_option_names_the_one_that_was_meant():
    with pytest.raises(EncoderError, match=r"no option 'dtyp' \(did you mean 'dtype'\?\)"):
        parse_spec("hf:a/b?dtyp=x").check_options(("dtype",))
    with pytest.raises(EncoderError, match="no option 'x'; leave it out"):
        open_encoder("video", "efficientnet-lite2?x=1")


# Finding


@pytest.mark.parametrize(
    ("modality", "name", "meant"),
    [
        ("video", "eficientnet-lite2", "efficientnet-lite2"),
        ("video", "clip-vit-large-patch14", "hf:openai/clip-vit-large-patch14"),
        ("video", "openai/clip-vit-base-patch32", "hf:openai/clip-vit-base-patch32"),
        ("audio", "wav2vec2-base", "hf:facebook/wav2vec2-base"),
        ("text", "text-embedding-3-large", "openai:text-embedding-3-large?dimensions=768"),
        ("text", "multilingual-e5-base", "hf:intfloat/multilingual-e5-base"),
    ],
)
def test_near_misses_are_named(modality, name, meant):
    with pytest.raises(EncoderError) as caught:
        open_encoder(modality, name)
    assert f"(did you mean '{meant}'?)" in str(caught.value)


@pytest.mark.parametrize(
    ("modality", "name"), [("video", "openai:m"), ("text", "csv:f.csv"), ("audience", "hf:a/b")]
)
def test_a_scheme_that_does_not_serve_the_modality(modality, name):
    with pytest.raises(EncoderError, match=f"no {modality} encoder"):
        open_encoder(modality, name)


def test_sets():
    assert sorted(PRESETS) == ["embedded", "netflix", "open"]
    assert preset("netflix").text == "openai:text-embedding-3-large?dimensions=768"
    with pytest.raises(
        EncoderError, match=r"set of encoders 'netflx' \(did you mean 'netflix'\?\)"
    ):
        preset("netflx")


def test_what_is_left_open_is_the_catalogs():
    held = {"video": "hf:a/b@c", "text": "use-multilingual", "audience": "csv:s.csv"}
    choice = EncoderChoice(text="hf:d/e").over(held)
    assert choice.names == {
        "video": "hf:a/b@c",
        "audio": "none",
        "text": "hf:d/e",
        "audience": "csv:s.csv",
    }
    assert EncoderChoice().over({}).names == PRESETS["embedded"].names
    # Imported vectors were made by nobody we know.
    assert EncoderChoice().over({"video": "shots:video"}).video == "efficientnet-lite2"


OWN = """
import numpy as np
from mediafm.encoders import EncoderInfo

class Loudness:
    info = EncoderInfo("loudness", "loudness", 1, {"version": "1"})

    def __init__(self, gain="1"):
        self.gain = float(gain)

    def encode_shots(self, title):
        return np.ones((len(title.shots), 1)) * self.gain, np.ones(len(title.shots), bool)

    def sources(self, title_id):
        return ""
"""


def test_an_encoder_of_the_users_own(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN)
    name = f"py:{file}:Loudness?gain=3"
    source = open_encoder("loudness", name)
    assert (source.info.name, source.info.dim) == (name, 1)
    assert source.load(("cpu",)).gain == 3
    with pytest.raises(EncoderError, match="encodes loudness, not video"):
        open_encoder("video", name)
    assert source.load(("cpu",)).info == source.info
    for wrong in (f"py:{file}:Nothing", f"py:{tmp_path}/none.py:A", "py:no.such.module:A"):
        with pytest.raises(EncoderError, match="cannot be imported"):
            open_encoder("loudness", wrong)
    with pytest.raises(EncoderError, match="is no encoder: it has no attribute info"):
        open_encoder("loudness", "py:pathlib:Path")


def own(tmp_path, text=OWN, name="own.py"):
    (tmp_path / name).write_text(text)
    return f"py:{tmp_path / name}:Loudness"


def test_options_and_code_of_an_own_encoder_are_part_of_its_fingerprint(tmp_path):
    name = own(tmp_path)
    seen = [open_encoder("loudness", f"{name}{o}").info for o in ("", "?gain=1", "?gain=5")]
    assert len({info.fingerprint for info in seen}) == 3
    assert seen[2].settings["?gain"] == "5"
    assert open_encoder("loudness", name).info == seen[0]
    # Edited at once, and not a byte longer: no cache of compiled code gives the old one.
    own(tmp_path, OWN.replace("* self.gain", "+ self.gain"))
    edited = open_encoder("loudness", name)
    assert edited.info.fingerprint != seen[0].fingerprint
    view = TitleView("t", "", [Shot(0, Span(0, US))], [], list)
    assert edited.load(("cpu",)).encode_shots(view)[0] == 2
    own(tmp_path, name="moved.py")
    moved = open_encoder("loudness", f"py:{tmp_path}/moved.py:Loudness")
    assert moved.info.fingerprint == seen[0].fingerprint


def test_an_own_encoder_is_found_from_another_folder(tmp_path, monkeypatch):
    name = own(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    info = open_encoder("loudness", "py:../own.py:Loudness").info
    monkeypatch.chdir("/")
    assert open_encoder("loudness", info.name).info == info
    assert info.fingerprint == open_encoder("loudness", name).info.fingerprint


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("undefined_name\n", "cannot be imported (NameError: name 'undefined_name'"),
        ("1 / 0\n", "cannot be imported (ZeroDivisionError: division by zero)"),
        ("def\n", "cannot be imported (SyntaxError: "),
        ("raise SystemExit(2)\n", "cannot be imported (SystemExit: 2)"),
    ],
)
def test_code_that_fails_is_one_line(tmp_path, text, line):
    name = own(tmp_path, text)
    with pytest.raises(EncoderError) as caught:
        open_encoder("loudness", name)
    assert str(caught.value).startswith(f"{name}: {line}")
    assert "\n" not in str(caught.value)


def test_an_own_encoder_that_cannot_be_made(tmp_path):
    name = own(tmp_path)
    for option, words in (("?gian=3", "TypeError: .*'gian'"), ("?gain=x", "ValueError: could not")):
        with pytest.raises(EncoderError, match=rf"own\.py.*: cannot be made \({words}"):
            open_encoder("loudness", name + option).load(("cpu",))
    wide = "        self.info = EncoderInfo('loudness', 'loudness', 2)\n"
    name = own(tmp_path, OWN.replace("    def encode_shots", f"{wide}\n    def encode_shots"))
    with pytest.raises(EncoderError, match="gives vectors of 2 numbers, its class says 1"):
        open_encoder("loudness", name).load(("cpu",))


@pytest.mark.parametrize("dim", ["4.0", "0", "-3", "'4'", "True"])
def test_a_width_that_is_none(tmp_path, dim):
    file = tmp_path / "own.py"
    file.write_text(OWN.replace('"loudness", 1,', f'"loudness", {dim},'))
    with pytest.raises(EncoderError, match=r"says that it is .* wide"):
        open_encoder("loudness", f"py:{file}:Loudness")


# Batches


@given(st.lists(st.integers(0, 500), max_size=60), st.integers(1, 2000), st.integers(1, 20))
def test_batches_hold_every_input_once_and_no_more_than_allowed(lengths, budget, most):
    batches = by_length(lengths, budget, most)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[i] for i in batch)
        assert len(batch) == 1 or len(batch) * max(longest, 1) <= budget
        assert len(batch) <= most


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 200))
def test_equal_lengths_are_equal(lengths, budget):
    batches = equal_lengths(lengths, budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len({lengths[i] for i in batch}) == 1
        assert len(batch) == 1 or len(batch) * lengths[batch[0]] <= budget


# Devices


def test_devices():
    assert resolve_devices("cpu") == ("cpu",)
    assert resolve_devices("cpu, cpu") == ("cpu", "cpu")
    assert resolve_devices("auto")
    with pytest.raises(EncoderError, match="no device 'gpu'; choose from cpu"):
        resolve_devices("gpu")
    with pytest.raises(EncoderError, match="no precision 'half'"):
        torch_dtype("half")


def test_replicas_share_the_work_in_order():
    busy, most, lock = set(), [], threading.Lock()

    def work(model, batch):
        with lock:
            assert model not in busy  # one batch at a time on a device
            busy.add(model)
            most.append(len(busy))
        time.sleep(0.01)
        with lock:
            busy.remove(model)
        return batch * 2

    replicas = Replicas(str, ("a", "b", "c"))
    assert replicas.map(work, range(30)) == [2 * i for i in range(30)]
    assert max(most) > 1
    assert Replicas(str, ("a",)).map(work, range(3)) == [0, 2, 4]


def test_an_error_on_one_replica_is_raised():
    def fail(model, batch):
        raise ValueError(batch)

    with pytest.raises(ValueError, match="0"):
        Replicas(str, ("a", "b")).map(fail, range(4))


def test_the_example_of_an_own_encoder():
    file = Path(__file__).parents[2] / "examples" / "pace.py"
    encoder = open_encoder("pace", f"py:{file}:Pace").load(("cpu",))
    shots = [Shot(0, Span(0, 2 * US)), Shot(1, Span(2 * US, 3 * US))]
    view = TitleView("t", "", shots, [Cue(Span(0, US), "four")], lambda: [None, None])
    x_ND, present_N = encoder.encode_shots(view)
    np.testing.assert_allclose(x_ND, [[np.log(2), np.log1p(2)], [0, 0]], rtol=1e-6)
    assert present_N.all()
