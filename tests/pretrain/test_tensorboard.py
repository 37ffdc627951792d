"""The log of a run for TensorBoard: the same numbers as in log.jsonl."""

import json
import signal

import pytest
from run_kit import Interrupting
from shot_kit import make_titles

from mediafm.pretrain import TrainConfig, pretrain

pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")

CONFIG = TrainConfig(steps=12, batch_shots=128, eval_every=4, val_fraction=0.25, tensorboard=True)


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    tags = events.Tags()["scalars"]
    return {tag: {e.step: e.value for e in events.Scalars(tag)} for tag in tags}


def test_event_files_hold_what_the_log_holds(tmp_path):
    result = pretrain(make_titles(12), tmp_path / "run", CONFIG)
    lines = [json.loads(line) for line in result.log.read_text().splitlines()]
    read = scalars(result.out)
    losses = {line["step"]: line["loss"] for line in lines if line["event"] == "step"}
    assert len(losses) == 12
    assert read["step/loss"] == pytest.approx(losses)
    for key in ("cosine", "modality/video"):
        outer, _, inner = key.partition("/")
        logged = {
            line["step"]: line[outer][inner] if inner else line[outer]
            for line in lines
            if line["event"] == "validate"
        }
        assert set(logged) == {0, 4, 8, 12}
        assert read[f"validate/{key}"] == pytest.approx(logged)
    assert "validate/baselines/nearest/cosine" in read
    # Spaces in a name are not lost silently either.
    assert any("title" in tag and "mean" in tag for tag in read)


def test_a_resumed_run_has_every_step_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        pretrain(make_titles(12), tmp_path / "run", CONFIG, Interrupting(4, signal.SIGINT))
    result = pretrain(make_titles(12), tmp_path / "run", CONFIG)
    read = scalars(result.out)
    assert sorted(read["step/loss"]) == list(range(1, 13))
    assert sorted(read["validate/cosine"]) == [0, 4, 8, 12]


def test_settings_are_text_and_no_curves(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = pretrain(make_titles(12), tmp_path / "run", CONFIG)
    assert {tag.split("/")[0] for tag in scalars(result.out)} == {"step", "validate"}
    events = EventAccumulator(str(result.out / "tensorboard"))
    events.Reload()
    start = events.Tensors("start/text_summary")[0].tensor_proto.string_val[0].decode()
    assert '"treatment": "standardised"' in start


def test_without_the_option_there_are_no_event_files(tmp_path):
    config = TrainConfig(steps=2, batch_shots=128, eval_every=2, val_fraction=0.25)
    result = pretrain(make_titles(12), tmp_path / "run", config)
    assert not (result.out / "tensorboard").exists()
