"""The verdict on real shots: seasons 1-4 of a sitcom, season 5 untouched."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mediafm.catalog.records import TitleFeatures
from mediafm.pretrain import TrainConfig, pretrain


def load_titles(path):
    """Titles of seasons 1-4; both halves of an episode are one group."""
    table = pq.read_table(path)
    table = table.filter(pc.less_equal(table["season"], pa.scalar(4, pa.int8())))
    table = table.sort_by([("title_id", "ascending"), ("shot", "ascending")])
    features, present = {}, {}
    for modality in ("text", "video", "audio"):
        column = table[modality].combine_chunks()
        present[modality] = np.asarray(column.is_valid())
        x_ND = np.asarray(column.values).astype(np.float16).reshape(len(table), -1)
        features[modality] = np.where(present[modality][:, None], x_ND, np.float16(0))
    ids = np.asarray(table["title_id"].to_pylist())
    times = np.stack([table["start"].to_numpy(), table["end"].to_numpy()], axis=1)
    titles = []
    for title_id in np.unique(ids):
        rows = ids == title_id
        titles.append(
            TitleFeatures(
                str(title_id),
                "file",
                str(title_id)[:-1],
                times[rows],
                {m: x[rows] for m, x in features.items()},
                {m: p[rows] for m, p in present.items()},
            )
        )
    return titles


@pytest.mark.shared
def test_context_beats_every_baseline_on_a_sitcom(shared, tmp_path):
    titles = load_titles(shared / "data" / "sitcom-shots.parquet")
    config = TrainConfig(steps=80, batch_shots=1024, eval_every=40)
    verdict = pretrain(titles, tmp_path / "model", config).verdict
    assert verdict.outcome == "context wins", verdict.text
    assert verdict.resampled == "titles"
    assert verdict.margin > 0.01
    assert verdict.median_rank_percent["model"] < verdict.median_rank_percent["nearest"]
