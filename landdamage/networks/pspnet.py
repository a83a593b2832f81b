"""PSPNet (Zhao et al. 2017): pooling over 1, 2, 3 and 6 bins beside the map itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landdamage.networks.backbones import Backbone
from landdamage.networks.layers import ConvBNReLU, check, kaiming, resize, score_conv
from landdamage.networks.segmenter import Segmenter

BINS = (1, 2, 3, 6)
WIDTH = 512
AUXILIARY_WEIGHT = 0.4


def pool_bins(x: Tensor, size: int) -> Tensor:
    """Means over size × size bins: (N,C,H,W) -> (N,C,size,size), as ``adaptive_avg_pool2d``.

    ONNX has no such pooling where the bins do not divide the map, so an export sees two products with fixed matrices.
    """
    if not torch.onnx.is_in_onnx_export():
        return F.adaptive_avg_pool2d(x, size)
    height, width = (int(n) for n in x.shape[-2:])
    return _bins(height, size).to(x.dtype) @ x @ _bins(width, size).to(x.dtype).T


def _bins(length: int, size: int) -> Tensor:
    """(size, length): row k averages the pixels [⌊k·length/size⌋, ⌈(k+1)·length/size⌉)."""
    rows = torch.zeros(size, length)
    for k in range(size):
        first, end = k * length // size, -(-(k + 1) * length // size)
        rows[k, first:end] = 1 / (end - first)
    return rows


class AuxiliaryLoss:
    """A loss for both kinds of result: loss(logits) + 0.4 · loss(auxiliary) where there is an auxiliary head."""

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], weight: float = AUXILIARY_WEIGHT) -> None:
        self.loss, self.weight = loss, weight

    def __call__(self, outputs: Tensor | tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        """(N,classes,H,W) or a pair of them, and the target -> scalar."""
        if isinstance(outputs, tuple):
            logits, auxiliary = outputs
            return self.loss(logits, target) + self.weight * self.loss(auxiliary, target)
        return self.loss(outputs, target)


class PSPNet(Segmenter):
    """(N,C,H,W) float -> logits (N,classes,H,W); with an auxiliary head and in training a pair of them.

    Bins are projected to a quarter of the backbone's channels each (resnet: 512), concatenated with the map (4096)
    and reduced by one 3×3 to 512. The bin of 1×1 is normalised over N values, so training needs a batch of at least 2.

    Args:
        backbone: ``mobilenetv2``, ``resnet50``, ``resnet101`` or ``squeezenet``.
        in_channels: bands of the input, 3 or more.
        classes: classes out.
        output_stride: 8 or 16.
        auxiliary: add a head on the map before the last (resnet: layer3), used in training only.

    Raises:
        ValueError: a switch has no such value.
    """

    def __init__(
        self,
        backbone: str = "mobilenetv2",
        in_channels: int = 4,
        classes: int = 8,
        *,
        output_stride: int = 8,
        auxiliary: bool = False,
    ) -> None:
        super().__init__()
        check("output_stride", output_stride, (8, 16))
        check("auxiliary", auxiliary, (False, True))
        self.multiple = output_stride
        self.backbone = Backbone(backbone, in_channels, output_stride)
        *_, before, channels = self.backbone.channels
        self.bins = nn.ModuleList(ConvBNReLU(channels, channels // len(BINS), 1) for _ in BINS)
        gathered = channels + len(BINS) * (channels // len(BINS))
        self.reduce = nn.Sequential(ConvBNReLU(gathered, WIDTH, 3), nn.Dropout2d(0.1))
        self.auxiliary = nn.Sequential(ConvBNReLU(before, WIDTH // 2, 3), nn.Dropout2d(0.1)) if auxiliary else None
        for part in (self.bins, self.reduce, *([self.auxiliary] if self.auxiliary is not None else [])):
            kaiming(part)
        self.classifier = score_conv(WIDTH, classes)
        self.auxiliary_classifier = score_conv(WIDTH // 2, classes) if auxiliary else None

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:  # type: ignore[override]  # in training only
        """(N,C,H,W) -> (N,classes,H,W), in training (logits, auxiliary); any H, W beyond half the output stride."""
        if not (self.training and self.auxiliary is not None and self.auxiliary_classifier is not None):
            return super().forward(x)
        padded = self.padded(x)
        *_, before, last = self.backbone.pyramid(padded)
        height, width = x.shape[-2:]
        logits = resize(self._head(last), padded)[..., :height, :width]
        return logits, resize(self.auxiliary_classifier(self.auxiliary(before)), padded)[..., :height, :width]

    def scores(self, x: Tensor) -> Tensor:
        """(N,C,H,W) -> logits (N,classes,H/s,W/s), s the output stride."""
        return self._head(self.backbone.pyramid(x)[-1])

    def _head(self, x: Tensor) -> Tensor:
        pooled = [resize(project(pool_bins(x, size)), x) for project, size in zip(self.bins, BINS, strict=True)]
        return self.classifier(self.reduce(torch.cat([x, *pooled], dim=1)))
