"""The verdict on real shots: seasons 1-4 of a sitcom, season 5 untouched."""

import pytest

import sitcom
from mediafm.pretrain import TrainConfig, pretrain


@pytest.mark.shared
@pytest.mark.slow
def test_context_beats_every_baseline_on_a_sitcom(shared, tmp_path):
    titles, _ = sitcom.load(shared / "data" / "sitcom-shots.parquet")
    config = TrainConfig(steps=150, batch_shots=1024, eval_every=50)
    verdict = pretrain(titles, tmp_path / "model", config).verdict
    assert verdict.outcome == "context wins", verdict.text
    assert verdict.resampled == "titles"
    assert verdict.margin > 0.01
    assert verdict.median_rank_percent["model"] < verdict.median_rank_percent["nearest"]
