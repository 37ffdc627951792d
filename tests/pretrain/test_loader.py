"""Batches: what is in them, and that readers, processes and stops change nothing."""

import dataclasses
import itertools
import os
import threading
import time

import numpy as np
import pytest
import torch
from shot_kit import make_titles

from mediafm.catalog.records import EncoderRecord, TitleRecord
from mediafm.errors import CatalogError
from mediafm.model import MediaFM
from mediafm.pretrain import ShotStore, TrainConfig
from mediafm.pretrain.build import build_store
from mediafm.pretrain.data import Piece, Plan
from mediafm.pretrain.loader import Loader, Reader
from mediafm.pretrain.train import configure
from mediafm.progress import Silent

CPU = torch.device("cpu")
TITLES = make_titles(9, 30)
TITLES[2].metadata.clear()
TITLES[4].present["audio"][:] = False
TITLES[4].features["audio"][:] = 0
CONFIG = TrainConfig(
    size="1",
    window=16,
    batch_shots=60,
    mask_span=2.0,
    hide_ratio=0.1,
    modality_dropout=0.2,
    metadata_dropout=0.3,
)


def reader_of(config=CONFIG, store=None):
    store = store or ShotStore.of_titles(TITLES)
    model = MediaFM(configure(store, config))
    model.fusion.fit(TITLES)
    return Reader(store, model, config, CPU)


def plan_of(config=CONFIG):
    return Plan(range(9), [len(t) for t in TITLES], config.window, config.batch_shots, 7)


def loaded(count, config=CONFIG, reader=None, **place):
    with Loader(reader or reader_of(config), plan_of(config), **place) as loader:
        return list(itertools.islice(loader, count))


def windows_of(parts):
    """Everything that is known of each window, in an order of its own."""
    found = []
    for batch in parts:
        # Rows beyond the shots make up a round number on a CPU; nothing is there.
        rows, n = len(batch.masked_S), len(batch)
        asked_SM = torch.zeros(rows, len(batch.blocks), dtype=torch.bool)
        asked_SM[batch.asked_Q2[:, 0], batch.asked_Q2[:, 1]] = True
        hidden_SM = asked_SM if batch.hidden_SM is None else batch.hidden_SM
        assert torch.equal(batch.masked_P[: batch.masked], batch.masked_S.nonzero()[:, 0])
        assert not (hidden_SM[n:].any() or batch.masked_S[n:].any())
        assert not any(x_SD[n:].any() or here_S[n:].any() for x_SD, here_S in batch.blocks.values())
        columns = [batch.seconds_S, batch.masked_S, hidden_SM, asked_SM]
        for x_SD, present_S in batch.blocks.values():
            columns += [x_SD, present_S]
        at = 0
        for length, m_G in zip(batch.pack.lengths, batch.m_WG, strict=True):
            part, at = slice(at, at + length - 2), at + length - 2
            found.append(tuple(x.numpy().tobytes() for x in [m_G, *(c[part] for c in columns)]))
        assert at == len(batch)
    return sorted(found)


def same(one, two):
    assert [(e, i) for e, i, _ in one] == [(e, i) for e, i, _ in two]
    for (*_, a), (*_, b) in zip(one, two, strict=True):
        assert windows_of(a) == windows_of(b)


def test_a_batch_holds_the_rows_of_the_store():
    titles = sorted(TITLES, key=lambda t: t.title_id)
    reader = reader_of(dataclasses.replace(CONFIG, metadata_dropout=0.0))
    pieces = [Piece(3, 0, 12), Piece(2, 4, 14), Piece(4, 20, 24)]
    batch = reader.batch(pieces, epoch=5)
    assert batch.pack.lengths == (14, 12, 6)
    assert len(batch) == 26
    for name, (x_SD, present_S) in batch.blocks.items():
        rows = [titles[p.title].features[name][p.start : p.end] for p in pieces]
        here = [titles[p.title].present[name][p.start : p.end] for p in pieces]
        assert x_SD.dtype == torch.float16
        assert np.array_equal(x_SD[:26].numpy(), np.concatenate(rows))
        assert np.array_equal(present_S[:26].numpy(), np.concatenate(here))
    times = np.concatenate([titles[p.title].times_N2[p.start : p.end] for p in pieces])
    assert np.array_equal(batch.seconds_S[:26].numpy(), times.mean(axis=1) / 1e6)
    for m_G, piece in zip(batch.m_WG, pieces, strict=True):
        assert torch.equal(m_G, reader.fusion.metadata(titles[piece.title].metadata))
    assert not batch.m_WG[1].any(), "a title without metadata"
    assert (batch.m_WG[[0, 2]].norm(dim=1) > 0.99).all()


def test_masks_follow_the_options():
    plain = dataclasses.replace(CONFIG, mask_span=1.0, hide_ratio=0.0, modality_dropout=0.0)
    pieces = [Piece(0, 0, 16), Piece(1, 0, 10), Piece(3, 5, 9)]
    batch = reader_of(plain).batch(pieces, epoch=0)
    assert batch.hidden_SM is None
    assert batch.asked_Q2.shape == (0, 2)
    assert [int(m.sum()) for m in batch.masked_S[:30].split([16, 10, 4])] == [3, 2, 1]
    batch = reader_of(dataclasses.replace(plain, hide_ratio=0.5)).batch(pieces, epoch=0)
    shot_Q, modality_Q = batch.asked_Q2.unbind(1)
    assert len(shot_Q) == 8 + 5 + 2
    assert batch.hidden_SM[shot_Q, modality_Q].all()
    assert not batch.masked_S[shot_Q].any()
    batch = reader_of(dataclasses.replace(plain, modality_dropout=0.9)).batch(pieces, epoch=0)
    assert batch.hidden_SM.any()
    assert batch.asked_Q2.shape == (0, 2)


def test_masks_change_with_epoch_and_seed_only():
    pieces = [Piece(0, 0, 16), Piece(1, 0, 10)]
    one = windows_of([reader_of().batch(pieces, 1)])
    assert one == windows_of([reader_of().batch(pieces[::-1], 1)]), "the place in a batch"
    assert one != windows_of([reader_of().batch(pieces, 2)])
    assert one != windows_of([reader_of(dataclasses.replace(CONFIG, seed=1)).batch(pieces, 1)])


def test_metadata_is_dropped_as_often_as_said():
    pieces, gone = [Piece(i, 0, 4) for i in (0, 1, 3, 5)], []
    reader = reader_of(dataclasses.replace(CONFIG, metadata_dropout=0.3))
    for epoch in range(150):
        gone += (reader.batch(pieces, epoch).m_WG == 0).all(dim=1).tolist()
    assert np.mean(gone) == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("workers", [2, 5])
def test_batches_do_not_depend_on_the_number_of_readers(workers):
    class Uneven(Reader):
        def batch(self, pieces, epoch):
            time.sleep(0.001 * (len(pieces) * 7 % 5))
            return super().batch(pieces, epoch)

    one = loaded(12, dataclasses.replace(CONFIG, workers=1))
    uneven = reader_of(dataclasses.replace(CONFIG, workers=workers))
    uneven.__class__ = Uneven
    several = loaded(12, reader=uneven)
    assert {epoch for epoch, *_ in one} == {0, 1, 2}
    same(one, several)


def test_reading_goes_on_from_any_place():
    whole = loaded(14)
    for start in (1, 4, 9):
        epoch, index, _ = whole[start]
        same(loaded(4, epoch=epoch, index=index), whole[start : start + 4])
        # What a checkpoint says: the batch after the last one.
        same(loaded(3, epoch=epoch, index=index + 1), whole[start + 1 : start + 4])


@pytest.mark.parametrize("world", [2, 3])
def test_shares_of_processes_hold_the_same_windows_and_masks(world):
    whole = loaded(8)
    shares = [loaded(8, rank=rank, world=world) for rank in range(world)]
    joined = [
        (epoch, index, [batch for s in shares for batch in s[k][2]])
        for k, (epoch, index, _) in enumerate(whole)
    ]
    same(joined, whole)


def test_a_process_may_have_nothing_of_a_batch():
    config = dataclasses.replace(CONFIG, batch_shots=1)
    for rank, parts in ((0, 1), (1, 0), (2, 0)):
        assert {len(p) for *_, p in loaded(6, config, rank=rank, world=3)} == {parts}


def test_portions_hold_the_same_windows_and_masks():
    whole = loaded(8)
    parts = loaded(8, dataclasses.replace(CONFIG, micro_shots=20))
    assert {len(p) for *_, p in whole} == {1}
    assert max(len(p) for *_, p in parts) > 2
    assert all(len(b) <= 20 for *_, p in parts for b in p)
    same(parts, whole)


class Counting(Reader):
    """Reads nothing, counts, and is as slow as wanted."""

    def __init__(self, workers, delay=0.0):
        self.config, self.most = dataclasses.replace(CONFIG, workers=workers), 1000
        self.delay, self.calls = delay, 0

    def batch(self, pieces, epoch):
        self.calls += 1
        time.sleep(self.delay)
        return pieces


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_is_read_ahead_than_said(workers):
    reader = Counting(workers)
    with Loader(reader, plan_of()) as loader:
        for taken, _ in enumerate(itertools.islice(loader, 6), 1):
            # Two more than there are threads, one of which is being worked on.
            until = time.monotonic() + 10
            while reader.calls < taken + workers + 1 and time.monotonic() < until:
                time.sleep(0.001)
            time.sleep(0.02)
            assert reader.calls == taken + workers + 1


def test_waiting_is_measured():
    with Loader(Counting(1, 0.1), plan_of()) as loader:
        list(itertools.islice(loader, 5))
        assert loader.waited > 0.3
    waits = []
    for _ in range(5):  # a busy machine may keep a reader from its work
        with Loader(Counting(2), plan_of()) as loader:
            for _ in itertools.islice(loader, 5):
                time.sleep(0.02)
            waits.append(loader.waited)
    assert min(waits) < 0.1


def readers():
    return [t for t in threading.enumerate() if t.name.startswith("mediafm-loader")]


def test_leaving_in_the_middle_ends_the_threads():
    for workers in (1, 4):
        loaded(1, reader=Counting(workers, 0.01))
        assert not readers()
    with pytest.raises(KeyboardInterrupt), Loader(Counting(2), plan_of()) as loader:
        for _ in loader:
            raise KeyboardInterrupt
    assert not readers()


class Source:
    """A catalog, as far as the cache looks at it."""

    uri = "memory://titles"

    def titles(self):
        return [TitleRecord(t.title_id, t.ingest_id, t.group, shots=len(t)) for t in TITLES]

    def encoders(self):
        return {m: EncoderRecord(m, m, m, x.shape[1]) for m, x in TITLES[0].features.items()}

    def metadata_encoder(self):
        return None

    def feature_versions(self):
        return {}

    def title_features(self, ids=None):
        return (t for t in TITLES if ids is None or t.title_id in ids)


def test_a_store_in_files_gives_the_same_batches_until_it_is_cut_short(tmp_path):
    with build_store(Source(), tmp_path / "cache", Silent()) as store:
        same(loaded(8, reader=reader_of(store=store)), loaded(8))
        reader = reader_of(store=store)
        os.truncate(tmp_path / "cache" / "features-video.f16", 1000)
        with (
            pytest.raises(CatalogError, match=r"features-video\.f16.*cut short") as error,
            Loader(reader, plan_of()) as loader,
        ):
            list(itertools.islice(loader, 20))
    assert "\n" not in str(error.value)
    assert not readers()
