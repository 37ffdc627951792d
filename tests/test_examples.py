"""The examples run."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mediafm.sample import generate

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.parent.name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def shots(path: Path) -> Path:
    """Five small seasons in the columns of the real file."""
    rng, rows = np.random.default_rng(0), []
    for season in range(1, 6):
        for episode in range(1, 4):
            for half in "ab":
                place = 0
                for shot in range(20):
                    new = bool(shot and rng.random() < 0.2)
                    place = int(rng.integers(0, 2)) if new else place
                    rows.append(
                        {
                            "title_id": f"s{season:02d}e{episode:02d}{half}",
                            "series_id": "sitcom",
                            "season": season,
                            "shot": shot,
                            "start": shot * 3_000_000,
                            "end": (shot + 1) * 3_000_000,
                            "text": None if shot % 4 == 3 else rng.normal(size=8).tolist(),
                            "video": (rng.normal(size=6) + 2 * place).tolist(),
                            "audio": (rng.normal(size=4) + 2 * new).tolist(),
                            "location": None if shot == 7 else f"place {place}",
                            "segment_boundary": new,
                            "boundary_types": ["goal_change", "location"][: 1 + place]
                            if new
                            else [],
                        }
                    )
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.slow
def test_the_sitcom_example(tmp_path, monkeypatch):
    example = load(EXAMPLES / "sitcom" / "run.py")
    monkeypatch.setattr(example, "RECIPE", {"steps": 4})
    monkeypatch.setattr(example, "RECORDS", tmp_path / "season5.jsonl")
    file = shots(tmp_path / "shots.parquet")

    def run(*options):
        arguments = ["run.py", str(file), "--out", str(tmp_path / "out"), "--seeds", "0", *options]
        monkeypatch.setattr(sys, "argv", [*arguments, "--quick"])
        example.main()

    run()
    found = json.loads((tmp_path / "out" / "validation.json").read_text())
    assert [task["name"] for task in found["tasks"]] == ["location", "boundary", "boundary-types"]
    assert not (tmp_path / "season5.jsonl").exists()
    # Validation knows nothing of season 5, not even its labels.
    assert "s05" not in (tmp_path / "out" / "validation.csv").read_text()
    run("--season5")
    run("--season5")
    lines = [json.loads(line) for line in (tmp_path / "season5.jsonl").read_text().splitlines()]
    assert len(lines) == 2
    assert lines[0]["figures"] == lines[1]["figures"]  # nothing was measured anew
    figures = lines[0]["figures"]["boundary"]
    assert figures["audio"]["interval"][0] > 0.5
    assert figures["text"]["interval"][0] < figures["audio"]["interval"][0]
    assert (tmp_path / "out" / "season5.html").exists()


@pytest.mark.slow
def test_the_tour(tmp_path, monkeypatch):
    tour = load(EXAMPLES / "tour.py")
    monkeypatch.setattr(tour, "generate", lambda out: generate(out, titles=10, seconds=40))
    docs = tmp_path / "docs"
    [film] = generate(tmp_path / "one", titles=1, seconds=75)  # pretraining needs 20 shots
    out = ["tour.py", str(tmp_path / "tour"), "--film", str(film), "--docs", str(docs)]
    monkeypatch.setattr(sys, "argv", out)
    tour.main()
    page = (docs / "tour.md").read_text()
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", page)
    assert len(pictures) == 10
    for name in pictures:
        with Image.open(docs / name) as image:
            assert image.width == 1800
    commands = set(re.findall(r"^\$ mediafm (\w+(?: [a-z-]+)?)", page, flags=re.MULTILINE))
    wanted = {"search", "similar", "scenes", "arc", "suggest clips", "suggest artwork",
              "suggest ad-breaks", "suggest tags", "suggest cold-start", "suggest accept",
              "export clips", "export tags", "export ad-breaks", "export embeddings"}  # fmt: skip
    assert wanted <= {command for found in commands for command in (found, found.split()[0])}
    assert str(tmp_path) not in page
