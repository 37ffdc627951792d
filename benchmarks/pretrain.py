r"""How fast we train, beside the straightforward way, in one run on the same shots.

    python benchmarks/pretrain.py                                  # a CPU, 4 layers of 256
    python benchmarks/pretrain.py --only ours --size netflix --device cuda \\
        --shots 1000000 --batch-shots 65536 --steps 40             # an NVIDIA data-centre GPU

Contenders, alternating for some rounds, each with the same network size and the same windows of
titles of log-uniform length (30 to 1,500 shots, cut at 512):

- plain: ``BertModel`` of transformers behind a linear projection, batches of titles in random
  order padded to their longest, AdamW, a plain ``DataLoader`` over shots that are fused before and
  lie in memory;
- sorted: the same with titles of similar length in a batch;
- ours: ``mediafm.pretrain.pretrain`` itself from a training cache on the disk, fusion included, in
  fp32 and in bfloat16.

Counted are real shots, not padding, per second of training without validation. Utilisation is the
arithmetic that a shot needs (``mediafm.pretrain.flops``) over that of a large matrix product in
the same run. ``waiting`` is the share of the time in which the next batch was not ready.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mediafm.catalog.records import EncoderRecord, TitleFeatures, TitleRecord
from mediafm.model import ModelConfig
from mediafm.model.device import find_device
from mediafm.pretrain import ShotStore, TrainConfig, pretrain
from mediafm.pretrain.build import build_store
from mediafm.pretrain.flops import attended, flops_per_shot
from mediafm.pretrain.train import configure
from mediafm.progress import Silent

DIMS = {"video": 768, "audio": 768, "text": 768}
LONGEST, WINDOW, MASKED = 1500, 512, 0.2


class Source:
    """A catalog of random shots, as far as a training cache looks at it.

    Args:
        shots: About how many.
    """

    uri = "random"

    def __init__(self, shots: int):
        rng = np.random.default_rng(0)
        self._shots: list[int] = []
        while sum(self._shots) < shots:
            self._shots.append(round(math.exp(rng.uniform(math.log(30), math.log(LONGEST)))))

    def titles(self) -> list[TitleRecord]:
        """All titles."""
        return [TitleRecord(f"t{i:07}", f"i{i}", shots=n) for i, n in enumerate(self._shots)]

    def encoders(self) -> dict[str, EncoderRecord]:
        """Random numbers are what they are."""
        return {name: EncoderRecord(name, "random", "0", dim) for name, dim in DIMS.items()}

    def metadata_encoder(self) -> None:
        """None."""

    def feature_versions(self) -> dict[str, int]:
        """Nothing changes."""
        return {}

    def title_features(self, ids: Any = None) -> Iterator[TitleFeatures]:
        """Random features, all modalities present."""
        for title in self.titles():
            rng = np.random.default_rng(int(title.title_id[1:]))
            edges = np.arange(title.shots + 1) * 4_000_000
            yield TitleFeatures(
                title.title_id,
                title.ingest_id,
                title.title_id,
                np.stack([edges[:-1], edges[1:]], axis=1),
                {
                    name: rng.standard_normal((title.shots, dim), np.float32).astype(np.float16)
                    for name, dim in DIMS.items()
                },
                {name: np.ones(title.shots, np.bool_) for name in DIMS},
            )


class Plain(nn.Module):
    """What one writes in an afternoon: BERT between two projections."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        from transformers import BertConfig, BertModel

        bert = BertConfig(
            vocab_size=1,
            hidden_size=config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.mlp_ratio * config.hidden,
            max_position_embeddings=WINDOW + 2,
            hidden_dropout_prob=config.dropout,
            attention_probs_dropout_prob=0.0,  # as ours; with it the CPU has no fused kernel
        )
        self.input = nn.Linear(config.fused, config.hidden)
        self.mask = nn.Parameter(torch.zeros(config.hidden))
        self.bert = BertModel(bert, add_pooling_layer=False)
        self.output = nn.Linear(config.hidden, config.fused)

    def forward(self, x_WLF: Tensor, here_WL: Tensor, masked_WL: Tensor) -> Tensor:
        """Mean cosine distance at the masked shots."""
        e_WLH = torch.where(masked_WL[..., None], self.mask, self.input(x_WLF))
        h_WLH = self.bert(inputs_embeds=e_WLH, attention_mask=here_WL.long()).last_hidden_state
        y_PF = self.output(h_WLH[masked_WL]).float()
        return 1 - F.cosine_similarity(y_PF, x_WLF[masked_WL].float()).mean()


class Windows(torch.utils.data.Dataset[Tensor]):
    """Fused windows in memory, float16."""

    def __init__(self, store: ShotStore):
        rows = np.concatenate([_read(store, name).astype(np.float32) for name in DIMS], axis=1)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        self.parts = [
            torch.from_numpy(rows[t.first + a : t.first + min(a + WINDOW, t.shots)]).half()
            for t in store.titles
            for a in range(0, t.shots, WINDOW)
        ]

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: int) -> Tensor:
        return self.parts[index]


def _read(store: ShotStore, name: str) -> np.ndarray[Any, Any]:
    x_SD = np.empty((len(store), DIMS[name]), np.float16)
    store.read(name, [(0, len(store))], x_SD, np.empty(len(store), np.bool_))
    return x_SD


def collate(parts: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Pads to the longest."""
    x_WLF = nn.utils.rnn.pad_sequence(parts, batch_first=True).float()
    here_WL = torch.arange(x_WLF.shape[1]) < torch.tensor([len(p) for p in parts])[:, None]
    return x_WLF, here_WL


def plain(
    windows: Windows,
    config: ModelConfig,
    options: argparse.Namespace,
    dtype: torch.dtype,
    ordered: bool,
) -> float:
    """Real shots per second of the plain way."""
    torch.manual_seed(0)
    device = find_device(options.device)
    model = Plain(config).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.1)
    mean = statistics.mean(map(len, windows.parts))
    size = max(1, round(options.batch_shots / mean))
    order = torch.randperm(len(windows)).tolist()
    if ordered:
        order.sort(key=lambda i: len(windows.parts[i]))
    batches = [order[i : i + size] for i in range(0, len(order), size)]
    batches = [batches[i] for i in torch.randperm(len(batches)).tolist()]
    loader = torch.utils.data.DataLoader(windows, batch_sampler=batches, collate_fn=collate)
    cast: AbstractContextManager[None] = torch.autocast(
        device.type, dtype, enabled=dtype != torch.float32
    )
    speeds = []
    since = time.perf_counter()
    for step, (x_WLF, here_WL) in enumerate(loader):
        masked_WL = here_WL & (torch.rand(here_WL.shape) < MASKED)
        x, here, masked = (a.to(device) for a in (x_WLF, here_WL, masked_WL))
        with cast:
            loss = model(x, here, masked)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        now = time.perf_counter()
        speeds.append((int(here_WL.sum()), now - since))
        since = now
        if step + 1 >= options.steps + options.settle:
            break
    return _rate(speeds[options.settle :])


def ours(store: ShotStore, options: argparse.Namespace, precision: str) -> tuple[float, float]:
    """Real shots per second of ours, and the share of the time spent waiting for data."""
    with tempfile.TemporaryDirectory() as folder:
        result = pretrain(store, Path(folder) / "model", _config(options, precision))
        log = [json.loads(line) for line in result.log.read_text().splitlines()]
    steps = [line for line in log if line["event"] == "step"][options.settle :]
    seconds = sum(s["seconds"] for s in steps)
    waiting = sum(s["waiting"] * s["seconds"] for s in steps) / seconds
    return _rate([(s["shots"], s["seconds"]) for s in steps]), waiting


def _config(options: argparse.Namespace, precision: str) -> TrainConfig:
    steps = options.steps + options.settle
    return TrainConfig(
        size=options.size,
        positions="learned",
        metadata=(),
        steps=steps,
        batch_shots=options.batch_shots,
        val_fraction=0.0,
        eval_every=steps,
        checkpoint_every=steps,
        device=options.device,
        precision=precision,  # type: ignore[arg-type]
    )


def _rate(steps: list[tuple[int, float]]) -> float:
    return sum(n for n, _ in steps) / sum(s for _, s in steps)


def peak(dtype: torch.dtype, device: torch.device) -> float:
    """Floating-point operations per second of a large matrix product."""
    n = 8192 if device.type == "cuda" else 4096
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    times = []
    for _ in range(5):
        since = time.perf_counter()
        (a @ b).flatten()[0].item()
        times.append(time.perf_counter() - since)
    return 2 * n**3 / min(times)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="4x256", help="a size of mediafm, or 4x256")
    parser.add_argument("--shots", type=int, default=60_000)
    parser.add_argument("--batch-shots", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=12, help="measured steps in a round")
    parser.add_argument("--settle", type=int, default=3, help="steps before, not measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", default="", help="contenders whose name begins so: ours")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with (
        tempfile.TemporaryDirectory() as folder,
        build_store(Source(options.shots), Path(folder) / "cache", Silent()) as store,
    ):
        run(store, options)


def run(store: ShotStore, options: argparse.Namespace) -> None:
    """All rounds, then the table."""
    config, device = configure(store, _config(options, "fp32")), find_device(options.device)
    windows = None if options.only.startswith("ours") else Windows(store)
    flops = flops_per_shot(config, MASKED, attended([t.shots for t in store.titles], WINDOW))
    contenders: dict[str, Callable[[], tuple[float, float]]] = {}
    for word, dtype, precision in (
        ("fp32", torch.float32, "fp32"),
        ("bf16", torch.bfloat16, "bf16"),
    ):
        for name, ordered in (("plain", False), ("sorted", True)):
            contenders[f"{name} {word}"] = lambda d=dtype, o=ordered: (  # type: ignore[misc]
                plain(windows, config, options, d, o),  # type: ignore[arg-type]
                0.0,
            )
        contenders[f"ours {word}"] = lambda p=precision: ours(store, options, p)  # type: ignore[misc]
    contenders = {k: run for k, run in contenders.items() if k.startswith(options.only)}
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    waits: dict[str, list[float]] = {name: [] for name in contenders}
    peaks: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for _ in range(options.rounds):
        for word, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            peaks[word].append(peak(dtype, device))
        for name, contender in contenders.items():
            speed, waiting = contender()
            speeds[name].append(speed)
            waits[name].append(waiting)
    top = {word: statistics.median(values) for word, values in peaks.items()}
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    print(
        f"{time.strftime('%Y-%m-%d')}, {chip}, {options.threads} threads, torch {torch.__version__}"
    )
    print(
        f"{config.layers} layers of {config.hidden}, fused {config.fused}, "
        f"{len(store.titles)} titles with {len(store):,} shots, batches of about "
        f"{options.batch_shots} shots, {options.rounds} rounds of {options.steps} steps"
    )
    print(
        f"{flops / 1e6:.0f} MFLOP per shot; matrix product "
        + ", ".join(f"{word} {value / 1e9:,.0f} GFLOP/s" for word, value in top.items())
    )
    first = statistics.median(speeds.get("plain fp32", [math.nan]))
    print(
        f"\n{'':12} {'shots/s':>10} {'min':>9} {'max':>9} {'x plain fp32':>13} "
        f"{'GFLOP/s':>9} {'of peak':>8} {'waiting':>8}"
    )
    for name, values in speeds.items():
        median = statistics.median(values)
        used = median * flops
        waiting = f"{statistics.median(waits[name]):8.1%}" if name.startswith("ours") else f"{'':8}"
        print(
            f"{name:12} {median:10,.0f} {min(values):9,.0f} {max(values):9,.0f} "
            f"{median / first:13.2f} {used / 1e9:9,.0f} {used / top[name[-4:]]:8.1%} {waiting}"
        )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return f"{platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
