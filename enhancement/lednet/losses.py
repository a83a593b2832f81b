"""What training minimises: differences of pixels and of features, at the full size and at 1/8 (S1 eq. 3 and 4)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from enhancement.lednet.network import MULTIPLE
from enhancement.lpips import BACKBONES
from minegis.errors import EnhancementError
from minegis.training.foreign import read_state_dict

MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, R, G, B
VGG19 = ((64, 2), (128, 2), (256, 4), (512, 4))
VGG19_STAGES = (2, 7, 16, 25)  # conv1_2, conv2_2, conv3_4, conv4_4 before their ReLU
SQUEEZE_STAGES = (1, 4, 7, 9)
LEAST_MAP = 3  # pixels of a feature map below which it says nothing
AMPLITUDE, GRADIENT = 0.05, 0.1


class Perceptual(Protocol):
    """A distance of pictures beside that of their pixels."""

    name: str
    weight: float

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Twice (N,3,H,W) R, G, B in [0, 1] to a scalar."""
        ...


class Features:
    """Mean absolute difference of a fixed network's features, summed over some of its layers.

    Args:
        name: for the card.
        layers: of the network.
        stages: after which of them features are compared.
        weight: λ of the sum.
    """

    def __init__(self, name: str, layers: nn.Sequential, stages: tuple[int, ...], weight: float) -> None:
        self.name, self.weight, self._stages = name, weight, stages
        self._layers: nn.Module = layers[: stages[-1] + 1].eval().requires_grad_(False)
        self._mean, self._sd = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(SD).view(1, 3, 1, 1)

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Stages whose maps are smaller than three pixels are left out."""
        if self._mean.device != a.device:
            self._layers = self._layers.to(a.device)
            self._mean, self._sd = self._mean.to(a.device), self._sd.to(a.device)
        x = (torch.cat([a, b.detach()]) - self._mean) / self._sd
        x = x.contiguous(memory_format=torch.channels_last)
        total = a.new_zeros(())
        for index, layer in enumerate(self._layers.children()):
            if min(x.shape[-2:]) < LEAST_MAP:
                break
            x = layer(x)
            if index in self._stages and min(x.shape[-2:]) >= LEAST_MAP:
                one, two = x.chunk(2)
                total = total + (one - two).abs().mean()
        return total


class Spectrum:
    """Without any network's weights: differences of the Fourier amplitudes (0.05) and of Sobel gradients (0.1)."""

    name, weight = "fft-gradient", 1.0

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """0.05 |‖F a‖ - ‖F b‖| + 0.1 |∇a - ∇b|, both means."""
        amplitude = [torch.fft.rfft2(x, norm="ortho").abs() for x in (a, b)]
        sobel = a.new_tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]) / 4
        kernels = torch.stack([sobel, sobel.T])[:, None].repeat(3, 1, 1, 1)
        gradient = F.conv2d(F.pad(a - b, (1, 1, 1, 1), "replicate"), kernels, groups=3)
        return AMPLITUDE * (amplitude[0] - amplitude[1]).abs().mean() + GRADIENT * gradient.abs().mean()


def _vgg19() -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 3
    for block, (channels, convolutions) in enumerate(VGG19):
        if block:
            layers.append(nn.MaxPool2d(2, 2))
        for _ in range(convolutions):
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
            before = channels
    return nn.Sequential(*layers)


def perceptual(kind: str, weights: Path | None = None) -> tuple[Perceptual, dict[str, Any]]:
    """The perceptual part and what a card says of it.

    Args:
        kind: "vgg19" or "squeezenet" with torchvision's weights of it, or "fft-gradient", which needs none.
        weights: the file.

    Raises:
        EnhancementError: E-ENH-02 no such kind; E-ENH-06 the file is not this network's.
        ModelError: E-MOD-11 the file cannot be read.
    """
    if kind == "fft-gradient":
        return Spectrum(), {"perceptual": kind, "weight": Spectrum.weight}
    if kind not in ("vgg19", "squeezenet") or weights is None:
        raise EnhancementError("E-ENH-02", field="perceptual", value=kind)
    layers = _vgg19() if kind == "vgg19" else BACKBONES["squeeze"][0]()
    state, digest = read_state_dict(weights)
    named = {key.removeprefix("features."): value.float() for key, value in state.items()}
    try:
        layers.load_state_dict({key: named[key] for key in layers.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise EnhancementError("E-ENH-06", value=weights) from error
    found = Features(kind, layers, VGG19_STAGES if kind == "vgg19" else SQUEEZE_STAGES, 0.01)
    return found, {"perceptual": kind, "weight": found.weight, "file": weights.name, "sha256": digest}


@dataclass(slots=True)
class LEDNetLoss:
    """L = α L_en + β L_deb, each an L1 of pixels plus λ of the perceptual part; both are means.

    Attributes:
        perceptual: the perceptual part, or None.
        small: α, of the side head against the label reduced by areas.
        full: β.
    """

    perceptual: Perceptual | None
    small: float = 0.8
    full: float = 1.0

    def __call__(self, outputs: Any, target: Tensor) -> Tensor:
        """Outputs of the network (one picture, or two) and (N,4,H,W): R, G, B and where they count."""
        label, seen = target[:, :3], target[:, 3:]
        full, small = outputs if isinstance(outputs, tuple | list) else (outputs, None)
        loss = self.full * self._distance(full, label, seen)
        if small is not None:
            reduced = F.avg_pool2d(seen, MULTIPLE)
            # An area with unseen parts has a mean that nobody knows.
            loss = loss + self.small * self._distance(small, F.avg_pool2d(label, MULTIPLE), (reduced == 1).float())
        return loss

    def _distance(self, picture: Tensor, label: Tensor, seen: Tensor) -> Tensor:
        picture = picture * seen + label * (1 - seen)
        pixels = (picture - label).abs().mean()
        if self.perceptual is None:
            return pixels
        return pixels + self.perceptual.weight * self.perceptual(picture, label)
