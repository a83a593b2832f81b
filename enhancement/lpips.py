"""Learned perceptual distance (LPIPS v0.1, Zhang et al. 2018) with backbones of its own under torchvision's names.

Weights are files of the user: a state dict of torchvision's SqueezeNet 1.1, AlexNet or VGG-16 and the linear heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from minegis.errors import EnhancementError

Picture = np.ndarray[Any, np.dtype[Any]]
MEAN, SD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # R, G, B of pictures in [-1, 1]


class Fire(nn.Module):
    """SqueezeNet's block: squeeze to few channels, expand by 1 x 1 and 3 x 3."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) to (N, 2 expanded, H, W)."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


def _squeeze() -> nn.Sequential:
    pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)  # noqa: E731
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool(), Fire(64, 16, 64), Fire(128, 16, 64), pool(),
        Fire(128, 32, 128), Fire(256, 32, 128), pool(), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256),
        Fire(512, 64, 256),
    )  # fmt: skip


def _alex() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(),
        nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


def _vgg() -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 3
    for block, (channels, convolutions) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        if block:
            layers.append(nn.MaxPool2d(2, 2))
        for _ in range(convolutions):
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
            before = channels
    return nn.Sequential(*layers)


# The backbone and after which of its layers it is compared.
BACKBONES = {
    "squeeze": (_squeeze, (1, 4, 7, 9, 10, 11, 12)),
    "alex": (_alex, (1, 4, 7, 9, 11)),
    "vgg": (_vgg, (3, 8, 15, 22, 29)),
}


@dataclass(frozen=True, slots=True)
class Distance:
    """An LPIPS value and what made it: the backbone and the file its weights came from."""

    value: float
    backbone: str
    weights: str


class Lpips:
    """The measure: features of a network in every place, normalised, squared differences weighed by trained heads.

    ``backbone``: squeeze, alex or vgg; ``weights``: torchvision's state dict of it; ``heads``: the linear heads' file.

    Raises:
        EnhancementError: E-ENH-02, unknown backbone; E-ENH-06, a file is missing or is none of these.
    """

    def __init__(self, backbone: str, weights: Path, heads: Path) -> None:
        if backbone not in BACKBONES:
            raise EnhancementError("E-ENH-02", field="backbone", value=backbone)
        self.backbone, self.weights = backbone, weights.name
        make, self._layers = BACKBONES[backbone]
        states = []
        for path in (weights, heads):
            try:
                states.append(torch.load(path, map_location="cpu", weights_only=True))
            except Exception as error:  # torch raises whatever the bytes lead it to
                raise EnhancementError("E-ENH-06", value=path) from error
        self._features = make().eval()
        try:
            named = {key.removeprefix("features."): value.float() for key, value in states[0].items()}
            wanted = self._features.state_dict()
            self._features.load_state_dict({key: named[key] for key in wanted})
            self._heads = [states[1][f"lin{k}.model.1.weight"].float() for k in range(len(self._layers))]
        except (KeyError, RuntimeError, AttributeError) as error:
            raise EnhancementError("E-ENH-06", value=weights) from error

    def __call__(self, a: Picture, b: Picture) -> Distance:
        """The distance of two pictures, 0 for equal ones."""
        total = 0.0
        with torch.inference_mode():
            for one, two, head in zip(self._stages(a), self._stages(b), self._heads, strict=True):
                unit = [x / (x.norm(dim=1, keepdim=True) + 1e-10) for x in (one, two)]
                total += float(((unit[0] - unit[1]) ** 2 * head).sum(dim=1).mean())
        return Distance(total, self.backbone, self.weights)

    def _stages(self, picture: Picture) -> list[Any]:
        x = torch.from_numpy(np.ascontiguousarray(picture[:, :, ::-1], np.float32)).permute(2, 0, 1)[None] * 2 - 1
        x = (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(SD).view(1, 3, 1, 1)
        stages = []
        for index, layer in enumerate(self._features):
            x = layer(x)
            if index in self._layers:
                stages.append(x)
        return stages
