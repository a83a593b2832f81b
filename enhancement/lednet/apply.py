"""Pictures through a trained LEDNet: any size, bytes or 16 bits, one by one or several frames at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from enhancement.lednet.converted import OpenVinoNetwork
from enhancement.lednet.network import MULTIPLE, build
from minegis.errors import EnhancementError, ModelError
from minegis.training import checkpoint
from minegis.training.precision import depthwise_in_single_precision
from minegis.windows import Plan, StripBlender, pad_window

Picture = np.ndarray[Any, np.dtype[Any]]
LARGEST_WHOLE = 768  # pixels of a side; beyond, pictures are read in tiles
TILE, OVERLAP = 512, 64
LEAST = 2 * MULTIPLE  # a side below it is continued by its last pixel, a reflection would be longer than it
Batch = Callable[[Tensor], Tensor]

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"


class Enhancer:
    """A trained network and how it is used.

    Attributes:
        card: what is known of it.
        network: (N,3,H,W) R, G, B in [0, 1], sides multiples of 8, to the same.
    """

    def __init__(
        self, network: Batch, card: dict[str, Any] | None = None, *, device: str | torch.device = "cpu",
        bf16: bool = False, tile: int = TILE, overlap: int = OVERLAP, largest_whole: int = LARGEST_WHOLE,
    ) -> None:  # fmt: skip
        self.network, self.card = network, card or {}
        self.device, self.bf16 = torch.device(device), bf16
        self.tile, self.overlap, self.largest_whole = tile, overlap, largest_whole

    @classmethod
    def load(
        cls, path: Path, *, device: str = "cpu", bf16: bool = False, engine: Literal["torch", "openvino"] = "torch"
    ) -> Enhancer:
        """The network of a weights' file with a card beside it.

        Args:
            path: of the weights.
            device: for torch; OpenVINO computes on the CPU.
            bf16: half precision with torch; OpenVINO takes it where the CPU has it.
            engine: what computes. OpenVINO compiles every new size of picture anew.

        Raises:
            ModelError: E-MOD-03 damaged, E-MOD-07 of another network, E-MOD-08 not numbers.
        """
        state, card = checkpoint.load(path)
        network = build(card)
        checkpoint.fit(network, state, path.name)
        if engine == "openvino":
            return cls(OpenVinoNetwork(network.requires_grad_(False)), card)
        network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if bf16 and device == "cpu":
            depthwise_in_single_precision(network)
        return cls(network, card, device=device, bf16=bf16)

    def __call__(self, picture: Picture, full: float | None = None) -> Picture:
        """Enhance a picture.

        Args:
            picture: (H, W, 3), B, G, R: bytes, 16 bits, or floats in [0, 1]. NaN counts as black, infinity is clipped.
            full: the value of white in 16 bits; 65535 if None.

        Returns:
            The same size and type.

        Raises:
            EnhancementError: E-ENH-03, not such a picture.
        """
        return self.frames([picture], full)[0]

    def frames(self, pictures: Sequence[Picture], full: float | None = None) -> list[Picture]:
        """Several pictures of one size and type, in one pass of the network."""
        for picture in pictures:
            if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
                raise EnhancementError("E-ENH-03", value=picture.shape)
        kind = pictures[0].dtype
        white = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): full or 65535.0}.get(kind, 1.0)
        floats = np.stack(pictures).astype(np.float32, copy=False)[..., ::-1].transpose(0, 3, 1, 2) / np.float32(white)
        floats = np.clip(np.nan_to_num(floats, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
        out = self.floats(floats).transpose(0, 2, 3, 1)[..., ::-1]
        if np.issubdtype(kind, np.integer):
            return list(np.floor(out * np.float32(white) + np.float32(0.5)).astype(kind))
        return list(np.ascontiguousarray(out).astype(kind, copy=False))

    def floats(self, pictures: Picture) -> Picture:
        """(N,3,H,W) float32 R, G, B in [0, 1] to the same, clipped; whole, or in tiles joined by ramps."""
        height, width = pictures.shape[2:]
        if max(height, width) <= self.largest_whole:
            return self._pass(pictures)
        plan = Plan(height, width, self.tile, self.overlap, panel_width=width)
        panel = plan.panels[0]
        result = np.empty_like(pictures)
        for picture, out in zip(pictures, result, strict=True):
            blender = StripBlender(plan, panel, 3)
            for strip, top in enumerate(plan.rows):
                for left in plan.columns:
                    part = picture[:, top : top + self.tile, left : left + self.tile]
                    blender.add(left, self._pass(pad_window(part, self.tile)[None])[0])
                first, last = plan.final_rows(strip)
                out[:, first:last] = blender.finished(strip)
                blender.advance(strip)
        return result

    @torch.inference_mode()
    def _pass(self, pictures: Picture) -> Picture:
        height, width = pictures.shape[2:]
        padded = padded_to_multiple(pictures)
        batch = torch.from_numpy(np.ascontiguousarray(padded)).to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            out = self.network(batch)
        result: Picture = out[..., :height, :width].float().clamp(0, 1).cpu().numpy()
        if not np.isfinite(result).all():
            raise ModelError("E-MOD-08", value=str(self.card.get("name", "?")), tensor="output")
        return result


def padded_to_multiple(pictures: Picture, multiple: int = MULTIPLE) -> Picture:
    """(..., H, W) continued to the right and below to multiples of 8, at least 16; by reflection if there is enough."""
    height, width = pictures.shape[-2:]
    missing = [(0, max(LEAST, -(-length // multiple) * multiple) - length) for length in (height, width)]
    if missing == [(0, 0), (0, 0)]:
        return pictures
    for axis, (length, gap) in enumerate(zip((height, width), missing, strict=True)):
        gaps = [(0, 0)] * pictures.ndim
        gaps[pictures.ndim - 2 + axis] = gap
        pictures = np.pad(pictures, gaps, mode="edge" if length < LEAST else "reflect")
    return pictures
