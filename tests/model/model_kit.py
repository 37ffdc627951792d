"""A small model for tests."""

import torch
from shot_kit import DIMS, make_titles

from mediafm.model import MediaFM, Modality, ModelConfig


def small_model(*, positions="both", metadata=True, **options):
    torch.manual_seed(0)
    config = ModelConfig(
        {name: Modality(dim) for name, dim in DIMS.items()},
        {"synopsis": Modality(DIMS["text"])} if metadata else {},
        **{"hidden": 32, "layers": 2, "heads": 4, "max_shots": 16, "overlap": 8, **options},
        positions=positions,
    )
    model = MediaFM(config).eval()
    with torch.no_grad():  # away from the special values of the start
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.fusion.fit(make_titles())
    return model
