"""Training runs: what they learn, what they leave, how they stop and go on."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from run_kit import QUICK, TINY, Interrupting, Said, events, losses, weights
from shot_kit import DIMS, make_titles

from mediafm.catalog.records import EncoderRecord, TitleRecord
from mediafm.errors import CatalogError, MediaFMError, ModelError
from mediafm.model import MediaFM
from mediafm.pretrain import TrainConfig, pretrain
from mediafm.pretrain.run import CHECKPOINTS

STRUCTURED = make_titles(40, 30, noise=1.5)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run on structured titles that several tests look at."""
    config = TrainConfig(steps=60, batch_shots=256, eval_every=20, val_fraction=0.25)
    out = tmp_path_factory.mktemp("run") / "model"
    return pretrain(STRUCTURED, out, config), config


def test_context_wins_on_structured_titles(finished):
    result, _ = finished
    curve = [loss for _, loss in losses(result.out)]
    assert np.mean(curve[-10:]) < np.mean(curve[:10]) - 0.02
    assert result.verdict.outcome == "context wins", result.verdict.text
    assert result.verdict.titles == 10


def test_a_run_leaves_a_model_a_log_and_no_checkpoints(finished):
    result, config = finished
    names = {p.name for p in result.out.iterdir()}
    assert names == {
        "README.md",
        "config.json",
        "log.jsonl",
        "model.safetensors",
        "run.json",
        "training.json",
    }
    step = events(result.out, "step")[0]
    assert {"step", "epoch", "loss", "gradient", "shots_per_s", "waiting"} <= set(step)
    assert step["gflop_per_s"] > 0
    peaks = config.rates(result.model.config.hidden)
    for name, peak in zip(("muon_lr", "adam_lr"), peaks, strict=True):
        rates = [line[name] for line in events(result.out, "step")]
        assert max(rates) == pytest.approx(peak, rel=0.05)
        assert min(rates) < max(rates)
    assert len(events(result.out, "validate")) >= 3
    assert result.verdict.text in (result.out / "README.md").read_text()
    summary = json.loads((result.out / "training.json").read_text())
    assert summary["settings"]["mask_ratio"] == config.mask_ratio
    assert summary["data"]["train_titles"] == 30
    again = MediaFM.from_pretrained(result.out)
    assert again.fingerprint == result.model.fingerprint


def test_a_finished_run_is_not_done_again(finished):
    result, config = finished
    before = weights(result.out)
    again = pretrain(STRUCTURED, result.out, config)
    assert not again.fresh
    assert again.verdict == result.verdict
    assert weights(result.out) == before


def test_other_settings_or_data_are_refused(finished):
    result, config = finished
    with pytest.raises(ModelError, match=r"settings\.seed was 0, is 5.*another folder"):
        pretrain(STRUCTURED, result.out, dataclasses.replace(config, seed=5))
    with pytest.raises(ModelError, match=r"data\.titles was 40, is 39"):
        pretrain(STRUCTURED[:-1], result.out, config)


def test_statistics_come_from_the_training_side(finished):
    result, _ = finished
    held = set(result.model.summary["data"]["val_title_ids"])
    train = [t for t in STRUCTURED if t.title_id not in held]
    shown = np.concatenate([t.features["video"][t.present["video"]] for t in train])
    mean = result.model.fusion.mean_F[: DIMS["video"]].numpy()
    assert np.allclose(mean, shown.astype(np.float64).mean(axis=0), atol=1e-4)


def test_noise_gives_a_negative_verdict(tmp_path):
    result = pretrain(
        make_titles(16, structured=False),
        tmp_path / "model",
        TrainConfig(steps=30, batch_shots=256, eval_every=10, val_fraction=0.3),
    )
    assert result.verdict.outcome == "no gain", result.verdict.text
    assert "--features fused" in result.verdict.text


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path):
    titles = make_titles(8)
    handler = signal.getsignal(signal.SIGINT)  # a background job may have it ignored
    whole = pretrain(titles, tmp_path / "whole", QUICK)
    # Steps 6 and 10 are no multiples of checkpoint_every; the second part resumes the first.
    with pytest.raises(KeyboardInterrupt):
        pretrain(titles, tmp_path / "parts", QUICK, Interrupting(6, signal.SIGINT))
    assert [p.name for p in (tmp_path / "parts" / CHECKPOINTS).iterdir()][-1:]
    with pytest.raises(SystemExit) as stopped:
        pretrain(titles, tmp_path / "parts", QUICK, Interrupting(10, signal.SIGTERM))
    assert stopped.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is handler
    torch.manual_seed(999)  # whatever happened in between
    parts = pretrain(titles, tmp_path / "parts", QUICK)
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    assert parts.verdict == whole.verdict
    assert losses(parts.out) == losses(whole.out)


def test_sigterm_writes_a_checkpoint_in_another_process(tmp_path):
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import torch; torch.set_num_threads(1)\n"
        "from pathlib import Path\n"
        "from shot_kit import make_titles\n"
        "from mediafm.pretrain import TrainConfig, pretrain\n"
        "config = TrainConfig(steps=100_000, checkpoint_every=100_000, patience=10_000)\n"
        f"pretrain(make_titles(8), Path({str(tmp_path / 'out')!r}), config)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    log = tmp_path / "out" / "log.jsonl"
    try:
        for _ in range(600):
            if log.exists() and '"step": 3' in log.read_text():
                break
            time.sleep(0.1)
        process.terminate()
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143, errors
    assert "Traceback" not in errors
    (place,) = (tmp_path / "out" / CHECKPOINTS).iterdir()
    assert json.loads((place / "state.json").read_text())["step"] >= 3


def test_one_title_trains_but_is_not_judged(tmp_path):
    result = pretrain(make_titles(1, 40), tmp_path / "out", QUICK)
    assert result.verdict.outcome == "unknown"
    assert "only one title" in result.verdict.text
    assert result.steps == QUICK.steps


def test_one_series_is_split_by_title_and_said_so(tmp_path):
    result = pretrain(make_titles(8, series="s"), tmp_path / "out", QUICK)
    assert "one series" in result.verdict.text


def narrow(name):
    return dataclasses.replace(make_titles(1, dims={"video": 7})[0], title_id=name)


@pytest.mark.parametrize(
    ("titles", "words"),
    [
        ([], "no features"),
        (make_titles(2, 5), "at least 20"),
        (make_titles(12, 1), "0 training titles hold 0 shots"),
        ([*make_titles(3), narrow("zz")], "zz: video features are 7 wide, others 24"),
        ([*make_titles(3), narrow("title01")], "two titles of this name"),
    ],
)
def test_what_cannot_be_trained_on_is_one_line(tmp_path, titles, words):
    with pytest.raises(CatalogError, match=words) as error:
        pretrain(titles, tmp_path / "out", QUICK)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("mask_ratio", 0.0),
        ("mask_span", 0.5),
        ("hide_ratio", 1.0),
        ("modality_dropout", -0.1),
        ("val_fraction", 1.0),
        ("steps", 0),
        ("workers", 0),
        ("micro_shots", 0),
        ("window", 1),
        ("window", 600),
        ("adam_lr", 0.0),
        ("precision", "fp8"),
        ("seed", 10**20),
        ("split_seed", 10**20),
        ("workers", 100_000),
    ],
)
def test_options_out_of_bounds_are_refused(option, value):
    with pytest.raises(ModelError, match=option) as error:
        TrainConfig(**{option: value})
    assert "\n" not in str(error.value)


def test_a_modality_that_is_not_there_is_refused():
    with pytest.raises(CatalogError, match=r"no smell features.*video, audio, text"):
        pretrain(make_titles(4), Path("nowhere"), TrainConfig(modalities=("smell",)))


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(ModelError, match="holds no training run"):
        pretrain(make_titles(4), tmp_path, QUICK)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(MediaFMError):
        pretrain(make_titles(4), tmp_path / "thesis.txt", QUICK)


def test_no_such_device(tmp_path):
    with pytest.raises(ModelError, match="no device 'abacus'"):
        pretrain(make_titles(4), tmp_path / "a", dataclasses.replace(QUICK, device="abacus"))
    with pytest.raises(ModelError, match="nothing was tried on device 'meta'"):
        pretrain(make_titles(4), tmp_path / "a", dataclasses.replace(QUICK, device="meta"))


def test_a_model_beyond_memory_is_one_line(tmp_path, monkeypatch):
    config = dataclasses.replace(QUICK, size="64x640000")

    def refuse(config):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    monkeypatch.setattr("mediafm.pretrain.trainer.MediaFM", refuse)  # some machines would try
    with pytest.raises(ModelError, match="does not fit in memory; choose a smaller one"):
        pretrain(make_titles(8), tmp_path / "a", config)


class Source:
    """A catalog, as far as training looks at it."""

    uri = "somewhere"

    def titles(self):
        return [TitleRecord(t.title_id, t.ingest_id, shots=len(t)) for t in make_titles(6)]

    def feature_versions(self):
        return {}

    def encoders(self):
        return {m: EncoderRecord(m, f"{m} encoder", f"print-{m}", d) for m, d in DIMS.items()}

    def metadata_encoder(self):
        return EncoderRecord("metadata", "writer", "print-metadata", DIMS["text"])

    def title_features(self, ids=None):
        return (t for t in make_titles(6) if ids is None or t.title_id in ids)


def test_fingerprints_of_a_catalog_are_recorded(tmp_path):
    config = dataclasses.replace(QUICK, steps=2, modalities=("audio", "video"))
    model = pretrain(Source(), tmp_path / "out", config).model
    assert list(model.config.modalities) == ["audio", "video"]
    assert model.config.modalities["video"].encoder == "print-video"
    assert model.config.metadata["synopsis"].encoder == "print-metadata"


@pytest.mark.parametrize("treatment", ["raw", "unit"])
def test_other_treatments_train(tmp_path, treatment):
    config = dataclasses.replace(QUICK, steps=4, treatment=treatment, metadata=())
    result = pretrain(make_titles(6), tmp_path / "out", config)
    assert result.model.config.modalities["video"].treatment == treatment
    assert not result.model.config.metadata


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_either_precision_trains(tmp_path, precision):
    options = {"precision": precision, "steps": 40, "eval_every": 40, "batch_shots": 256}
    config = dataclasses.replace(TINY, **options)
    out = pretrain(make_titles(12), tmp_path / "out", config).out
    (start,) = events(out, "start")
    assert start["precision"] == {"fp32": "float32", "bf16": "bfloat16"}[precision]
    curve = [loss for _, loss in losses(out)]
    assert np.isfinite(curve).all()
    assert np.mean(curve[-8:]) < np.mean(curve[:8])
    model = MediaFM.from_pretrained(out)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


EVERYTHING = dataclasses.replace(
    TINY,
    optimizer="adamw",
    mask_span=3.0,
    hide_ratio=0.2,
    modality_dropout=0.2,
    metadata_dropout=0.5,
    treatment="standardised",
    positions="seconds",
    absent="learned",
    fusion="late",
    window=16,
    max_shots=20,
    micro_shots=20,
    precision="bf16",
    workers=3,
    val_groups=("title00", "title03"),
)


def test_all_options_at_once_train(tmp_path):
    result = pretrain(make_titles(8), tmp_path / "out", EVERYTHING)
    assert result.steps == EVERYTHING.steps
    assert np.isfinite([loss for _, loss in losses(result.out)]).all()
    assert result.model.summary["data"]["val_title_ids"] == ["title00", "title03"]
    config = MediaFM.from_pretrained(result.out).config
    assert (config.fusion, config.absent, config.positions) == ("late", "learned", "seconds")
    assert (config.max_shots, config.overlap) == (20, 10)
    assert config.modalities["text"].treatment == "standardised"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_layers_train_alike(tmp_path):
    config = dataclasses.replace(TINY, steps=4, dropout=0.0, precision="fp32")
    plain = pretrain(make_titles(6), tmp_path / "plain", config)
    config = dataclasses.replace(config, compile=True)
    compiled = pretrain(make_titles(6), tmp_path / "compiled", config)
    curve = [(step, pytest.approx(loss, abs=1e-4)) for step, loss in losses(plain.out)]
    assert losses(compiled.out) == curve
    again = MediaFM.from_pretrained(compiled.out)
    assert again.fingerprint == compiled.model.fingerprint


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_missing_tensorboard_is_one_line_and_the_run_goes_on_without(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    config = dataclasses.replace(TINY, steps=2, tensorboard=True)
    with pytest.raises(ModelError, match=r"TensorBoard is not installed.*pip install") as error:
        pretrain(make_titles(6), tmp_path / "out", config)
    assert "\n" not in str(error.value)
    config = dataclasses.replace(config, tensorboard=False)
    assert pretrain(make_titles(6), tmp_path / "out", config).fresh


def test_a_modality_that_no_shot_has_is_left_out_and_said(tmp_path):
    titles, config = make_titles(6), dataclasses.replace(TINY, steps=2)
    for title in titles:
        title.present["audio"][:] = False
        title.features["audio"][:] = 0
    said = Said()
    model = pretrain(titles, tmp_path / "out", config, said).model
    assert list(model.config.modalities) == ["video", "text"]
    assert "no shot has audio features: the model goes without" in said.lines
    asked = dataclasses.replace(config, modalities=("video", "audio"))
    with pytest.raises(CatalogError, match=r"no shot has audio features.*video, text"):
        pretrain(titles, tmp_path / "asked", asked)


def test_a_learning_rate_too_high_is_one_line(tmp_path):
    config = dataclasses.replace(TINY, adam_lr=1e30, optimizer="adamw", warmup=0.0)
    with pytest.raises(ModelError, match=r"gradient is not finite at step \d+.*lower"):
        pretrain(make_titles(6), tmp_path / "out", config)


def test_validation_titles_without_two_shots_of_a_modality(tmp_path):
    """Nothing can be measured on them, which is no reason to stop or to fail."""
    titles = make_titles(8)
    titles[-1].present["text"][1:] = False
    config = dataclasses.replace(
        QUICK, modalities=("text",), val_groups=(titles[-1].group,), val_fraction=0.0
    )
    result = pretrain(titles, tmp_path / "out", config)
    assert result.steps == QUICK.steps
    assert result.verdict.outcome == "unknown"


def test_places_that_would_never_be_learned_are_refused(tmp_path):
    config = dataclasses.replace(QUICK, positions="learned", window=16)
    with pytest.raises(ModelError, match=r"beyond a window of 16 .*; set max_shots to 16 too"):
        pretrain(make_titles(8), tmp_path / "out", config)
    short = dataclasses.replace(config, max_shots=16)
    assert pretrain(make_titles(8), tmp_path / "out", short).model.config.max_shots == 16
