"""Masked Shot Modeling: training, evaluation and the verdict."""

from mediafm.pretrain.build import FeatureSource
from mediafm.pretrain.cache import cached_store
from mediafm.pretrain.config import TrainConfig
from mediafm.pretrain.estimate import Estimate
from mediafm.pretrain.evaluate import Scores, evaluate
from mediafm.pretrain.store import ShotStore
from mediafm.pretrain.train import PretrainResult, estimate_run, pretrain
from mediafm.pretrain.verdict import Verdict, judge

__all__ = [
    "Estimate",
    "FeatureSource",
    "PretrainResult",
    "Scores",
    "ShotStore",
    "TrainConfig",
    "Verdict",
    "cached_store",
    "estimate_run",
    "evaluate",
    "judge",
    "pretrain",
]
