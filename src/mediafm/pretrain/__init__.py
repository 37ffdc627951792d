"""Masked Shot Modeling: training, evaluation and the verdict."""

from mediafm.pretrain.config import TrainConfig
from mediafm.pretrain.evaluate import Scores, evaluate
from mediafm.pretrain.train import FeatureSource, PretrainResult, pretrain
from mediafm.pretrain.verdict import Verdict, judge

__all__ = [
    "FeatureSource",
    "PretrainResult",
    "Scores",
    "TrainConfig",
    "Verdict",
    "evaluate",
    "judge",
    "pretrain",
]
